package decode

import "avbeacon/capture"

// plain is the fast path for nearly all packets: unfragmented TCP or UDP, in IPv4 without options or IPv6 without extension
// headers, in Ethernet with at most one VLAN tag, in no tunnel. Its result is the general path's, in a third of the time.
// It returns false, with out in any state, if the packet needs the general path.
func (d *Decoder) plain(p *capture.Packet, out *Headers) bool {
	b := p.Data
	// A cut packet (OrigLen) needs the general path, which tells missing bytes from malformed ones. 42: Ethernet, IPv4 and UDP headers.
	if p.Link != capture.LinkEthernet || p.HasVLAN || len(b) < 42 || int(p.OrigLen) > len(b) {
		return false
	}
	out.DstMAC, out.SrcMAC, out.HasMAC = [6]byte(b[0:6]), [6]byte(b[6:12]), true
	out.VLAN, out.Link = 0, nil
	kind := be16(b[12:])
	b = b[14:]
	if kind == etherVLAN {
		if out.VLAN = be16(b) & 0xfff; out.VLAN != 0 {
			out.Link = d.links.vlans[out.VLAN]
		}
		if out.Link == nil {
			return false
		}
		kind, b = be16(b[2:]), b[4:]
	}
	var ok bool
	switch kind {
	case etherIPv4:
		ok = plain4(out, b)
	case etherIPv6:
		ok = plain6(out, b)
	}
	out.Time, out.Frame, out.Input = p.Time, p.Frame, p.Input
	out.Layer = LayerIP
	return ok
}

// plain4 takes an IPv4 header of 20 bytes; offset and More Fragments are 0. 28 bytes are that and the shortest transport header (UDP).
func plain4(out *Headers, b []byte) bool {
	if len(b) < 28 || b[0] != 0x45 || be16(b[6:])&0x3fff != 0 {
		return false
	}
	total := int(be16(b[2:]))
	if total < 28 || total > len(b) {
		return false
	}
	set4(&out.Src, b[12:])
	set4(&out.Dst, b[16:])
	out.IPLen, out.TTL, out.IPv6 = uint32(total), b[8], false
	if b[9] == ipTCP {
		return plainTCP(out, b[20:total])
	}
	return b[9] == ipUDP && plainUDP(out, b[20:total])
}

// plain6 takes an IPv6 header that a transport header follows at once. A jumbogram has length 0 and takes the general path.
func plain6(out *Headers, b []byte) bool {
	if len(b) < 48 || b[0]>>4 != 6 {
		return false
	}
	total := 40 + int(be16(b[4:]))
	if total < 48 || total > len(b) {
		return false
	}
	out.Src, out.Dst = capture.Addr16(b[8:24]), capture.Addr16(b[24:40])
	out.IPLen, out.TTL, out.IPv6 = uint32(total), b[7], true
	if b[6] == ipTCP {
		return plainTCP(out, b[40:total])
	}
	return b[6] == ipUDP && plainUDP(out, b[40:total])
}

// plainTCP sets Payload to nil if there is none.
func plainTCP(out *Headers, b []byte) bool {
	if len(b) < 20 {
		return false
	}
	head := int(b[12]>>4) * 4
	if head < 20 || head > len(b) {
		return false
	}
	out.Proto = ipTCP
	out.SrcPort, out.DstPort = be16(b), be16(b[2:])
	out.Seq, out.Ack, out.TCPFlags = be32(b[4:]), be32(b[8:]), b[13]
	out.PayloadLen, out.Payload = uint32(len(b)-head), nil
	if head < len(b) {
		out.Payload = b[head:]
	}
	return true
}

// plainUDP leaves ports of tunnels to the general path, which opens them. Length 0, as of jumbograms, goes there too.
func plainUDP(out *Headers, b []byte) bool {
	size := int(be16(b[4:]))
	if size < 8 || size > len(b) {
		return false
	}
	out.Proto = ipUDP
	out.SrcPort, out.DstPort = be16(b), be16(b[2:])
	out.Seq, out.Ack, out.TCPFlags = 0, 0, 0
	out.PayloadLen, out.Payload = uint32(size-8), b[8:size]
	return !isTunnelPort(out.DstPort) && !isTunnelPort(out.SrcPort)
}
