package decode

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"avbeacon/capture"
)

// Packets by hand, so that the tests do not read them with the code that made them. Checksums are zero.

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func u16(v int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func addr(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

func addr16(s string) capture.Addr16 { return capture.Addr16(netip.MustParseAddr(s).As16()) }

var (
	testDstMAC = [6]byte{2, 0, 0, 0, 0, 2}
	testSrcMAC = [6]byte{2, 0, 0, 0, 0, 1}
)

func etherBytes(proto int, payload []byte) []byte {
	return join(testDstMAC[:], testSrcMAC[:], u16(proto), payload)
}

func ip4Bytes(proto uint8, src, dst string, payload []byte) []byte {
	return ip4Piece(proto, src, dst, 0, 0, payload)
}

// ip4Piece is an IPv4 packet with an id, and flags and offset as they stand in the header.
func ip4Piece(proto uint8, src, dst string, id, at int, payload []byte) []byte {
	return join([]byte{0x45, 0}, u16(20+len(payload)), u16(id), u16(at), []byte{64, proto, 0, 0}, addr(src), addr(dst), payload)
}

func ip6Bytes(next uint8, src, dst string, payload []byte) []byte {
	return join([]byte{0x60, 0, 0, 0}, u16(len(payload)), []byte{next, 63}, addr(src), addr(dst), payload)
}

func tcpBytes(src, dst int, flags uint8, seq, ack uint32, payload []byte) []byte {
	return join(u16(src), u16(dst), u32(seq), u32(ack), []byte{0x50, flags}, u16(1024), u32(0), payload)
}

func udpBytes(src, dst int, payload []byte) []byte {
	return join(u16(src), u16(dst), u16(8+len(payload)), u16(0), payload)
}
