package names

import (
	"net/netip"

	"avbeacon/capture"
)

// hotBits and hotCoarse are the sizes of a hotSet: 512 KiB, and 32 KiB that stay in a core's caches and suffice while few
// pairs are held.
const (
	hotBits   = 1 << 22
	hotCoarse = 1 << 18
)

// hotSet says no for most addresses that no pair holds, without a look into the maps: two Bloom filters with one hash, the
// second for what passes the first.
type hotSet struct{ coarse, bits []uint64 }

func newHotSet() hotSet {
	return hotSet{coarse: make([]uint64, hotCoarse/64), bits: make([]uint64, hotBits/64)}
}

func (s *hotSet) add(a place) {
	i := bitOf(a)
	s.bits[i/64] |= 1 << (i % 64)
	i %= hotCoarse
	s.coarse[i/64] |= 1 << (i % 64)
}

// has takes what bitOf gives, or bitOfAddr.
func (s *hotSet) has(i uint64) bool {
	j := i % hotCoarse
	return s.coarse[j/64]&(1<<(j%64)) != 0 && s.bits[i/64]&(1<<(i%64)) != 0
}

func bitOf(b place) uint64 { return capture.Addr16(b).Hash() >> 42 }

func bitOfAddr(a netip.Addr) uint64 { return capture.HashAddr(a) >> 42 }
