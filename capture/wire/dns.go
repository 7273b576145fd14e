package wire

import (
	"encoding/binary"
	"net/netip"
)

const (
	dnsHeaderLen   = 12        // RFC 1035 4.1.1
	dnsMaxLen      = 1<<16 - 1 // the length prefix over TCP (RFC 1035 4.2.2) and UDP's own limit
	dnsMinQuestion = 5         // shortest question: root, type, class
	dnsMinRecord   = 11        // shortest record: root, type, class, TTL, length
	dnsMaxRecords  = 4096      // records and questions looked at in one message
	dnsMaxAddrs    = 64        // addresses that DNSLook returns

	dnsOpcodeDSO = 6 // RFC 8490 5.4: all counts are zero

	// dnsTopBit of a class is mDNS's: "unicast response wanted" in a question (RFC 6762 5.4), "flush the cache" in a
	// record (10.2).
	dnsTopBit = 0x8000
)

// Record types that are looked into in place; the numbers are IANA's "Resource Record (RR) TYPEs".
const (
	dnsTypeA     = 1
	dnsTypeNS    = 2
	dnsTypeCNAME = 5
	dnsTypePTR   = 12
	dnsTypeMX    = 15
	dnsTypeAAAA  = 28
	dnsTypeDNAME = 39
	dnsTypeOPT   = 41
	dnsTypeSVCB  = 64
	dnsTypeHTTPS = 65
)

// DNSPeek is the header and the first question of a message, read in place.
type DNSPeek struct {
	ID, Flags      uint16 // as in the header
	QD, AN, NS, AR uint16 // counts as the header claims them
	QType, QClass  uint16 // first question; mDNS's top bit is taken off the class
	// Name is the first qname: lower case, no trailing dot, "." for the root, bytes outside 33..126 (and '.' and '\'
	// inside a label) as \DDD. It lies in the scratch buffer; nil iff QD is 0.
	Name []byte
	Rest int // offset after the first question; 12 if QD is 0
}

// Response reports whether QR is set.
func (p *DNSPeek) Response() bool { return p.Flags&0x8000 != 0 }

// Opcode returns the kind of query (RFC 1035 4.1.1): 0 is the normal one, 5 a dynamic update.
func (p *DNSPeek) Opcode() uint8 { return uint8(p.Flags >> 11 & 0xF) }

// AA reports whether the answer is authoritative.
func (p *DNSPeek) AA() bool { return p.Flags&0x0400 != 0 }

// TC reports whether the message says of itself that it was cut.
func (p *DNSPeek) TC() bool { return p.Flags&0x0200 != 0 }

// RD reports whether recursion is desired.
func (p *DNSPeek) RD() bool { return p.Flags&0x0100 != 0 }

// RA reports whether recursion is available.
func (p *DNSPeek) RA() bool { return p.Flags&0x0080 != 0 }

// RCode returns the four bits of the header, without EDNS's extension.
func (p *DNSPeek) RCode() uint8 { return uint8(p.Flags & 0xF) }

// PeekDNS reads the header and the first question of a DNS, mDNS or LLMNR message without allocating. scratch must hold
// 1024 bytes. It returns false for what is not plausibly DNS, and for a message that ends inside its first question.
//
// Plausible is a header whose counts could fit into a message, followed by a well-formed question (or, without questions,
// record) of an assigned class. Of random payloads fewer than one in ten million pass.
func PeekDNS(msg, scratch []byte) (DNSPeek, bool) {
	var p DNSPeek
	ok := p.Read(msg, scratch)
	return p, ok
}

// Read is PeekDNS into p, whose content is undefined if it returns false. Copying a DNSPeek right after it was filled would
// wait for all pending stores.
func (p *DNSPeek) Read(msg, scratch []byte) bool {
	if !p.readHeader(msg) || len(msg) > dnsMaxLen {
		return false
	}
	p.Name, p.QType, p.QClass = nil, 0, 0
	if p.QD == 0 {
		return p.bareOK(msg)
	}
	name, next, ok := readDNSName(msg, dnsHeaderLen, scratch[:0])
	if !ok || len(msg)-next < 4 {
		return false
	}
	p.Name = name
	p.QType = binary.BigEndian.Uint16(msg[next:])
	p.QClass = dnsClass(binary.BigEndian.Uint16(msg[next+2:]))
	p.Rest = next + 4
	return dnsAssigned(p.QClass)
}

// readHeader reads the header. It returns false if no message could have these counts.
func (p *DNSPeek) readHeader(msg []byte) bool {
	if len(msg) < dnsHeaderLen {
		return false
	}
	p.ID = binary.BigEndian.Uint16(msg)
	p.Flags = binary.BigEndian.Uint16(msg[2:])
	p.QD = binary.BigEndian.Uint16(msg[4:])
	p.AN = binary.BigEndian.Uint16(msg[6:])
	p.NS = binary.BigEndian.Uint16(msg[8:])
	p.AR = binary.BigEndian.Uint16(msg[10:])
	p.Rest = dnsHeaderLen
	least := dnsHeaderLen + int(p.QD)*dnsMinQuestion + p.records()*dnsMinRecord
	return least <= dnsMaxLen
}

// records is the number of records according to the header.
func (p *DNSPeek) records() int { return int(p.AN) + int(p.NS) + int(p.AR) }

// bareOK reports whether a message without questions is plausible: a response of a header alone (from a server that could
// not read the question), a DSO message, or one whose first record is well-formed (mDNS, a query for a server's cookie).
func (p *DNSPeek) bareOK(msg []byte) bool {
	if p.records() == 0 {
		alone := p.Response() && len(msg) == dnsHeaderLen
		return alone || p.Opcode() == dnsOpcodeDSO && len(msg) >= dnsHeaderLen+4
	}
	var rr dnsRR
	return rr.read(msg, dnsHeaderLen) && (rr.Type == dnsTypeOPT || rr.Type != 0 && dnsAssigned(rr.Class))
}

// dnsAssigned reports whether c is one of IANA's "DNS CLASSes" or CSNET, which is obsolete (RFC 1035 3.2.4).
func dnsAssigned(c uint16) bool { return 1 <= c && c <= 4 || c == 254 || c == 255 }

// dnsClass removes mDNS's top bit from a class, unless the rest is not an assigned class: then the class is a private one.
func dnsClass(c uint16) uint16 {
	if m := c &^ dnsTopBit; dnsAssigned(m) {
		return m
	}
	return c
}

// DNSLook searches the answer section in place, and without allocating if dst has room. It calls in.Name with the owner
// name of every record, except the first question's, and with the target of every CNAME, DNAME, HTTPS and SVCB; at the
// first true it stops, and wanted is true. Otherwise it has appended the data of the A and AAAA records to dst, 64 of them
// at most. An IPv4-mapped AAAA stays as it is on the wire. A malformed record ends the search. scratch must hold 1024 bytes
// and is overwritten, so it must not be p.Name's if that is still needed.
func DNSLook(msg []byte, p *DNSPeek, scratch []byte, in interface{ Name([]byte) bool }, dst []netip.Addr) (addrs []netip.Addr, wanted bool) {
	last, most := -1, len(dst)+dnsMaxAddrs // last is the owner asked for last, where it is a mere pointer
	if p.QD > 0 {
		last = dnsHeaderLen
	}
	w := dnsAnswers(msg, p)
	for w.next() {
		rr := &w.rr
		if ptr := dnsPointer(msg, rr.Start); ptr < 0 || ptr != last {
			last = ptr
			if name, _, ok := readDNSName(msg, rr.Start, scratch[:0]); ok && in.Name(name) {
				return dst, true
			}
		}
		if rr.leads() && rr.leadsTo(msg, scratch, in) {
			return dst, true
		}
		if addr := rr.addr(msg); addr.IsValid() && len(dst) < most {
			dst = append(dst, addr)
		}
	}
	return dst, false
}

// leadsTo calls in.Name with the name that a record points to.
func (r *dnsRR) leadsTo(msg, scratch []byte, in interface{ Name([]byte) bool }) bool {
	at, ok := r.target()
	if !ok {
		return false
	}
	name, _, ok := readDNSName(msg, at, scratch[:0])
	return ok && in.Name(name)
}

// NextDNSTCP cuts one message off a stream of DNS over TCP (RFC 1035 4.2.2: two bytes of length before each). rest is what
// follows it; if the status is not Whole, msg is nil and rest is b. The status is No for a length that no message has and,
// as soon as there are enough bytes, for a header that no message has.
func NextDNSTCP(b []byte) (msg, rest []byte, st Status) {
	if len(b) < 2 {
		return nil, b, More
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < dnsHeaderLen {
		return nil, b, No
	}
	if len(b) >= 2+dnsHeaderLen {
		if !new(DNSPeek).readHeader(b[2:]) {
			return nil, b, No
		}
	}
	if len(b)-2 < n {
		return nil, b, More
	}
	return b[2 : 2+n], b[2+n:], Whole
}
