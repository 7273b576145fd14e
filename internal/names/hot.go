package names

import "avbeacon/capture"

// hotBits is the size of a hotSet: 512 KiB.
const hotBits = 1 << 22

// hotSet says no for most addresses that no pair holds, without a look into the maps: a Bloom filter with one hash.
type hotSet struct{ bits []uint64 }

func newHotSet() hotSet { return hotSet{bits: make([]uint64, hotBits/64)} }

func (s *hotSet) add(a place) {
	i := bitOf(a)
	s.bits[i/64] |= 1 << (i % 64)
}

func (s *hotSet) has(a place) bool {
	i := bitOf(a)
	return s.bits[i/64]&(1<<(i%64)) != 0
}

func bitOf(b place) uint64 { return capture.Addr16(b).Hash() >> 42 }
