package wire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

const (
	dnsMaxText  = 1024 // bytes of data of which the library's own text is used
	dnsMaxTypes = 64   // types in a bitmap, likewise
)

// errNoText: the data is well-formed, but must be written as bytes.
var errNoText = errors.New("no presentation format")

// present fills the record's data from rr: the text of a master file on one line, with names in the form of DNSPeek.Name.
// It fails if a name is missing in data that is not empty, which the library accepts.
func (a *DNSRecord) present(rr dns.RR) error {
	switch v := rr.(type) {
	case *dns.A:
		a.Addr, a.Data = addrText(v.A.To4())
	case *dns.AAAA:
		a.Addr, a.Data = addrText(v.AAAA)
	case *dns.TXT:
		a.Texts = texts(v.Txt)
	case *dns.CNAME:
		return a.pointTo("", v.Target)
	case *dns.DNAME:
		return a.pointTo("", v.Target)
	case *dns.PTR:
		return a.pointTo("", v.Ptr)
	case *dns.NS:
		return a.pointTo("", v.Ns)
	case *dns.MX:
		return a.pointTo(strconv.Itoa(int(v.Preference))+" ", v.Mx)
	case *dns.HTTPS:
		return a.pointService(&v.SVCB)
	case *dns.SVCB:
		return a.pointService(v)
	default:
		return a.presentOther(rr)
	}
	return nil
}

// pointTo fills the data of a record whose purpose is to point to a name.
func (a *DNSRecord) pointTo(before, target string) error {
	if target == "" {
		return ErrTruncated
	}
	a.Target = dnsNameText(target)
	a.Data = before + a.Target
	return nil
}

// pointService writes an SVCB or HTTPS record as in RFC 9460 2.1; values are without quotes.
func (a *DNSRecord) pointService(v *dns.SVCB) error {
	if err := a.pointTo(strconv.Itoa(int(v.Priority))+" ", v.Target); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(a.Data)
	for _, kv := range v.Value {
		b.WriteString(" " + kv.Key().String())
		if s := kv.String(); s != "" {
			b.WriteString("=" + s)
		}
	}
	a.Data = rawText([]byte(b.String()))
	return nil
}

// presentOther fills the data of a record of which only the text is used.
func (a *DNSRecord) presentOther(rr dns.RR) error {
	switch v := rr.(type) {
	case *dns.SRV:
		if v.Target == "" {
			return ErrTruncated
		}
		a.Data = fmt.Sprintf("%d %d %d %s", v.Priority, v.Weight, v.Port, dnsNameText(v.Target))
	case *dns.SOA:
		if v.Mbox == "" {
			return ErrTruncated
		}
		a.Data = fmt.Sprintf("%s %s %d %d %d %d %d", dnsNameText(v.Ns), dnsNameText(v.Mbox),
			v.Serial, v.Refresh, v.Retry, v.Expire, v.Minttl)
	case *dns.RFC3597:
		a.setBytes(v.Rdata)
	case *dns.NULL:
		a.setBytes(hex.EncodeToString([]byte(v.Data)))
	default:
		if costlyText(rr) {
			return errNoText
		}
		return a.libraryText(rr)
	}
	return nil
}

// costlyText reports whether the library would build the record's text from so many parts that its quadratic time matters:
// a full type bitmap takes ten seconds.
func costlyText(rr dns.RR) bool {
	types := 0
	switch v := rr.(type) {
	case *dns.NSEC:
		types = len(v.TypeBitMap)
	case *dns.NSEC3:
		types = len(v.TypeBitMap)
	case *dns.NXT:
		types = len(v.TypeBitMap)
	case *dns.CSYNC:
		types = len(v.TypeBitMap)
	}
	return types > dnsMaxTypes || rr.Header().Rdlength > dnsMaxText
}

// libraryText uses the library's own text of the record's data. A panic in it becomes ErrMalformed.
func (a *DNSRecord) libraryText(rr dns.RR) (err error) {
	defer panicMalformed(&err)
	data, ok := strings.CutPrefix(rr.String(), rr.Header().String())
	if !ok {
		return errNoText
	}
	a.Data = rawText([]byte(data))
	return nil
}

// raw fills the data of a malformed record: the name that it points to (after the number before it), if that can be read,
// else its bytes as in RFC 3597 5.
func (a *DNSRecord) raw(msg []byte, head *dnsRR) {
	a.setBytes(hex.EncodeToString(msg[head.Data:head.End]))
	at, ok := head.target()
	if !ok {
		return
	}
	var scratch [1024]byte
	name, next, ok := readDNSName(msg, at, scratch[:0])
	if !ok || next > head.End {
		return
	}
	a.Target = string(name)
	a.Data = a.Target
	if at > head.Data {
		a.Data = strconv.Itoa(int(binary.BigEndian.Uint16(msg[head.Data:]))) + " " + a.Target
	}
}

// setBytes writes data, given as hex, as RFC 3597 5 does for types without a text form.
func (a *DNSRecord) setBytes(data string) {
	a.Data = strings.TrimSuffix(`\# `+strconv.Itoa(len(data)/2)+" "+data, " ")
}

// texts converts the strings of a TXT record from miekg/dns's escaped form to what was on the wire.
func texts(escaped []string) []string {
	out := make([]string, len(escaped))
	for i, s := range escaped {
		raw := make([]byte, 0, len(s))
		for s != "" {
			var c byte
			c, s = dnsUnescape(s)
			raw = append(raw, c)
		}
		out[i] = rawText(raw)
	}
	return out
}
