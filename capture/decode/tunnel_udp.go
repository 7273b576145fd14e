package decode

import "avbeacon/capture"

// UDP ports of tunnels (IANA; 8472 is Linux's first choice for VXLAN).
const (
	portL2TP      = 1701
	portGTPU      = 2152
	portTeredo    = 3544
	portVXLAN     = 4789
	portVXLANGPE  = 4790
	portAYIYA     = 5072
	portGeneve    = 6081
	portMPLSinUDP = 6635
	portVXLANOld  = 8472
)

func isTunnelPort(p uint16) bool {
	switch p {
	case portL2TP, portGTPU, portTeredo, portVXLAN, portVXLANGPE, portAYIYA, portGeneve, portMPLSinUDP, portVXLANOld:
		return true
	}
	return false
}

// udpTunnel opens the tunnel that a UDP port stands for, the destination's first. If the payload is not such a tunnel, or
// its inside cannot be decoded, out stays the UDP packet.
func (d *Decoder) udpTunnel(out *Headers, b []byte, wire int) capture.Reason {
	port := out.DstPort
	if !isTunnelPort(port) {
		port = out.SrcPort
	}
	why := d.onPort(out, port, b, wire)
	if why == capture.ReasonFragmentWaiting {
		return why
	}
	if why != capture.ReasonNone && why != capture.ReasonTunnelHeader {
		d.stats.Opaque[why]++
	}
	return capture.ReasonNone
}

// onPort opens the tunnel of a port. ReasonTunnelHeader means that the payload is something else.
func (d *Decoder) onPort(out *Headers, port uint16, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return capture.ReasonTunnelHeader
	}
	switch port {
	case portVXLAN, portVXLANOld:
		return d.vxlan(out, b, wire)
	case portVXLANGPE:
		return d.vxlanGPE(out, b, wire)
	case portGeneve:
		return d.geneve(out, b, wire)
	case portGTPU:
		return d.gtpu(out, b, wire)
	case portTeredo:
		return d.teredo(out, b, wire)
	case portL2TP:
		return d.l2tp(out, b, wire)
	case portAYIYA:
		return d.ayiya(out, b, wire)
	case portMPLSinUDP:
		return d.mpls(out, wrapMPLSinIP, b, wire)
	}
	return capture.ReasonTunnelHeader
}

// vxlan opens VXLAN (RFC 7348 5), with group policy too; reserved bits are ignored.
func (d *Decoder) vxlan(out *Headers, b []byte, wire int) capture.Reason {
	if b[0]&0x08 == 0 {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapVXLAN, be32(b[4:])>>8, etherTEB, b[8:], wire-8)
}

// vxlanGPE opens VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe 3). Without a next protocol it is VXLAN; some senders leave the P bit
// out.
func (d *Decoder) vxlanGPE(out *Headers, b []byte, wire int) capture.Reason {
	if b[3] == 0 {
		return d.vxlan(out, b, wire)
	}
	protos := [...]uint32{1: etherIPv4, 2: etherIPv6, 3: etherTEB, 4: etherNSH, 5: etherMPLS}
	if b[0]&0x30 != 0 || int(b[3]) >= len(protos) {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapVXLAN, be32(b[4:])>>8, protos[b[3]], b[8:], wire-8)
}

// geneve opens GENEVE (RFC 8926 3.4) and skips its options.
func (d *Decoder) geneve(out *Headers, b []byte, wire int) capture.Reason {
	size, proto := 8+int(b[0]&0x3f)*4, be16(b[2:])
	if b[0]>>6 != 0 || proto <= 1500 || size > len(b) {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapGeneve, be32(b[4:])>>8, uint32(proto), b[size:], wire-size)
}

// gtpu opens a G-PDU of GTP version 1 (3GPP TS 29.281 5.1) and skips its extension headers. Tunnel.ID is the TEID.
func (d *Decoder) gtpu(out *Headers, b []byte, wire int) capture.Reason {
	const gPDU = 255
	if b[0]>>4 != 3 || b[1] != gPDU {
		return capture.ReasonTunnelHeader
	}
	size, total := 8, 8+int(be16(b[2:]))
	if total > wire {
		return capture.ReasonTunnelHeader
	}
	id := be32(b[4:])
	b, wire = b[:min(len(b), total)], total
	if b[0]&7 != 0 {
		size = gtpExtensions(b)
	}
	if size > len(b) {
		return tooShort(wire, size)
	}
	return d.open(out, wrapGTPU, id, insideIP, b[size:], wire-size)
}

// gtpExtensions returns where the payload begins in a GTP packet with optional fields; more than len(b) if nowhere.
func gtpExtensions(b []byte) int {
	const optional = 12
	if b[0]&4 == 0 || len(b) < optional {
		return optional
	}
	at, next := optional, b[optional-1]
	for next != 0 {
		if at >= len(b) || b[at] == 0 {
			return len(b) + 1
		}
		at += int(b[at]) * 4
		if at > len(b) {
			return at
		}
		next = b[at-1]
	}
	return at
}

// teredo opens Teredo (RFC 4380 5.1.1): an optional authentication, an optional origin, then IPv6 of a plausible length.
func (d *Decoder) teredo(out *Headers, b []byte, wire int) capture.Reason {
	if be16(b) == 1 { // lengths of client id and authentication value, then those, a nonce of 8 bytes and a confirmation
		size := 4 + int(b[2]) + int(b[3]) + 9
		if size > len(b) {
			return capture.ReasonTunnelHeader
		}
		b, wire = b[size:], wire-size
	}
	if len(b) >= 8 && be16(b) == 0 {
		b, wire = b[8:], wire-8
	}
	if len(b) < 40 || b[0]>>4 != 6 || 40+int(be16(b[4:])) > wire {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapTeredo, 0, etherIPv6, b, wire)
}

// l2tp opens a data message of L2TP version 2 (RFC 2661 3.1). Tunnel.ID is tunnel<<16 | session.
func (d *Decoder) l2tp(out *Headers, b []byte, wire int) capture.Reason {
	const control, length, sequence, offset, version = 0x8000, 0x4000, 0x0800, 0x0200, 0x000f
	flags, size := be16(b), 2
	if flags&control != 0 || flags&version != 2 {
		return capture.ReasonTunnelHeader
	}
	if flags&length != 0 {
		size += 2
	}
	if len(b) < size+10 {
		return capture.ReasonTunnelHeader
	}
	id := be32(b[size:])
	size += 4
	if flags&sequence != 0 {
		size += 4
	}
	if flags&offset != 0 {
		size += 2 + int(be16(b[size:]))
	}
	if size > len(b) {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapL2TP, id, etherPPP, b[size:], wire-size)
}

// ayiya opens AYIYA, anything in anything (draft-massar-v6ops-ayiya-02 3): 8 bytes, which hold the lengths of the identity
// and the signature that follow, then what an IP protocol number names.
func (d *Decoder) ayiya(out *Headers, b []byte, wire int) capture.Reason {
	const forward = 1
	size := 8 + 1<<(b[0]>>4) + int(b[1]>>4)*4
	if b[2]&15 != forward || b[3] != ipIPv4 && b[3] != ipIPv6 || size > len(b) {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapAYIYA, 0, insideIP, b[size:], wire-size)
}
