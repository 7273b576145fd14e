package wire

import (
	"encoding/binary"
)

// quicCIDMax is the longest connection id of the versions known here (RFC 9000 17.2).
const quicCIDMax = 20

// quicPacket is one long header packet, cut out of a datagram; its slices alias the datagram.
type quicPacket struct {
	version uint32
	typ     quicType
	flavour quicFlavour
	dcid    []byte
	scid    []byte
	data    []byte // the whole packet, of an Initial with all that its length covers
	pn      int    // where the packet number starts in data
}

// LooksQUIC reports whether the datagram begins with a long header packet of a version whose Initials can be read.
func LooksQUIC(b []byte) (version uint32, ok bool) {
	var p quicPacket
	_, ok = p.cut(b)
	return p.version, ok
}

// cut reads the first packet of b, which must have a long header, and returns what comes after it in the datagram.
func (p *quicPacket) cut(b []byte) (rest []byte, ok bool) {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return nil, false
	}
	p.version = binary.BigEndian.Uint32(b[1:])
	if p.flavour, ok = quicFlavourOf(p.version); !ok {
		return nil, false
	}
	p.typ = p.flavour.types[b[0]>>4&3]
	at := 5
	if p.dcid, at, ok = quicCID(b, at); !ok {
		return nil, false
	}
	if p.scid, at, ok = quicCID(b, at); !ok {
		return nil, false
	}
	if p.typ == quicRetry { // has no length: it fills the datagram
		p.data = b
		return nil, true
	}
	if p.typ == quicInitial {
		token, next, ok := quicVarint(b, at)
		if !ok || token > uint64(len(b)-next) {
			return nil, false
		}
		at = next + int(token)
	}
	size, at, ok := quicVarint(b, at)
	if !ok || size < 4+16 { // the header protection sample starts four bytes after the packet number's start
		return nil, false
	}
	end := len(b)
	if size < uint64(end-at) {
		end = at + int(size)
	} else if size > uint64(end-at) && p.typ == quicInitial {
		return nil, false // cut short: cannot be authenticated
	}
	p.data, p.pn = b[:end], at
	return b[end:], true
}

// quicCID reads a connection id after its byte of length.
func quicCID(b []byte, at int) (id []byte, next int, ok bool) {
	if at >= len(b) || b[at] > quicCIDMax || at+1+int(b[at]) > len(b) {
		return nil, at, false
	}
	next = at + 1 + int(b[at])
	return b[at+1 : next], next, true
}

// quicVarint reads a variable-length integer (RFC 9000 16).
func quicVarint(b []byte, at int) (v uint64, next int, ok bool) {
	if at >= len(b) {
		return 0, at, false
	}
	n := 1 << (b[at] >> 6)
	if at+n > len(b) {
		return 0, at, false
	}
	v = uint64(b[at] & 0x3f)
	for _, c := range b[at+1 : at+n] {
		v = v<<8 | uint64(c)
	}
	return v, at + n, true
}
