package wire

import (
	"encoding/binary"
	"net/netip"
)

// dnsRR is a resource record in place, as offsets into its message.
type dnsRR struct {
	Type, Class uint16 // mDNS's top bit is taken off the class
	TTL         uint32 // seconds
	Start       int    // owner name
	Data, End   int    // RDATA
}

// read reads the head of the record at off into r. RDATA may end after the message: the caller must check.
func (r *dnsRR) read(msg []byte, off int) bool {
	at, ok := skipDNSName(msg, off)
	if !ok || len(msg)-at < 10 {
		return false
	}
	r.Type = binary.BigEndian.Uint16(msg[at:])
	r.Class = dnsClass(binary.BigEndian.Uint16(msg[at+2:]))
	r.TTL = binary.BigEndian.Uint32(msg[at+4:])
	r.Start, r.Data = off, at+10
	r.End = at + 10 + int(binary.BigEndian.Uint16(msg[at+8:]))
	return true
}

// addr returns the address of an A or AAAA record, else the zero Addr. RDATA must be within msg.
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

// target returns the offset of the name that a record of a type with DNSRecord.Target points to.
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

// leads reports whether a client that asked for the owner continues with the target.
func (r *dnsRR) leads() bool {
	switch r.Type {
	case dnsTypeCNAME, dnsTypeDNAME, dnsTypeHTTPS, dnsTypeSVCB:
		return true
	}
	return false
}

// dnsWalk iterates over records in place.
type dnsWalk struct {
	msg  []byte
	off  int // next record; < 0 once the message broke off
	left int
	rr   dnsRR // the present record
}

// dnsAnswers starts a walk over the answer section.
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

// next moves to the next whole record. It returns false at the section's end, and if the message breaks off.
func (w *dnsWalk) next() bool {
	if w.left == 0 {
		return false
	}
	if !w.rr.read(w.msg, w.off) || w.rr.End > len(w.msg) {
		w.left, w.off = 0, -1
		return false
	}
	w.left--
	w.off = w.rr.End
	return true
}
