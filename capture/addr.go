package capture

import (
	"encoding/binary"
	"net/netip"
)

// Addr16 is an IP address in 16 bytes; an IPv4 address is v4-mapped (RFC 4291 2.5.5.2), so that one key fits both.
type Addr16 [16]byte

// Netip returns a as a netip.Addr. A v4-mapped address becomes IPv4, unless it was read from an IPv6 header (ipv6).
func (a Addr16) Netip(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom16(a).Unmap()
}

// AddrWords returns the 16 bytes of an address (IPv4: v4-mapped) as two little-endian numbers. It takes a third of the time
// of As16, whose result has to be stored before it can be read.
func AddrWords(a netip.Addr) (first, second uint64) {
	if a.Is4() {
		b := a.As4()
		return 0, 0xffff0000 | uint64(binary.LittleEndian.Uint32(b[:]))<<32
	}
	b := a.As16()
	return binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
}

// HashAddr is a multiplicative hash for tables that may forget. Use its upper bits. It resists no attacker: addresses that
// collide are easy to make.
func HashAddr(a netip.Addr) uint64 { return hashWords(AddrWords(a)) }

// Hash returns the same as HashAddr for an address in 16 bytes.
func (a Addr16) Hash() uint64 {
	return hashWords(binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:]))
}

func hashWords(first, second uint64) uint64 {
	v := (first ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return (v ^ v>>32 ^ second) * 0x94d049bb133111eb
}
