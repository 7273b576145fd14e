package wire

import (
	"bytes"
	"encoding/binary"
)

// Tags of Google's QUIC crypto, as little-endian numbers ("QUIC Crypto", Langley and Chang, revision 20161206).
const (
	gquicCHLO = "CHLO"
	gquicSNI  = 'S' | 'N'<<8 | 'I'<<16
)

const (
	gquicHeader  = 8   // tag, number of entries, padding
	gquicEntries = 128 // of the table of tags; clients send about 30
	gquicReach   = 80  // how far into a datagram the handshake message starts at the latest
)

// ParseGQUIC reads the CHLO in the clear that opens a connection in Google's QUIC up to Q046: its server name and the
// version, which is Q ("unstated", see QUICVersionName) if the packet does not state it. ok is false if b is no such
// datagram.
func ParseGQUIC(b []byte) (h *ClientHello, version uint32, ok bool) {
	version, at, ok := gquicStart(b)
	if !ok {
		return nil, 0, false
	}
	i := bytes.Index(b[at:min(len(b), at+gquicReach)], []byte(gquicCHLO))
	if i < 0 {
		return nil, 0, false
	}
	chlo := b[at+i:]
	if !gquicPlausible(chlo) {
		return nil, 0, false
	}
	return &ClientHello{SNI: hostText(gquicTag(chlo, gquicSNI)), QUIC: version}, version, true
}

// gquicStart reads the header before the packet number: the long one of Q044 to Q046, which looks like that of a draft of
// IETF QUIC, or the public header of older versions.
func gquicStart(b []byte) (version uint32, at int, ok bool) {
	if len(b) < 30 {
		return 0, 0, false
	}
	if b[0]&0x80 != 0 {
		version = binary.BigEndian.Uint32(b[1:])
		return version, 6, isGoogleVersion(version) && version>>24 == 'Q'
	}
	const hasVersion, reset, long = 0x01, 0x02, 0x08
	if b[0]&(0x40|reset) != 0 || b[0]&long == 0 {
		return 0, 0, false
	}
	if b[0]&hasVersion == 0 {
		return gquicUnstated, 9, true
	}
	version = binary.BigEndian.Uint32(b[9:])
	return version, 13, isGoogleVersion(version) && version>>24 == 'Q'
}

// gquicTag returns the value of a tag of a CHLO; nil if it is absent or not all there.
func gquicTag(chlo []byte, tag uint32) []byte {
	if len(chlo) < gquicHeader {
		return nil
	}
	n := int(binary.LittleEndian.Uint16(chlo[4:]))
	values := gquicHeader + 8*n
	if n > gquicEntries || values > len(chlo) {
		return nil
	}
	from := uint32(0)
	for e := chlo[gquicHeader:values]; len(e) > 0; e = e[8:] {
		to := binary.LittleEndian.Uint32(e[4:])
		if to < from || uint64(to) > uint64(len(chlo)-values) {
			return nil
		}
		if binary.LittleEndian.Uint32(e) == tag {
			return chlo[values+int(from) : values+int(to)]
		}
		from = to
	}
	return nil
}

// gquicPlausible checks the table of a CHLO as far as it is there: offsets must not fall, and tags must rise.
func gquicPlausible(chlo []byte) bool {
	if len(chlo) < gquicHeader+8 {
		return false
	}
	n := int(binary.LittleEndian.Uint16(chlo[4:]))
	if n == 0 || n > gquicEntries || chlo[6] != 0 || chlo[7] != 0 || gquicHeader+8*n > len(chlo) {
		return false
	}
	var tag, end uint32
	for e := chlo[gquicHeader : gquicHeader+8*n]; len(e) > 0; e = e[8:] {
		t, to := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:])
		if t < tag || to < end || to > quicCryptoMax {
			return false
		}
		tag, end = t, to
	}
	return true
}

// gquicWhole reports whether all values of a CHLO are there.
func gquicWhole(chlo []byte) bool {
	if !gquicPlausible(chlo) {
		return false
	}
	values := gquicHeader + 8*int(binary.LittleEndian.Uint16(chlo[4:]))
	end := binary.LittleEndian.Uint32(chlo[values-4:])
	return uint64(end) <= uint64(len(chlo)-values)
}
