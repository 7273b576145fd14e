package wire

import (
	"encoding/binary"
	"net/netip"
)

// dnsRR is a resource record in place: offsets into its message.
type dnsRR struct {
	Type, Class uint16 // mDNS's top bit is taken off the class
	TTL         uint32 // seconds
	Start       int    // owner name
	Data, End   int    // RDATA
}

// readDNSRR reads the head of the record at off. RDATA may go beyond the message: the caller looks.
func readDNSRR(msg []byte, off int) (dnsRR, bool) {
	at, ok := skipDNSName(msg, off)
	if !ok || len(msg)-at < 10 {
		return dnsRR{}, false
	}
	return dnsRR{
		Type:  binary.BigEndian.Uint16(msg[at:]),
		Class: dnsClass(binary.BigEndian.Uint16(msg[at+2:])),
		TTL:   binary.BigEndian.Uint32(msg[at+4:]),
		Start: off,
		Data:  at + 10,
		End:   at + 10 + int(binary.BigEndian.Uint16(msg[at+8:])),
	}, true
}

// addr gives the address of an A or AAAA record, else the zero Addr. RDATA must lie within msg.
func (r *dnsRR) addr(msg []byte) netip.Addr {
	data := msg[r.Data:r.End]
	switch {
	case r.Type == dnsTypeA && len(data) == 4:
		return netip.AddrFrom4([4]byte(data))
	case r.Type == dnsTypeAAAA && len(data) == 16:
		return netip.AddrFrom16([16]byte(data))
	}
	return netip.Addr{}
}

// target gives the offset of the name that a record of a type with DNSRecord.Target points to.
func (r *dnsRR) target() (int, bool) {
	at := r.Data
	switch r.Type {
	case dnsTypeCNAME, dnsTypeDNAME, dnsTypeNS, dnsTypePTR:
	case dnsTypeMX, dnsTypeHTTPS, dnsTypeSVCB: // preference, priority (RFC 9460 2.2)
		at += 2
	default:
		return 0, false
	}
	return at, at < r.End
}

// leads tells whether a client that asked for the owner goes on to the target.
func (r *dnsRR) leads() bool {
	switch r.Type {
	case dnsTypeCNAME, dnsTypeDNAME, dnsTypeHTTPS, dnsTypeSVCB:
		return true
	}
	return false
}

// dnsWalk goes over records in place.
type dnsWalk struct {
	msg  []byte
	off  int // next record; < 0 once the message broke off
	left int
}

// dnsAnswers begins a walk over the answer section.
func dnsAnswers(msg []byte, p *DNSPeek) dnsWalk {
	if p.QD > dnsMaxRecords {
		return dnsWalk{}
	}
	off := p.Rest
	for range int(p.QD) - 1 {
		at, ok := skipDNSName(msg, off)
		if !ok || len(msg)-at < 4 {
			return dnsWalk{}
		}
		off = at + 4
	}
	return dnsWalk{msg: msg, off: off, left: min(int(p.AN), dnsMaxRecords)}
}

// next gives the next record, whole; false at the section's end and where the message breaks off.
func (w *dnsWalk) next() (dnsRR, bool) {
	if w.left == 0 {
		return dnsRR{}, false
	}
	rr, ok := readDNSRR(w.msg, w.off)
	if !ok || rr.End > len(w.msg) {
		w.left, w.off = 0, -1
		return dnsRR{}, false
	}
	w.left--
	w.off = rr.End
	return rr, true
}
