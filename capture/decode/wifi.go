package decode

import (
	"encoding/binary"

	"avbeacon/capture"
)

// wifiLink decodes an 802.11 frame after the header that link type t puts before it.
func (d *Decoder) wifiLink(out *Headers, t capture.LinkType, b []byte, wire int) capture.Reason {
	size, flags := 0, uint8(0)
	switch t {
	case capture.LinkPrism, capture.LinkAVS:
		size = prismSize(b)
	case capture.LinkRadiotap:
		if len(b) < 8 {
			return tooShort(wire, 8)
		}
		size = max(8, int(binary.LittleEndian.Uint16(b[2:])))
		flags = radiotapFlags(b[:min(size, len(b))])
	}
	if size > len(b) {
		return tooShort(wire, size)
	}
	b, wire = b[size:], wire-size
	if flags&radiotapFCS != 0 && wire > 4 {
		wire -= 4
		b = b[:min(len(b), wire)]
	}
	return d.wifi(out, b, wire, flags&radiotapPadded != 0)
}

// prismSize is the length of a Prism header (144 bytes unless it says otherwise) or of an AVS header, which its magic
// number identifies.
func prismSize(b []byte) int {
	const avs, prism = 0x80211000, 144
	if len(b) < 8 {
		return 8
	}
	if be32(b)&0xfffff000 == avs {
		return max(8, int(min(be32(b[4:]), 1<<16)))
	}
	if n := binary.LittleEndian.Uint32(b[4:]); n >= 8 && n <= 1024 {
		return int(n)
	}
	if n := be32(b[4:]); n >= 8 && n <= 1024 {
		return int(n)
	}
	return prism
}

// Bits of radiotap's flags field (radiotap.org).
const (
	radiotapFCS    = 0x10 // a checksum ends the frame
	radiotapPadded = 0x20 // the 802.11 header is padded to 32 bits
)

// radiotapFlags returns the flags field of a radiotap header of at least 8 bytes; 0 if it has none.
func radiotapFlags(b []byte) uint8 {
	const tsft, flags, extended = 1, 2, 1 << 31
	present := binary.LittleEndian.Uint32(b[4:])
	at := 8
	for more := present; more&extended != 0; at += 4 {
		if at+4 > len(b) {
			return 0
		}
		more = binary.LittleEndian.Uint32(b[at:])
	}
	if present&tsft != 0 {
		at = (at+7)&^7 + 8
	}
	if present&flags == 0 || at >= len(b) {
		return 0
	}
	return b[at]
}

// Bits of the second byte of an 802.11 header (IEEE 802.11 9.2.4.1).
const (
	wifiToDS      = 0x01
	wifiFromDS    = 0x02
	wifiProtected = 0x40
	wifiOrder     = 0x80 // with QoS: HT control follows
)

// wifi decodes an 802.11 data frame (IEEE 802.11 9.3.2). padded: its header is padded to 32 bits.
func (d *Decoder) wifi(out *Headers, b []byte, wire int, padded bool) capture.Reason {
	if len(b) < 24 {
		return wifiShort(b, wire)
	}
	control, flags := b[0], b[1]
	if control&0x0f != 0x08 || control&0x40 != 0 { // version 0, data; subtype without data
		return capture.ReasonWiFiNoData
	}
	if flags&wifiProtected != 0 {
		return capture.ReasonWiFiEncrypted
	}
	if b[22]&0x0f != 0 {
		return capture.ReasonWiFiFragment
	}
	size := 24
	if flags&(wifiToDS|wifiFromDS) == wifiToDS|wifiFromDS {
		size += 6
	}
	aggregate := false
	if control&0x80 != 0 { // QoS
		aggregate = len(b) > size && b[size]&0x80 != 0
		size += 2
		if flags&wifiOrder != 0 {
			size += 4
		}
	}
	if padded {
		size = (size + 3) &^ 3
	}
	if len(b) < size {
		return tooShort(wire, size)
	}
	wifiAddresses(out, b)
	if aggregate {
		return d.aggregate(out, b[size:], wire-size)
	}
	return d.llc(out, b[size:], wire-size)
}

// wifiShort says why a frame of less than 24 bytes cannot be used: acknowledgements and the like are that short.
func wifiShort(b []byte, wire int) capture.Reason {
	if len(b) > 0 && b[0]&0x0c != 0x08 {
		return capture.ReasonWiFiNoData
	}
	return tooShort(wire, 24)
}

// wifiAddresses reads source and destination from a complete header (IEEE 802.11 table 9-60).
func wifiAddresses(out *Headers, b []byte) {
	to, from := b[4:10], b[10:16]
	switch b[1] & (wifiToDS | wifiFromDS) {
	case wifiToDS:
		to = b[16:22]
	case wifiFromDS:
		from = b[16:22]
	case wifiToDS | wifiFromDS:
		to, from = b[16:22], b[24:30]
	}
	out.DstMAC, out.SrcMAC, out.HasMAC = [6]byte(to), [6]byte(from), true
}

// aggregate decodes the first MSDU of an A-MSDU (IEEE 802.11 9.3.2.2) that can be decoded; the others are counted.
func (d *Decoder) aggregate(out *Headers, b []byte, wire int) capture.Reason {
	result := tooShort(wire, 14)
	for decoded := false; len(b) >= 14; {
		size := int(be16(b[12:]))
		if decoded {
			d.stats.WiFiFurther++
		} else {
			out.DstMAC, out.SrcMAC, out.HasMAC = [6]byte(b[0:6]), [6]byte(b[6:12]), true
			result = d.llc(out, b[14:min(14+size, len(b))], min(size, wire-14))
			decoded = result == capture.ReasonNone || result == capture.ReasonFragmentWaiting
		}
		next := (14 + size + 3) &^ 3
		b, wire = b[min(next, len(b)):], wire-next
	}
	return result
}
