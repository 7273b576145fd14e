package decode

import "avbeacon/capture"

// open decodes the inside of tunnel w, whose outer addresses are those of out. If that fails, out is as before. id is the
// tunnel's; proto says what is at b, as for inside.
func (d *Decoder) open(out *Headers, w wrap, id, proto uint32, b []byte, wire int) capture.Reason {
	if d.depth >= d.maxDepth {
		d.stats.Depth++
		return capture.ReasonDepth
	}
	before, mark := *out, len(d.path)
	d.depth++
	d.addTunnel(out, w, id)
	if w.hasAddresses() { // all that was read so far, hardware addresses too, belongs to the outer packet
		*out = Headers{Time: before.Time, Frame: before.Frame, Input: before.Input, VLAN: before.VLAN}
	}
	why := d.inside(out, proto, b, wire)
	d.depth--
	if why != capture.ReasonNone && why != capture.ReasonFragmentWaiting {
		*out, d.path = before, d.path[:mark]
	}
	return why
}

// orOuter completes open for tunnels on top of IP: if the inside cannot be decoded, the result is the packet around it,
// whose payload is outer.
func (d *Decoder) orOuter(out *Headers, why capture.Reason, proto uint8, outer []byte, wire int) capture.Reason {
	if why == capture.ReasonNone || why == capture.ReasonFragmentWaiting {
		return why
	}
	d.stats.Opaque[why]++
	return leaf(out, proto, outer, wire)
}

// ipTunnel opens the tunnels that have an IP protocol number.
func (d *Decoder) ipTunnel(out *Headers, proto uint8, b []byte, wire int) capture.Reason {
	var why capture.Reason
	switch proto {
	case ipIPv4:
		w := wrapIPIP
		if out.IPv6 {
			w = wrap4in6
		}
		why = d.open(out, w, 0, etherIPv4, b, wire)
	case ipIPv6:
		w := wrap6in4
		if out.IPv6 {
			w = wrap6in6
		}
		why = d.open(out, w, 0, etherIPv6, b, wire)
	case ipGRE:
		why = d.gre(out, b, wire)
	case ipEtherIP:
		why = d.etherIP(out, b, wire)
	case ipMPLS:
		why = d.mpls(out, wrapMPLSinIP, b, wire)
	}
	return d.orOuter(out, why, proto, b, wire)
}

// etherIP opens a tunnel of RFC 3378.
func (d *Decoder) etherIP(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 2 {
		return tooShort(wire, 2)
	}
	if be16(b) != 0x3000 {
		return capture.ReasonTunnelHeader
	}
	return d.open(out, wrapEtherIP, 0, etherTEB, b[2:], wire-2)
}

// mpls opens a label stack (RFC 3032) as one tunnel. Its ID is the bottom label, which identifies the VPN or pseudowire.
func (d *Decoder) mpls(out *Headers, w wrap, b []byte, wire int) capture.Reason {
	for len(b) >= 4 {
		entry := be32(b)
		b, wire = b[4:], wire-4
		if entry&0x100 != 0 { // bottom of stack
			return d.underLabels(out, w, entry>>12, b, wire)
		}
	}
	return tooShort(wire, 4)
}

// underLabels guesses what is under a label stack, because nothing says it: IP by its first four bits (RFC 4928), else an
// Ethernet pseudowire with or without control word (RFC 4448 4.6).
func (d *Decoder) underLabels(out *Headers, w wrap, label uint32, b []byte, wire int) capture.Reason {
	if len(b) < 20 {
		return tooShort(wire, 20)
	}
	if v := b[0] >> 4; v == 4 || v == 6 {
		why := d.open(out, w, label, insideIP, b, wire)
		if why == capture.ReasonNone || why == capture.ReasonFragmentWaiting || !isCommonEtherType(be16(b[12:])) {
			return why
		}
	}
	control := b[0]>>4 == 0 && be16(b) == 0 && isCommonEtherType(be16(b[16:]))
	if !control && isCommonEtherType(be16(b[12:])) {
		return d.open(out, w, label, etherTEB, b, wire)
	}
	if b[0]>>4 != 0 {
		return capture.ReasonNotIP
	}
	return d.open(out, w, label, etherTEB, b[4:], wire-4)
}

// pppoe opens a PPPoE session packet (RFC 2516 4).
func (d *Decoder) pppoe(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 6 {
		return tooShort(wire, 6)
	}
	if b[0] != 0x11 || b[1] != 0 {
		return capture.ReasonTunnelHeader
	}
	id, size := uint32(be16(b[2:])), int(be16(b[4:]))
	b, wire = b[6:], wire-6
	if size > 0 && size < wire {
		b, wire = b[:min(len(b), size)], size
	}
	return d.open(out, wrapPPPoE, id, etherPPP, b, wire)
}

// ppp reads a PPP header (RFC 1661 2, RFC 1662 3.1), with or without address and control, with a protocol of one or two bytes.
func (d *Decoder) ppp(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b, wire = b[2:], wire-2
	}
	if len(b) < 2 {
		return tooShort(wire, 2)
	}
	proto, size := be16(b), 2
	if b[0]&1 == 1 {
		proto, size = uint16(b[0]), 1
	}
	b, wire = b[size:], wire-size
	switch proto {
	case 0x0021:
		return d.ip4(out, b, wire)
	case 0x0057:
		return d.ip6(out, b, wire)
	case 0x0281, 0x0283:
		return d.mpls(out, wrapMPLS, b, wire)
	case 0x002d, 0x002f, 0x003d, 0x00fb, 0x00fd, 0x0053, 0x0055: // Van Jacobson, multilink, compressed, encrypted
		return capture.ReasonPPPCompressed
	}
	return capture.ReasonNotIP
}

// serviceHeader skips a network service header (RFC 8300 2).
func (d *Decoder) serviceHeader(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	size := int(b[1]&0x3f) * 4
	if size < 8 || size > wire {
		return capture.ReasonTunnelHeader
	}
	if size > len(b) {
		return capture.ReasonCut
	}
	switch next := b[3]; next {
	case 1, 2:
		return d.rawIP(out, b[size:], wire-size)
	case 3:
		return d.ethernet(out, b[size:], wire-size)
	}
	return capture.ReasonNotIP
}
