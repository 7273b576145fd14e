package decode

import (
	"encoding/binary"

	"avbeacon/capture"
)

// Link types beside those of source.go that Decoder understands, as https://www.tcpdump.org/linktypes.html numbers them.
const (
	linkSLIP         capture.LinkType = 8
	linkFDDI         capture.LinkType = 10
	linkATM          capture.LinkType = 11 // RFC 2684 behind an 802.2 header
	linkATMOther     capture.LinkType = 100
	linkENC          capture.LinkType = 109 // OpenBSD's IPsec
	linkPFLog        capture.LinkType = 117
	linkUser2        capture.LinkType = 149 // older macOS writes pktap so
	linkPPPD         capture.LinkType = 166
	linkPPI          capture.LinkType = 192
	linkCHDLCWithDir capture.LinkType = 205
	linkFrameWithDir capture.LinkType = 206
	linkPKTAP        capture.LinkType = 258
)

// link decodes a packet from the header of link type t on.
func (d *Decoder) link(out *Headers, t capture.LinkType, b []byte, wire int) capture.Reason {
	switch t {
	case linkPPI:
		return d.ppi(out, b, wire)
	case linkPKTAP, linkUser2:
		return d.pktap(out, b, wire)
	case capture.LinkPPPWithDir:
		return d.directed(out, capture.LinkPPPHDLC, b, wire)
	case linkCHDLCWithDir:
		return d.directed(out, capture.LinkCHDLC, b, wire)
	case linkFrameWithDir:
		return d.directed(out, capture.LinkFrameRelay, b, wire)
	}
	return d.bareLink(out, t, b, wire)
}

// directed skips a byte with the packet's direction.
func (d *Decoder) directed(out *Headers, t capture.LinkType, b []byte, wire int) capture.Reason {
	if len(b) < 1 {
		return tooShort(wire, 1)
	}
	return d.bareLink(out, t, b[1:], wire-1)
}

// bareLink is link for types that do not contain another link type.
func (d *Decoder) bareLink(out *Headers, t capture.LinkType, b []byte, wire int) capture.Reason {
	switch t {
	case capture.LinkEthernet:
		return d.ethernet(out, b, wire)
	case capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkRaw, capture.LinkIPv4, capture.LinkIPv6:
		return d.rawIP(out, b, wire)
	case capture.LinkNull, capture.LinkLoop:
		return d.loopback(out, b, wire)
	case capture.LinkLinuxSLL:
		return d.cooked(out, b, wire)
	case capture.LinkLinuxSLL2:
		return d.cooked2(out, b, wire)
	case capture.LinkPPP, capture.LinkPPPHDLC, linkPPPD:
		return d.pppLink(out, b, wire)
	case capture.LinkPPPoE:
		return d.pppoe(out, b, wire)
	case capture.LinkCHDLC:
		return d.chdlc(out, b, wire)
	case capture.LinkFrameRelay:
		return d.frameRelay(out, b, wire)
	case capture.Link80211, capture.LinkRadiotap, capture.LinkPrism, capture.LinkAVS:
		return d.wifiLink(out, t, b, wire)
	case capture.LinkNFLog:
		return d.nflog(out, b, wire)
	}
	return d.rareLink(out, t, b, wire)
}

// rareLink is bareLink for the types whose header is only skipped.
func (d *Decoder) rareLink(out *Headers, t capture.LinkType, b []byte, wire int) capture.Reason {
	var size int
	proto := uint32(insideIP)
	switch t {
	case linkSLIP: // direction and compressed header
		size = 16
	case linkENC: // address family, SPI, flags
		size = 12
	case linkPFLog: // its length, to be rounded up, is its first byte
		if len(b) > 0 {
			size = int(b[0]+3) &^ 3
		}
		size = max(size, 4)
	case linkATM, linkATMOther:
		proto = insideLLC
	case linkFDDI: // frame control and addresses
		size, proto = 13, insideLLC
		if len(b) >= size {
			out.DstMAC, out.SrcMAC, out.HasMAC = [6]byte(b[1:7]), [6]byte(b[7:13]), true
		}
	default:
		d.stats.LinkTypes[t]++
		return capture.ReasonLinkType
	}
	if len(b) < size {
		return tooShort(wire, size)
	}
	return d.inside(out, proto, b[size:], wire-size)
}

// ppi skips per-packet information (PPI 1.0.10, 3): version, flags, length, link type, fields; little endian.
func (d *Decoder) ppi(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	size, t := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	return d.wrapped(out, t, size, 8, b, wire)
}

// pktap skips macOS's header (bsd/net/pktap.h): length, next header, link type; little endian.
func (d *Decoder) pktap(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 12 {
		return tooShort(wire, 12)
	}
	size, t := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	return d.wrapped(out, t, int(min(size, 1<<16)), 12, b, wire)
}

// wrapped decodes a packet of link type t after a header of size bytes, which has at least least bytes.
func (d *Decoder) wrapped(out *Headers, t uint32, size, least int, b []byte, wire int) capture.Reason {
	if size < least || size > len(b) {
		return tooShort(wire, size)
	}
	if t > 0xffff {
		return capture.ReasonLinkType
	}
	return d.bareLink(out, capture.LinkType(t), b[size:], wire-size)
}
