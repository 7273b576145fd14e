package decode

import "avbeacon/capture"

// leaf ends the walk: b is the payload, whatever the protocol.
func leaf(out *Headers, proto uint8, b []byte, wire int) capture.Reason {
	out.Layer, out.Proto = LayerIP, proto
	out.Payload, out.PayloadLen = b, uint32(wire)
	return capture.ReasonNone
}

// transport decodes the header of protocol proto at b, or opens the tunnel that the protocol is. b ends where the IP packet
// does.
func (d *Decoder) transport(out *Headers, proto uint8, b []byte, wire int) capture.Reason {
	switch proto {
	case ipTCP:
		return tcp(out, b, wire)
	case ipUDP, ipUDPLite:
		return d.udp(out, proto, b, wire)
	case ipICMP, ipICMPv6:
		return icmp(out, proto, b, wire)
	case ipSCTP:
		if len(b) >= 4 {
			out.SrcPort, out.DstPort = be16(b), be16(b[2:])
		}
		return leaf(out, proto, b, wire)
	case ipAH:
		return d.authentication(out, b, wire)
	case ipESP:
		d.stats.ESP++
		return leaf(out, proto, b, wire)
	case ipIPv4, ipIPv6, ipGRE, ipEtherIP, ipMPLS:
		return d.ipTunnel(out, proto, b, wire)
	}
	return leaf(out, proto, b, wire)
}

// tcp reads a TCP header (RFC 9293 3.1). It is enough if the capture has it up to the flags.
func tcp(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 14 || wire < 20 {
		return tooShort(wire, 20)
	}
	head := int(b[12]>>4) * 4
	if head < 20 || head > wire {
		return capture.ReasonTCPHeader
	}
	out.SrcPort, out.DstPort = be16(b), be16(b[2:])
	out.Seq, out.Ack, out.TCPFlags = be32(b[4:]), be32(b[8:]), b[13]
	out.Layer, out.Proto = LayerIP, ipTCP
	out.PayloadLen = uint32(wire - head)
	if head < len(b) {
		out.Payload = b[head:]
	}
	return capture.ReasonNone
}

// udp reads a UDP or UDP-Lite header (RFC 768, RFC 3828) and opens the tunnels on top of UDP. A length of less than 8 or
// more than there is means all there is; UDP-Lite's field is the coverage of its checksum.
func (d *Decoder) udp(out *Headers, proto uint8, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	out.SrcPort, out.DstPort = be16(b), be16(b[2:])
	if n := int(be16(b[4:])); n >= 8 && n < wire && proto == ipUDP {
		wire = n
		if n < len(b) {
			b = b[:n]
		}
	}
	b, wire = b[8:], wire-8
	leaf(out, proto, b, wire)
	if isTunnelPort(out.DstPort) || isTunnelPort(out.SrcPort) {
		return d.udpTunnel(out, b, wire)
	}
	return capture.ReasonNone
}

// icmp reads an ICMP or ICMPv6 header (RFC 792, RFC 4443). Type and code go into SrcPort.
func icmp(out *Headers, proto uint8, b []byte, wire int) capture.Reason {
	if len(b) < 2 {
		return tooShort(wire, 2)
	}
	out.SrcPort = be16(b)
	return leaf(out, proto, b[min(8, len(b)):], max(wire-8, 0))
}

// authentication skips the authentication headers of an IPv4 packet (RFC 4302 2): they encrypt nothing.
func (d *Decoder) authentication(out *Headers, b []byte, wire int) capture.Reason {
	for range maxExtensions {
		if len(b) < 8 {
			return tooShort(wire, 8)
		}
		next, size := b[0], extensionSize(ipAH, b[1])
		if size > wire {
			return capture.ReasonExtension
		}
		if size > len(b) {
			return capture.ReasonCut
		}
		b, wire = b[size:], wire-size
		if next != ipAH {
			return d.transport(out, next, b, wire)
		}
	}
	return capture.ReasonExtension
}
