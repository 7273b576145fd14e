package decode

import (
	"encoding/binary"

	"avbeacon/capture"
)

// IP protocol numbers (IANA "Assigned Internet Protocol Numbers").
const (
	ipHopByHop    = 0
	ipICMP        = 1
	ipIPv4        = 4
	ipTCP         = 6
	ipUDP         = 17
	ipIPv6        = 41
	ipRouting     = 43
	ipFragment    = 44
	ipGRE         = 47
	ipESP         = 50
	ipAH          = 51
	ipICMPv6      = 58
	ipDestination = 60
	ipEtherIP     = 97
	ipSCTP        = 132
	ipMobility    = 135
	ipUDPLite     = 136
	ipMPLS        = 137
	ipHIP         = 139
	ipShim6       = 140
)

// maxExtensions bounds the IPv6 extension headers (and IPv4's AH) of one packet.
const maxExtensions = 16

// rawIP decodes an IP packet of either version; its first four bits say which.
func (d *Decoder) rawIP(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) == 0 {
		return tooShort(wire, 20)
	}
	switch b[0] >> 4 {
	case 4:
		return d.ip4(out, b, wire)
	case 6:
		return d.ip6(out, b, wire)
	}
	return capture.ReasonIPVersion
}

// ip4 decodes an IPv4 packet (RFC 791). wire is the length on the wire according to the layer below, at least len(b); the
// total length shortens it. A total length of 0 (segmentation offload) or one beyond wire means all there is.
func (d *Decoder) ip4(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 20 {
		return tooShort(wire, 20)
	}
	head := int(b[0]&15) * 4
	if b[0]>>4 != 4 {
		return capture.ReasonIPVersion
	}
	if head < 20 {
		return capture.ReasonIPHeader
	}
	if total := int(be16(b[2:])); total != 0 {
		if total < head {
			return capture.ReasonIPLength
		}
		wire = min(wire, total)
	}
	if wire < len(b) {
		b = b[:wire]
	}
	if len(b) < head {
		return tooShort(wire, head)
	}
	set4(&out.Src, b[12:])
	set4(&out.Dst, b[16:])
	out.IPLen, out.TTL, out.IPv6 = uint32(wire), b[8], false
	proto, at := b[9], be16(b[6:])
	if at&0x3fff != 0 { // more fragments, or an offset
		f := fragment{id: uint32(be16(b[4:])), proto: proto, offset: int(at&0x1fff) * 8, more: at&0x2000 != 0}
		return d.fragment(out, f, b[head:], wire-head)
	}
	return d.transport(out, proto, b[head:], wire-head)
}

// set4 sets a to the IPv4 address at b, in two stores.
func set4(a *capture.Addr16, b []byte) {
	binary.BigEndian.PutUint64(a[:8], 0)
	binary.BigEndian.PutUint64(a[8:], 0xffff<<32|uint64(be32(b)))
}

// ip6 decodes an IPv6 packet (RFC 8200). A payload length of 0 (jumbograms, segmentation offload) means all there is.
func (d *Decoder) ip6(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 40 {
		return tooShort(wire, 40)
	}
	if b[0]>>4 != 6 {
		return capture.ReasonIPVersion
	}
	if n := int(be16(b[4:])); n != 0 {
		wire = min(wire, 40+n)
	}
	if wire < len(b) {
		b = b[:wire]
	}
	out.Src, out.Dst = capture.Addr16(b[8:24]), capture.Addr16(b[24:40])
	out.IPLen, out.TTL, out.IPv6 = uint32(wire), b[7], true
	if next := b[6]; next == ipTCP || next == ipUDP {
		return d.transport(out, next, b[40:], wire-40)
	}
	return d.extensions(out, b[6], b[40:], wire-40, false)
}

// upper decodes a datagram joined from fragments. A fragment inside it is rejected.
func (d *Decoder) upper(out *Headers, proto uint8, b []byte, wire int) capture.Reason {
	if out.IPv6 {
		return d.extensions(out, proto, b, wire, true)
	}
	return d.transport(out, proto, b, wire)
}

// extensions skips IPv6 extension headers (RFC 8200 4, RFC 4302 2, RFC 6275 6.1, RFC 5533 5.1, RFC 7401 5.1) up to the
// transport header. joined: b was joined from fragments. A fragment header of a whole datagram (RFC 6946) is skipped.
func (d *Decoder) extensions(out *Headers, next uint8, b []byte, wire int, joined bool) capture.Reason {
	for range maxExtensions {
		if !isExtension(next) {
			return d.transport(out, next, b, wire)
		}
		if len(b) < 8 {
			return tooShort(wire, 8)
		}
		size := extensionSize(next, b[1])
		if next == ipFragment && be16(b[2:])&0xfff9 != 0 {
			if joined {
				return capture.ReasonExtension
			}
			return d.fragment6(out, b, wire)
		}
		if size > wire {
			return capture.ReasonExtension
		}
		if size > len(b) {
			return capture.ReasonCut
		}
		next, b, wire = b[0], b[size:], wire-size
	}
	return capture.ReasonExtension
}

func isExtension(proto uint8) bool {
	switch proto {
	case ipHopByHop, ipRouting, ipFragment, ipAH, ipDestination, ipMobility, ipHIP, ipShim6:
		return true
	}
	return false
}

// extensionSize returns the size in bytes of an extension header whose second byte is length.
func extensionSize(proto, length uint8) int {
	switch proto {
	case ipFragment:
		return 8
	case ipAH:
		return int(length)*4 + 8
	}
	return int(length)*8 + 8
}

// fragment6 reads the fragment header at b, of at least 8 bytes (RFC 8200 4.5).
func (d *Decoder) fragment6(out *Headers, b []byte, wire int) capture.Reason {
	at := be16(b[2:])
	f := fragment{id: be32(b[4:]), proto: b[0], offset: int(at &^ 7), more: at&1 != 0}
	return d.fragment(out, f, b[8:], wire-8)
}
