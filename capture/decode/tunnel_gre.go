package decode

import "avbeacon/capture"

// Protocols that occur only in GRE headers.
const (
	greWCCP    = 0x883e // WCCP's redirection
	greERSPAN  = 0x88be // ERSPAN I and II
	greERSPAN3 = 0x22eb
	greEoIP    = 0x6400 // MikroTik's Ethernet over IP
	greAruba   = 0x8200 // to 0x8210, and 0x9000: 802.11 from Aruba's access points
	greAruba9  = 0x9000
)

// greFlags are the first two bytes of a GRE header (RFC 2784, RFC 2890, RFC 2637 4.1, RFC 1701).
type greFlags uint16

const (
	greChecksum greFlags = 0x8000
	greRouting  greFlags = 0x4000
	greKey      greFlags = 0x2000
	greSequence greFlags = 0x1000
	greAck      greFlags = 0x0080 // version 1
	greVersion  greFlags = 7
)

// gre opens GRE: version 0 with any flags and version 1 (PPTP), with ERSPAN, NVGRE and EoIP inside.
func (d *Decoder) gre(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return tooShort(wire, 4)
	}
	flags, proto := greFlags(be16(b)), be16(b[2:])
	switch {
	case flags == greKey|1 && proto == greEoIP: // length in 2 bytes, id in 2, little endian
		id := uint32(b[6]) | uint32(b[7])<<8
		return d.open(out, wrapEoIP, id, etherTEB, b[8:], wire-8)
	case flags&greVersion == 1:
		return d.pptp(out, flags, b, wire)
	case flags&greVersion != 0:
		return capture.ReasonTunnelHeader
	}
	return d.gre0(out, flags, proto, b, wire)
}

// gre0 opens version 0; Tunnel.ID is the key (for NVGRE, RFC 7637: VSID<<8 | FlowID).
func (d *Decoder) gre0(out *Headers, flags greFlags, proto uint16, b []byte, wire int) capture.Reason {
	size, id := 4, uint32(0)
	if flags&(greChecksum|greRouting) != 0 {
		size += 4
	}
	if flags&greKey != 0 {
		if len(b) < size+4 {
			return tooShort(wire, size+4)
		}
		id, size = be32(b[size:]), size+4
	}
	if flags&greSequence != 0 {
		size += 4
	}
	if flags&greRouting != 0 {
		size = greRoutes(b, size)
	}
	if size > len(b) {
		return tooShort(wire, size)
	}
	b, wire = b[size:], wire-size
	switch proto {
	case greERSPAN, greERSPAN3:
		return d.erspan(out, flags, proto, b, wire)
	case greWCCP:
		if len(b) >= 4 && b[0]>>4 != 4 { // version 2 puts 4 bytes in front
			b, wire = b[4:], wire-4
		}
		return d.open(out, wrapGRE, id, etherIPv4, b, wire)
	}
	switch {
	case proto <= 1500:
		return capture.ReasonNotIP // a keepalive's 0 among them
	case proto >= greAruba && proto <= greAruba+16 || proto == greAruba9:
		return d.open(out, wrapGRE, id, insideWiFi, b, wire)
	}
	return d.open(out, wrapGRE, id, uint32(proto), b, wire)
}

// greRoutes skips source route entries from b[at:] on (RFC 1701) and returns where they end, or more than len(b).
func greRoutes(b []byte, at int) int {
	for at+4 <= len(b) {
		size := int(b[at+3])
		if be16(b[at:]) == 0 && size == 0 {
			return at + 4
		}
		at += 4 + size
	}
	return len(b) + 1
}

// pptp opens GRE version 1 (RFC 2637 4.1); Tunnel.ID is the call.
func (d *Decoder) pptp(out *Headers, flags greFlags, b []byte, wire int) capture.Reason {
	id, size := uint32(be16(b[6:])), 8
	if flags&greSequence != 0 {
		size += 4
	}
	if flags&greAck != 0 {
		size += 4
	}
	if flags&greKey == 0 || size > len(b) {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapGRE, id, etherPPP, b[size:], wire-size)
}

// erspan opens a mirrored frame (draft-foschiano-erspan-03): type I has no header, II one of 8 bytes, III one of 12 and,
// with the O bit, 8 more. Tunnel.ID is the session.
func (d *Decoder) erspan(out *Headers, flags greFlags, proto uint16, b []byte, wire int) capture.Reason {
	if proto == greERSPAN && flags&greSequence == 0 {
		return d.open(out, wrapERSPAN, 0, etherTEB, b, wire)
	}
	if len(b) < 12 {
		return tooShort(wire, 12)
	}
	id := uint32(be16(b[2:]) & 0x3ff)
	switch b[0] >> 4 {
	case 1:
		return d.open(out, wrapERSPAN, id, etherTEB, b[8:], wire-8)
	case 2:
		return d.erspan3(out, id, b, wire)
	}
	return capture.ReasonTunnelHeader
}

// erspan3 reads a header of type III, of at least 12 bytes. Its frame type says whether Ethernet or bare IP follows.
func (d *Decoder) erspan3(out *Headers, id uint32, b []byte, wire int) capture.Reason {
	size, proto := 12, uint32(etherTEB)
	if b[11]&1 != 0 {
		size = 20
	}
	if b[10]&0x7c>>2 == 2 {
		proto = insideIP
	}
	if size > len(b) {
		return tooShort(wire, size)
	}
	return d.open(out, wrapERSPAN, id, proto, b[size:], wire-size)
}
