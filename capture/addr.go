package capture

import (
	"encoding/binary"
	"net/netip"
)

// Addr16 is an IP address in 16 bytes; an IPv4 address is v4-mapped (RFC 4291 2.5.5.2).
type Addr16 [16]byte

// Netip gives a as a netip.Addr: unmapped, unless it stood in an IPv6 header.
func (a Addr16) Netip(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom16(a).Unmap()
}

// AddrWords gives the 16 bytes of an address, an IPv4 one v4-mapped, as two little-endian numbers. It takes a third of the
// time of As16, whose result has to be stored to be read.
func AddrWords(a netip.Addr) (first, second uint64) {
	if a.Is4() {
		b := a.As4()
		return 0, 0xffff0000 | uint64(binary.LittleEndian.Uint32(b[:]))<<32
	}
	b := a.As16()
	return binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
}

// HashAddr is a multiplicative hash for tables that forget: its upper bits are the good ones, and nothing keeps an attacker
// from making addresses that share one.
func HashAddr(a netip.Addr) uint64 { return hashWords(AddrWords(a)) }

// Hash is HashAddr of an address in 16 bytes.
func (a Addr16) Hash() uint64 {
	return hashWords(binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:]))
}

func hashWords(first, second uint64) uint64 {
	v := (first ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return (v ^ v>>32 ^ second) * 0x94d049bb133111eb
}
