package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

var errNoText = errors.New("no presentation format")

// present fills the record's data from rr: the text of a master file in one line, with names as OUTPUT.md has them.
func (a *DNSRecord) present(rr dns.RR) error {
	switch v := rr.(type) {
	case *dns.A:
		a.Addr, a.Data = addrText(v.A.To4())
	case *dns.AAAA:
		a.Addr, a.Data = addrText(v.AAAA)
	case *dns.TXT:
		a.Texts = texts(v.Txt)
	case *dns.SRV:
		if v.Target != "" {
			a.Data = fmt.Sprintf("%d %d %d %s", v.Priority, v.Weight, v.Port, dnsNameText(v.Target))
		}
	case *dns.SOA:
		if v.Ns != "" {
			a.Data = fmt.Sprintf("%s %s %d %d %d %d %d", dnsNameText(v.Ns), dnsNameText(v.Mbox),
				v.Serial, v.Refresh, v.Retry, v.Expire, v.Minttl)
		}
	case *dns.RFC3597:
		a.setBytes(v.Rdata)
	case *dns.NULL:
		a.setBytes(hex.EncodeToString([]byte(v.Data)))
	default:
		if !a.pointTo(rr) {
			return a.presentOther(rr)
		}
	}
	return nil
}

// pointTo fills the data of a record that is there to name another; false for any other type.
func (a *DNSRecord) pointTo(rr dns.RR) bool {
	switch v := rr.(type) {
	case *dns.CNAME:
		a.Target = v.Target
	case *dns.DNAME:
		a.Target = v.Target
	case *dns.PTR:
		a.Target = v.Ptr
	case *dns.NS:
		a.Target = v.Ns
	case *dns.MX:
		a.Target = v.Mx
		a.Data = strconv.Itoa(int(v.Preference)) + " "
	case *dns.HTTPS:
		return a.pointService(&v.SVCB)
	case *dns.SVCB:
		return a.pointService(v)
	default:
		return false
	}
	if a.Target == "" { // no data at all, as in a dynamic update
		a.Data = ""
		return true
	}
	a.Target = dnsNameText(a.Target)
	a.Data += a.Target
	return true
}

// pointService writes an SVCB or HTTPS record as RFC 9460 2.1 does; values stand without quotes.
func (a *DNSRecord) pointService(v *dns.SVCB) bool {
	if v.Target == "" {
		return true
	}
	a.Target = dnsNameText(v.Target)
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(v.Priority)) + " " + a.Target)
	for _, kv := range v.Value {
		b.WriteString(" " + kv.Key().String())
		if s := kv.String(); s != "" {
			b.WriteString("=" + s)
		}
	}
	a.Data = rawText([]byte(b.String()))
	return true
}

// presentOther uses the library's own text of the record's data. Should it panic, that is ErrMalformed.
func (a *DNSRecord) presentOther(rr dns.RR) (err error) {
	defer panicMalformed(&err)
	if rr.Header().Rdlength == 0 {
		return nil
	}
	data, ok := strings.CutPrefix(rr.String(), rr.Header().String())
	if !ok {
		return errNoText
	}
	a.Data = rawText([]byte(data))
	return nil
}

// raw fills the data of a record whose data is malformed: its bytes as RFC 3597 5 writes them, and the name that it
// points to, if that at least can be read.
func (a *DNSRecord) raw(msg []byte, head *dnsRR) {
	a.setBytes(hex.EncodeToString(msg[head.Data:head.End]))
	at, ok := head.leads()
	switch head.Type {
	case dnsTypeNS, dnsTypePTR:
		at, ok = head.Data, head.Data < head.End
	case dnsTypeMX:
		at, ok = head.Data+2, head.Data+2 < head.End
	}
	if !ok {
		return
	}
	var scratch [1024]byte
	if name, next, ok := readDNSName(msg, at, scratch[:0]); ok && next <= head.End {
		a.Target = string(name)
	}
}

// setBytes writes data, given as hex, as RFC 3597 5 does for types that have no text of their own.
func (a *DNSRecord) setBytes(data string) {
	a.Data = strings.TrimSuffix(`\# `+strconv.Itoa(len(data)/2)+" "+data, " ")
}

// texts turns the strings of a TXT record as miekg/dns has them, escaped, into what was on the wire.
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
