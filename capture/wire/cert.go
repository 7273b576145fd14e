package wire

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

const (
	certsMax = 32   // of one message
	sansMax  = 1024 // of one certificate
)

// ParseCertificates reads the body of a Certificate message of TLS 1.2 and older (RFC 5246 7.4.2). It is lenient:
// servers in the field send certificates that a strict reader refuses, so what can be read of each is kept, down to
// its fingerprint alone. The error, which wraps ErrTruncated, says that the list broke off behind what is returned.
func ParseCertificates(body []byte, dtls bool) ([]Certificate, error) {
	s := cryptobyte.String(body)
	var list, der cryptobyte.String
	if !s.ReadUint24LengthPrefixed(&list) {
		return nil, fmt.Errorf("certificate message: %w", ErrTruncated)
	}
	var out []Certificate
	for len(list) > 0 && len(out) < certsMax {
		if !list.ReadUint24LengthPrefixed(&der) {
			return out, fmt.Errorf("certificate %d: %w", len(out), ErrTruncated)
		}
		c := Certificate{Index: len(out), SHA256: sha256.Sum256(der), DTLS: dtls}
		c.read(der)
		out = append(out, c)
	}
	return out, nil
}

// read takes the fields out of a Certificate (RFC 5280 4.1) as far as its structure holds.
func (c *Certificate) read(der []byte) {
	tag, cert, _, _ := cutDER(der)
	if tag != derSequence {
		return
	}
	tag, tbs, _, _ := cutDER(cert)
	if tag != derSequence {
		return
	}
	if tag, _, rest, ok := cutDER(tbs); ok && tag == derContext {
		tbs = rest // version
	}
	var fields [6][]byte // serial number, signature algorithm, issuer, validity, subject, key
	for i := range fields {
		_, content, rest, ok := cutDER(tbs)
		if !ok {
			break
		}
		fields[i], tbs = content, rest
	}
	c.IssuerCN, c.IssuerOrg = readName(fields[2])
	c.SubjectCN, _ = readName(fields[4])
	_, from, rest, _ := cutDER(fields[3])
	_, to, _, _ := cutDER(rest)
	c.NotBefore, c.NotAfter = readDERTime(from), readDERTime(to)
	for {
		tag, content, rest, ok := cutDER(tbs)
		if !ok {
			return
		}
		if tag == derContext|3 {
			c.readExtensions(content)
		}
		tbs = rest
	}
}

// readExtensions looks for the subject's alternative names (RFC 5280 4.2.1.6).
func (c *Certificate) readExtensions(b []byte) {
	_, list, _, _ := cutDER(b)
	for {
		_, ext, rest, ok := cutDER(list)
		if !ok {
			return
		}
		list = rest
		tag, oid, rest, _ := cutDER(ext)
		if tag != derOID || string(oid) != oidAltName {
			continue
		}
		for { // the value follows an optional boolean
			tag, value, next, ok := cutDER(rest)
			if !ok {
				break
			}
			if tag == derOctets {
				c.readAltNames(value)
			}
			rest = next
		}
	}
}

func (c *Certificate) readAltNames(b []byte) {
	_, list, _, _ := cutDER(b)
	for len(c.SAN) < sansMax {
		tag, value, rest, ok := cutDER(list)
		if !ok {
			return
		}
		list = rest
		switch tag {
		case derName:
			if name := hostText(value); name != "" {
				c.SAN = append(c.SAN, name)
			}
		case derAddress:
			if a, ok := netip.AddrFromSlice(value); ok {
				c.SAN = append(c.SAN, a.String())
			}
		}
	}
}

// readName gives the last common name and the last organisation of a Name (RFC 5280 4.1.2.4).
func readName(b []byte) (cn, org string) {
	for {
		_, set, rest, ok := cutDER(b)
		if !ok {
			return cn, org
		}
		b = rest
		for {
			_, pair, more, ok := cutDER(set)
			if !ok {
				break
			}
			set = more
			tag, oid, value, _ := cutDER(pair)
			if tag != derOID {
				continue
			}
			switch string(oid) {
			case oidCommonName:
				cn = derText(value)
			case oidOrganisation:
				org = derText(value)
			}
		}
	}
}

// readDERTime reads a UTCTime or GeneralizedTime (RFC 5280 4.1.2.5), with or without seconds and whatever its zone
// says but UTC; the zero time where it is neither.
func readDERTime(b []byte) time.Time {
	digits := 0
	for digits < len(b) && '0' <= b[digits] && b[digits] <= '9' {
		digits++
	}
	layout := ""
	switch digits {
	case 10:
		layout = "0601021504"
	case 12: // UTCTime: a GeneralizedTime has its seconds
		layout = "060102150405"
	case 14:
		layout = "20060102150405"
	default:
		return time.Time{}
	}
	t, err := time.Parse(layout, string(b[:digits]))
	if err != nil {
		return time.Time{}
	}
	if digits < 14 && t.Year() >= 2050 { // two digits: 50 is 1950 (RFC 5280 4.1.2.5.1); package time takes 69
		t = t.AddDate(-100, 0, 0)
	}
	return t
}
