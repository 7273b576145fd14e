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

// ParseCertificates reads the body of a Certificate message of TLS 1.2 and older (RFC 5246 7.4.2). It is lenient, because
// servers in the field send certificates that a strict reader rejects: of each it keeps what can be read, at least its
// fingerprint. The error, which wraps ErrTruncated, means that the list breaks off after what is returned.
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

// read reads the fields of a Certificate (RFC 5280 4.1) as far as its structure is intact.
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
	for tag, content := range derElements(tbs) {
		if tag == derContext|3 {
			c.readExtensions(content)
		}
	}
}

// readExtensions finds the subject's alternative names (RFC 5280 4.2.1.6).
func (c *Certificate) readExtensions(b []byte) {
	_, list, _, _ := cutDER(b)
	for _, ext := range derElements(list) {
		tag, oid, rest, _ := cutDER(ext)
		if tag != derOID || string(oid) != oidAltName {
			continue
		}
		for tag, value := range derElements(rest) { // the value follows an optional boolean
			if tag == derOctets {
				c.readAltNames(value)
			}
		}
	}
}

func (c *Certificate) readAltNames(b []byte) {
	_, list, _, _ := cutDER(b)
	for tag, value := range derElements(list) {
		if len(c.SAN) == sansMax {
			return
		}
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

// readName returns the last common name and the last organisation of a Name (RFC 5280 4.1.2.4).
func readName(b []byte) (cn, org string) {
	for _, set := range derElements(b) {
		for _, pair := range derElements(set) {
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
	return cn, org
}

// readDERTime reads a UTCTime or GeneralizedTime (RFC 5280 4.1.2.5), with or without seconds. It assumes UTC, whatever zone
// is stated, and returns the zero time for anything else.
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
