// Package flow is the bounded memory of connections. The 5-tuple of a packet goes in; the Entry of its flow comes out, and
// buffers for stream bytes that must wait for others. It knows no protocol: package observe gives flags, classes and handles
// their meaning.
//
// Start reading at Entry and Table.Lookup (table.go). Stitcher (stitch.go) keeps early segments and incomplete messages.
package flow

import (
	"encoding/binary"
	"math/bits"
)

// Key is a packet's 5-tuple in the packet's direction. Addresses have 16 bytes, IPv4 v4-mapped.
type Key struct {
	Src, Dst         [16]byte
	SrcPort, DstPort uint16
	Proto            uint8 // IP protocol number
}

// Seed makes a process's hashes differ from another's, so that nobody can aim their packets at one shard or one slot.
type Seed [4]uint64

// FixedSeed is for reading files: the same capture gets the same shards, so that what is evicted at a limit is the same in each run.
var FixedSeed = Seed{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93}

// Hash returns the same value for both directions of a flow. It is a multiply-and-fold hash (as in wyhash) of each end, combined by
// operations that ignore their order. An address is folded before its port joins it: a sender who owns a /64 of IPv6 could otherwise
// choose addresses that cancel the ports, and all such flows would collide under every seed.
func (k *Key) Hash(s *Seed) uint64 {
	return Hash(&k.Src, &k.Dst, k.SrcPort, k.DstPort, k.Proto, s)
}

// Hash is Key.Hash for a 5-tuple in several variables.
func Hash(src, dst *[16]byte, srcPort, dstPort uint16, proto uint8, s *Seed) uint64 {
	a := end(src, srcPort, s)
	b := end(dst, dstPort, s)
	return fold((a+b)^uint64(proto), (a^b)^s[2])
}

func end(addr *[16]byte, port uint16, s *Seed) uint64 {
	hi := binary.LittleEndian.Uint64(addr[:8])
	lo := binary.LittleEndian.Uint64(addr[8:])
	return fold(fold(hi^s[0], lo^s[1])^uint64(port), s[3])
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
