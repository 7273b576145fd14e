package capture

import (
	"encoding/binary"
	"strconv"
)

// Link types beside those of source.go that Decoder understands, as https://www.tcpdump.org/linktypes.html numbers them.
const (
	linkSLIP         LinkType = 8
	linkFDDI         LinkType = 10
	linkATM          LinkType = 11 // RFC 2684 behind an 802.2 header
	linkATMOther     LinkType = 100
	linkENC          LinkType = 109 // OpenBSD's IPsec
	linkPFLog        LinkType = 117
	linkUser2        LinkType = 149 // older macOS writes pktap so
	linkPPPD         LinkType = 166
	linkPPI          LinkType = 192
	linkCHDLCWithDir LinkType = 205
	linkFrameWithDir LinkType = 206
	linkPKTAP        LinkType = 258
)

// link decodes a packet from the header of link type t on.
func (d *Decoder) link(out *Decoded, t LinkType, b []byte, wire int) Reason {
	switch t {
	case linkPPI:
		return d.ppi(out, b, wire)
	case linkPKTAP, linkUser2:
		return d.pktap(out, b, wire)
	case LinkPPPWithDir:
		return d.directed(out, LinkPPPHDLC, b, wire)
	case linkCHDLCWithDir:
		return d.directed(out, LinkCHDLC, b, wire)
	case linkFrameWithDir:
		return d.directed(out, LinkFrameRelay, b, wire)
	}
	return d.bareLink(out, t, b, wire)
}

// directed passes over a byte that says which way the packet went.
func (d *Decoder) directed(out *Decoded, t LinkType, b []byte, wire int) Reason {
	if len(b) < 1 {
		return tooShort(wire, 1)
	}
	return d.bareLink(out, t, b[1:], wire-1)
}

// bareLink is link for types that do not themselves name another.
func (d *Decoder) bareLink(out *Decoded, t LinkType, b []byte, wire int) Reason {
	switch t {
	case LinkEthernet:
		return d.ethernet(out, b, wire)
	case LinkRawBSD, LinkRawOpenBSD, LinkRaw, LinkIPv4, LinkIPv6:
		return d.rawIP(out, b, wire)
	case LinkNull, LinkLoop:
		return d.loopback(out, b, wire)
	case LinkLinuxSLL:
		return d.cooked(out, b, wire)
	case LinkLinuxSLL2:
		return d.cooked2(out, b, wire)
	case LinkPPP, LinkPPPHDLC, linkPPPD:
		return d.pppLink(out, b, wire)
	case LinkPPPoE:
		return d.pppoe(out, b, wire)
	case LinkCHDLC:
		return d.chdlc(out, b, wire)
	case LinkFrameRelay:
		return d.frameRelay(out, b, wire)
	case Link80211, LinkRadiotap, LinkPrism, LinkAVS:
		return d.wifiLink(out, t, b, wire)
	case LinkNFLog:
		return d.nflog(out, b, wire)
	}
	return d.rareLink(out, t, b, wire)
}

// rareLink is bareLink for the types whose header is only passed over.
func (d *Decoder) rareLink(out *Decoded, t LinkType, b []byte, wire int) Reason {
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
		return ReasonLinkType
	}
	if len(b) < size {
		return tooShort(wire, size)
	}
	return d.inside(out, proto, b[size:], wire-size)
}

// ppi passes over per-packet information (PPI 1.0.10, 3): version, flags, length, link type, fields; little endian.
func (d *Decoder) ppi(out *Decoded, b []byte, wire int) Reason {
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	size, t := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	return d.wrapped(out, t, size, 8, b, wire)
}

// pktap passes over macOS's header (bsd/net/pktap.h): length, next header, link type; little endian.
func (d *Decoder) pktap(out *Decoded, b []byte, wire int) Reason {
	if len(b) < 12 {
		return tooShort(wire, 12)
	}
	size, t := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	return d.wrapped(out, t, int(min(size, 1<<16)), 12, b, wire)
}

// wrapped decodes a packet of link type t behind a header of size bytes, of at least least bytes.
func (d *Decoder) wrapped(out *Decoded, t uint32, size, least int, b []byte, wire int) Reason {
	if size < least || size > len(b) {
		return tooShort(wire, size)
	}
	if t > 0xffff {
		return ReasonLinkType
	}
	return d.bareLink(out, LinkType(t), b[size:], wire-size)
}

// LinkName is t's name for reports: that of tcpdump's list for common types, else its number.
func LinkName(t LinkType) string {
	switch t {
	case 6:
		return "Token Ring"
	case 7, 129:
		return "ARCNET"
	case 123:
		return "SunATM"
	case 138:
		return "IEEE 1394"
	case 143:
		return "DOCSIS"
	case 147, 148, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162:
		return "private use " + strconv.Itoa(int(t)-147)
	case 186, 189, 220, 249:
		return "USB"
	case 187, 201, 251, 254, 255:
		return "Bluetooth"
	case 190, 227:
		return "CAN bus"
	case 195, 215, 230, 283:
		return "IEEE 802.15.4"
	case 252:
		return "Wireshark upper PDU"
	case 253:
		return "netlink"
	}
	return "link type " + strconv.Itoa(int(t))
}
