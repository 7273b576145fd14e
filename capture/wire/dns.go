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
	dnsMaxAddrs    = 64        // addresses that DNSLook gives

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

// DNSPeek is what a look at the header and the first question tells, in place.
type DNSPeek struct {
	ID, Flags      uint16 // as in the header
	QD, AN, NS, AR uint16 // counts as the header claims them
	QType, QClass  uint16 // first question; mDNS's top bit is taken off the class
	// Name is the first qname: lower case, no trailing dot, "." for the root, bytes outside 33..126 (and '.' and '\'
	// inside a label) as \DDD. It lies in the scratch buffer; nil iff QD is 0.
	Name []byte
	Rest int // offset behind the first question; 12 where QD is 0
}

// Response tells whether QR is set.
func (p *DNSPeek) Response() bool { return p.Flags&0x8000 != 0 }

// Opcode gives the kind of query (RFC 1035 4.1.1): 0 is the normal one, 5 a dynamic update.
func (p *DNSPeek) Opcode() uint8 { return uint8(p.Flags >> 11 & 0xF) }

// AA tells whether the answer is authoritative.
func (p *DNSPeek) AA() bool { return p.Flags&0x0400 != 0 }

// TC tells whether the message says of itself that it was cut.
func (p *DNSPeek) TC() bool { return p.Flags&0x0200 != 0 }

// RD tells whether recursion is desired.
func (p *DNSPeek) RD() bool { return p.Flags&0x0100 != 0 }

// RA tells whether recursion is available.
func (p *DNSPeek) RA() bool { return p.Flags&0x0080 != 0 }

// RCode gives the four bits of the header, without EDNS's extension.
func (p *DNSPeek) RCode() uint8 { return uint8(p.Flags & 0xF) }

// PeekDNS looks at the header and the first question of a DNS, mDNS or LLMNR message without allocating; scratch must
// hold 1024 bytes. It is false for what is not plausibly DNS, and for what ends inside its first question.
//
// Plausible is a header whose counts could fit into a message, followed by a well-formed question (or, without
// questions, record) of an assigned class. Of random payloads fewer than one in ten million pass.
func PeekDNS(msg, scratch []byte) (DNSPeek, bool) {
	var p DNSPeek
	ok := p.Read(msg, scratch)
	return p, ok
}

// Read is PeekDNS into p, which where it is false is as it may be. Copying a DNSPeek just made would wait until the small
// stores that made it are done, and so for all stores before them.
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

// readHeader reads the header; false where its counts could not be those of any message.
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

// records is the number of records that the header claims.
func (p *DNSPeek) records() int { return int(p.AN) + int(p.NS) + int(p.AR) }

// bareOK tells whether a message without questions is plausible: a response of a header alone (a server that could not
// read the question), a DSO message, or one whose first record is well-formed (mDNS, a query for a server's cookie).
func (p *DNSPeek) bareOK(msg []byte) bool {
	if p.records() == 0 {
		alone := p.Response() && len(msg) == dnsHeaderLen
		return alone || p.Opcode() == dnsOpcodeDSO && len(msg) >= dnsHeaderLen+4
	}
	var rr dnsRR
	return rr.read(msg, dnsHeaderLen) && (rr.Type == dnsTypeOPT || rr.Type != 0 && dnsAssigned(rr.Class))
}

// dnsAssigned tells whether c is one of IANA's "DNS CLASSes" or CSNET, which RFC 1035 3.2.4 has as obsolete.
func dnsAssigned(c uint16) bool { return 1 <= c && c <= 4 || c == 254 || c == 255 }

// dnsClass takes mDNS's top bit off a class, unless what remains is none: then the class is a private one.
func dnsClass(c uint16) uint16 {
	if m := c &^ dnsTopBit; dnsAssigned(m) {
		return m
	}
	return c
}

// DNSLook goes over the answer section in place and without allocating if dst has room. It asks in.Name for the owner name of
// every record, but for the first question's, and for the target of every CNAME, DNAME, HTTPS and SVCB; at the first yes it
// stops, and wanted is true. Else it has appended the data of the A and AAAA records to dst, at most 64 of them. An
// IPv4-mapped AAAA stays what it is on the wire. A malformed record ends it. scratch must hold 1024 bytes and is written
// over, so it must not be where p.Name lies if that is still needed.
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

// leadsTo asks for the name that a record points to.
func (r *dnsRR) leadsTo(msg, scratch []byte, in interface{ Name([]byte) bool }) bool {
	at, ok := r.target()
	if !ok {
		return false
	}
	name, _, ok := readDNSName(msg, at, scratch[:0])
	return ok && in.Name(name)
}

// NextDNSTCP takes one message off a stream of DNS over TCP (RFC 1035 4.2.2: two bytes of length before each). rest is
// what follows it; where the status is not Whole, msg is nil and rest is b. It is No for a length that no message has
// and, as soon as it is there, for a header that no message has.
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
