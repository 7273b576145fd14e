package decode

import (
	"encoding/binary"

	"avbeacon/capture"
)

// Hardware types of Linux's cooked captures (if_arp.h) that change what the protocol field means.
const (
	arpEthernet = 1
	arpWiFi     = 801
	arpPrism    = 802
	arpRadiotap = 803
	arpNetlink  = 824
	arpNone     = 0xfffe
)

// cooked reads the header of a capture on Linux's "any" device (LINKTYPE_LINUX_SLL). It has only the sender's hardware
// address: DstMAC stays zero.
func (d *Decoder) cooked(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 16 {
		return tooShort(wire, 16)
	}
	hardware := be16(b[2:])
	senderMAC(out, hardware, int(be16(b[4:])), b[6:])
	return d.underCooked(out, hardware, uint32(be16(b[14:])), b[16:], wire-16)
}

// cooked2 reads version 2 of that header (LINKTYPE_LINUX_SLL2).
func (d *Decoder) cooked2(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 20 {
		return tooShort(wire, 20)
	}
	hardware := be16(b[8:])
	senderMAC(out, hardware, int(b[11]), b[12:])
	return d.underCooked(out, hardware, uint32(be16(b)), b[20:], wire-20)
}

func senderMAC(out *Headers, hardware uint16, size int, b []byte) {
	if hardware == arpEthernet && size == 6 {
		out.SrcMAC, out.HasMAC = [6]byte(b[:6]), true
	}
}

// underCooked decodes what follows a cooked header. Protocols below 1536 are Linux's own (if_ether.h).
func (d *Decoder) underCooked(out *Headers, hardware uint16, proto uint32, b []byte, wire int) capture.Reason {
	switch hardware {
	case arpWiFi:
		return d.wifiLink(out, capture.Link80211, b, wire)
	case arpPrism:
		return d.wifiLink(out, capture.LinkPrism, b, wire)
	case arpRadiotap:
		return d.wifiLink(out, capture.LinkRadiotap, b, wire)
	case arpNetlink:
		return capture.ReasonNotIP
	}
	const linux8022 = 4
	switch {
	case proto == linux8022:
		return d.llc(out, b, wire)
	case proto >= 1536:
		return d.inside(out, proto, b, wire)
	case hardware == arpNone && proto == 0:
		return d.rawIP(out, b, wire)
	}
	return capture.ReasonNotIP
}

// loopback reads the address family before a packet, in the capturing machine's byte order (LINKTYPE_NULL) or in network
// order (LINKTYPE_LOOP). AF_INET6 has another number on each system. An Ethertype is accepted, too.
func (d *Decoder) loopback(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 4 {
		return tooShort(wire, 4)
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = be32(b)
	}
	b, wire = b[4:], wire-4
	switch family {
	case 2:
		return d.ip4(out, b, wire)
	case 10, 23, 24, 28, 30:
		return d.ip6(out, b, wire)
	}
	if family >= 1536 && family <= 0xffff {
		return d.inside(out, family, b, wire)
	}
	return capture.ReasonNotIP
}

// pppLink reads PPP as in captures: with or without address and control, as Cisco HDLC (RFC 1547 4.3.1), or with a
// direction in place of the address.
func (d *Decoder) pppLink(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 4 {
		return tooShort(wire, 4)
	}
	if b[0] == 0x0f || b[0] == 0x8f {
		return d.chdlc(out, b, wire)
	}
	if b[0] <= 1 && b[1] == 3 {
		return d.ppp(out, b[2:], wire-2)
	}
	return d.ppp(out, b, wire)
}

// chdlc reads a Cisco HDLC header: address, control, Ethertype.
func (d *Decoder) chdlc(out *Headers, b []byte, wire int) capture.Reason {
	if len(b) < 4 {
		return tooShort(wire, 4)
	}
	return d.inside(out, uint32(be16(b[2:])), b[4:], wire-4)
}

// frameRelay reads a Q.922 address of 2 to 4 bytes. A control byte and a network layer protocol id follow (RFC 2427), or an
// Ethertype as Cisco has it.
func (d *Decoder) frameRelay(out *Headers, b []byte, wire int) capture.Reason {
	size := 0
	for size < len(b) && size < 4 && b[size]&1 == 0 {
		size++
	}
	size++
	if len(b) < size+2 {
		return tooShort(wire, size+2)
	}
	b, wire = b[size:], wire-size
	if b[0] == 3 {
		return d.nlpid(out, b[1:], wire-1)
	}
	return d.inside(out, uint32(be16(b)), b[2:], wire-2)
}

// nflog walks the records of a packet that Linux's firewall logged (LINKTYPE_NFLOG). Lengths and types are in the capturing
// machine's byte order, which the first length reveals.
func (d *Decoder) nflog(out *Headers, b []byte, wire int) capture.Reason {
	const payload, hardware = 9, 8
	if len(b) < 8 {
		return tooShort(wire, 8)
	}
	b, wire = b[4:], wire-4
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint16(b) > 255 && be16(b) <= 255 {
		order = binary.BigEndian
	}
	for len(b) >= 4 {
		size, kind := int(order.Uint16(b)), order.Uint16(b[2:])&0x7fff
		if size < 4 || size > wire {
			return capture.ReasonTunnelHeader
		}
		record := b[4:max(4, min(size, len(b)))]
		switch {
		case kind == payload:
			return d.rawIP(out, record, size-4)
		case kind == hardware && len(record) >= 12:
			senderMAC(out, arpEthernet, int(be16(record)), record[4:])
		}
		size = (size + 3) &^ 3
		b, wire = b[min(size, len(b)):], wire-size
	}
	return tooShort(wire, 4)
}
