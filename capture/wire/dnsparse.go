package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// ParseDNS reads a whole DNS, mDNS or LLMNR message. What precedes a malformed or missing part is kept, and Incomplete is
// set. A record of which only the data is malformed is kept with its data as bytes (RFC 3597 5). The error is ErrMalformed
// for what PeekDNS rejects, and ErrTruncated if even the header is incomplete; then there is no message.
func ParseDNS(msg []byte) (*DNS, error) {
	if len(msg) < dnsHeaderLen {
		return nil, fmt.Errorf("dns header: %w", ErrTruncated)
	}
	var scratch [1024]byte
	p, ok := PeekDNS(msg, scratch[:])
	if !ok {
		return nil, fmt.Errorf("dns header or question: %w", ErrMalformed)
	}
	d := &DNS{
		ID: p.ID, Response: p.Response(), Opcode: p.Opcode(),
		AA: p.AA(), TC: p.TC(), RD: p.RD(), RA: p.RA(),
		RCode: rcodeText(uint16(p.RCode())),
	}
	r := dnsReader{DNS: d, msg: msg, off: dnsHeaderLen, left: dnsMaxRecords}
	d.Incomplete = !r.sections(&p) || r.flawed
	return d, nil
}

// dnsReader fills a DNS from its message, section by section.
type dnsReader struct {
	*DNS
	msg    []byte
	off    int
	left   int  // records and questions that are still looked at
	flawed bool // some record's data is malformed
	opt    bool // EDNS was seen
}

// sections reads all four sections. It returns false if the message breaks off.
func (r *dnsReader) sections(p *DNSPeek) bool {
	if !r.each(p.QD, r.question) || !r.each(p.AN, r.answer) || !r.each(p.NS, r.authority) {
		return false
	}
	r.Referral = r.Referral && p.Response() && p.RCode() == 0 && p.AN == 0
	return r.each(p.AR, r.additional)
}

// each calls read n times, until it returns false or the limit of records is reached.
func (r *dnsReader) each(n uint16, read func() bool) bool {
	for range n {
		if r.left == 0 || !read() {
			return false
		}
		r.left--
	}
	return true
}

func (r *dnsReader) question() bool {
	name, next, err := unpackName(r.msg, r.off)
	if err != nil || len(r.msg)-next < 4 {
		return false
	}
	class := uint16(r.msg[next+2])<<8 | uint16(r.msg[next+3])
	q := DNSQuestion{
		Name:  dnsNameText(name),
		QType: rrTypeText(uint16(r.msg[next])<<8 | uint16(r.msg[next+1])),
		Class: dnsClass(class),
	}
	q.Unicast = q.Class != class
	r.Questions = append(r.Questions, q)
	r.off = next + 4
	return true
}

// record returns the record at r.off in place and moves past it. It returns false if the message breaks off.
func (r *dnsReader) record() (rr dnsRR, ok bool) {
	if !rr.read(r.msg, r.off) || rr.End > len(r.msg) {
		return dnsRR{}, false
	}
	r.off = rr.End
	return rr, true
}

func (r *dnsReader) answer() bool {
	head, ok := r.record()
	if !ok {
		return false
	}
	if head.Type == dnsTypeOPT { // never an answer, in whatever section (RFC 6891 6.1.1)
		return r.edns(&head)
	}
	name, _, err := unpackName(r.msg, head.Start)
	if err != nil {
		return false
	}
	a := DNSRecord{Name: dnsNameText(name), Type: rrTypeText(head.Type), TTL: head.TTL}
	if head.Data < head.End { // a dynamic update has records without data (RFC 2136 2.4)
		r.data(&a, &head)
	}
	r.Answers = append(r.Answers, a)
	return true
}

// data reads the data of the record at head into a.
func (r *dnsReader) data(a *DNSRecord, head *dnsRR) {
	rr, err := unpackRR(r.msg, head)
	if err == nil {
		err = a.present(rr)
	}
	if err != nil {
		r.flawed = r.flawed || !errors.Is(err, errNoText)
		a.raw(r.msg, head)
	}
}

func (r *dnsReader) authority() bool {
	head, ok := r.record()
	r.Referral = r.Referral || head.Type == dnsTypeNS
	return ok
}

func (r *dnsReader) additional() bool {
	head, ok := r.record()
	if !ok {
		return false
	}
	return head.Type != dnsTypeOPT || r.edns(&head)
}

// unpackName is dns.UnpackDomainName. A panic in it becomes ErrMalformed.
func unpackName(msg []byte, off int) (name string, next int, err error) {
	defer panicMalformed(&err)
	return dns.UnpackDomainName(msg, off)
}

// unpackRR is dns.UnpackRR for the record at head, which must be within msg. A panic in it becomes ErrMalformed.
func unpackRR(msg []byte, head *dnsRR) (rr dns.RR, err error) {
	defer panicMalformed(&err)
	rr, next, err := dns.UnpackRR(msg, head.Start)
	if err == nil && next != head.End {
		err = ErrMalformed
	}
	return rr, err
}

// panicMalformed, deferred, turns a panic in the library into an error.
func panicMalformed(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("dns library: %w", ErrMalformed)
	}
}

// rrTypeText returns a record type's name; RFC 3597 5 for one without.
func rrTypeText(t uint16) string {
	if name, ok := dns.TypeToString[t]; ok && t != dns.TypeNone && t != dns.TypeReserved {
		return name
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// rcodeText returns a response code's name. 16 can only come from EDNS here, where it is BADVERS (RFC 6891 9).
func rcodeText(code uint16) string {
	if code == dns.RcodeBadVers {
		return "BADVERS"
	}
	if name, ok := dns.RcodeToString[int(code)]; ok {
		return name
	}
	return "RCODE" + strconv.Itoa(int(code))
}

// addrText returns the address in a library's slice and its canonical text; the zero Addr and "" for none.
func addrText(ip []byte) (netip.Addr, string) {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}, ""
	}
	return addr, addr.String()
}

// rawText returns bytes from the wire as text. Bytes that are not UTF-8 become \DDD.
func rawText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+12)
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			out = append(out, '\\', '0'+b[0]/100, '0'+b[0]/10%10, '0'+b[0]%10)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return string(out)
}
