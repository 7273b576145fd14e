package decode

import "avbeacon/capture"

// What follows a header: an Ethertype (IEEE 802), or one of our own numbers above 16 bits.
const (
	etherIPv4     = 0x0800
	etherARP      = 0x0806
	etherTEB      = 0x6558 // transparent Ethernet bridging (RFC 1701)
	etherVLAN     = 0x8100 // 802.1Q
	etherIPv6     = 0x86dd
	etherMPLS     = 0x8847 // RFC 5332
	etherMPLSMC   = 0x8848
	etherPPPoE    = 0x8864 // session stage (RFC 2516)
	etherJumboLLC = 0x8870
	etherPPP      = 0x880b
	etherFabric   = 0x8903 // Cisco FabricPath
	etherCMD      = 0x8909 // Cisco meta data
	etherQinQ     = 0x88a8 // 802.1ad
	etherMACsec   = 0x88e5 // 802.1AE
	etherPBB      = 0x88e7 // 802.1ah
	etherVNTag    = 0x8926 // 802.1BR's forerunner
	etherHSR      = 0x892f // IEC 62439-3
	etherNSH      = 0x894f // RFC 8300
	etherQinQ91   = 0x9100 // before 802.1ad
	etherQinQ92   = 0x9200
	insideIP      = 0x10000 // IPv4 or IPv6: the first four bits tell
	insideLLC     = 0x10001 // IEEE 802.2
	insideWiFi    = 0x10002 // IEEE 802.11
)

const (
	maxTags  = 8  // tags of one Ethernet header
	maxNests = 32 // link headers nested in each other, in one packet
)

// ethernet decodes a packet from its Ethernet header on. wire is how long b was on the wire; b may be shorter, if the capture cut it.
func (d *Decoder) ethernet(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 14 {
		return tooShort(wire, 14)
	}
	out.DstMAC, out.SrcMAC, out.HasMAC = [6]byte(b[0:6]), [6]byte(b[6:12]), true
	return d.inside(out, uint32(be16(b[12:])), b[14:], wire-14)
}

// inside decodes b as what proto says it is. Tags are skipped here; untagged does the rest.
func (d *Decoder) inside(out *Headers, proto uint32, b []byte, wire int) capture.Reason {
	switch proto {
	case etherIPv4:
		return d.ip4(out, b, wire)
	case etherIPv6:
		return d.ip6(out, b, wire)
	}
	for range maxTags {
		skip := 0 // bytes of the tag before the next Ethertype
		switch proto {
		case etherVLAN, etherQinQ, etherQinQ91, etherQinQ92:
			skip = 2
			if len(b) >= 2 {
				d.addVLAN(out, be16(b))
			}
		case etherVNTag, etherHSR:
			skip = 4
		case etherCMD:
			skip = 6
		default:
			return d.untagged(out, proto, b, wire)
		}
		if len(b) < skip+2 {
			return tooShort(wire, skip+2)
		}
		proto, b, wire = uint32(be16(b[skip:])), b[skip+2:], wire-skip-2
	}
	return capture.ReasonDepth
}

// untagged is inside for all but tags.
func (d *Decoder) untagged(out *Headers, proto uint32, b []byte, wire int) capture.Reason {
	if d.nests++; d.nests > maxNests {
		d.stats.Depth++
		return capture.ReasonDepth
	}
	switch proto {
	case etherIPv4:
		return d.ip4(out, b, wire)
	case etherIPv6:
		return d.ip6(out, b, wire)
	case etherARP:
		return arp(out, b, wire)
	case insideIP:
		return d.rawIP(out, b, wire)
	case etherMPLS, etherMPLSMC:
		return d.mpls(out, wrapMPLS, b, wire)
	case etherPPPoE:
		return d.pppoe(out, b, wire)
	case etherPPP:
		return d.ppp(out, b, wire)
	case etherTEB:
		return d.ethernet(out, b, wire)
	case etherPBB: // the service tag; the customer's own Ethernet header follows
		return d.ethernetBehind(out, 4, b, wire)
	case etherFabric: // forwarding tag and hop limit
		return d.ethernetBehind(out, 2, b, wire)
	case etherNSH:
		return d.serviceHeader(out, b, wire)
	case insideWiFi:
		return d.wifi(out, b, wire, false)
	case etherMACsec:
		return capture.ReasonMACsec
	case insideLLC, etherJumboLLC:
		return d.llc(out, b, wire)
	}
	if proto <= 1500 { // the length of an 802.3 frame
		return d.llc(out, b[:min(len(b), int(proto))], min(wire, int(proto)))
	}
	return capture.ReasonNotIP
}

// arp returns an ARP packet (RFC 826) as payload, without the padding after it.
func arp(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	size := 8 + 2*int(b[4]) + 2*int(b[5])
	out.Layer = LayerARP
	out.Payload, out.PayloadLen = b[:min(len(b), size)], uint32(min(wire, size))
	return capture.ReasonNone
}

// llc reads an 802.2 header: SNAP (RFC 1042; with the bridge-tunnel OUI of 802.1H), IP's own SAP, and OSI's network layer ids.
func (d *Decoder) llc(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	switch {
	case b[0] == 0xaa && b[1] == 0xaa && b[2] == 3:
		return d.snap(out, b[3:], wire-3)
	case b[0] == 6 && b[1] == 6 && b[2] == 3:
		return d.ip4(out, b[3:], wire-3)
	case b[0] == 0xfe && b[1] == 0xfe && b[2] == 3:
		return d.nlpid(out, b[3:], wire-3)
	}
	return capture.ReasonNotIP
}

// snap reads organisation and protocol, at least 5 bytes, of a SNAP header.
func (d *Decoder) snap(out *Headers, b []byte, wire int) capture.Reason {
	proto := uint32(be16(b[3:]))
	switch uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) {
	case 0, 0xf8:
		if proto > 1500 {
			return d.inside(out, proto, b[5:], wire-5)
		}
	case 0x0080c2: // bridged (RFC 2684 5.2, RFC 2427 4.2): Ethernet with or without checksum; over ATM two bytes of padding
		if proto != 1 && proto != 7 {
			return capture.ReasonNotIP
		}
		if len(b) >= 21 && b[5] == 0 && b[6] == 0 && isCommonEtherType(be16(b[19:])) {
			return d.ethernet(out, b[7:], wire-7)
		}
		return d.ethernet(out, b[5:], wire-5)
	}
	return capture.ReasonNotIP
}

// nlpid reads a network layer protocol id (RFC 2427 annex A), after a byte of padding where there is one.
func (d *Decoder) nlpid(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) > 0 && b[0] == 0 {
		b, wire = b[1:], wire-1
	}
	if len(b) < 6 {
		return tooShort(wire, 6)
	}
	switch b[0] {
	case 0xcc:
		return d.ip4(out, b[1:], wire-1)
	case 0x8e:
		return d.ip6(out, b[1:], wire-1)
	case 0x80:
		return d.snap(out, b[1:], wire-1)
	case 0xcf:
		return d.ppp(out, b[1:], wire-1)
	}
	return capture.ReasonNotIP
}

// ethernetBehind decodes an Ethernet frame after size bytes.
func (d *Decoder) ethernetBehind(out *Headers, size int, b []byte, wire int) capture.Reason {
	if len(b) < size {
		return tooShort(wire, size)
	}
	return d.ethernet(out, b[size:], wire-size)
}

func isCommonEtherType(t uint16) bool {
	switch t {
	case etherIPv4, etherIPv6, etherARP, etherVLAN, etherQinQ, etherMPLS, etherMPLSMC, etherPPPoE:
		return true
	}
	return false
}
