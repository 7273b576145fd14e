package classify

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"avbeacon/capture"
)

// addrIndex finds hosts by address, by open addressing with one cache miss. It earns 5 to 6 % of the CPU time of analyze over Go's
// map on short flows, where Ahead can fetch its slots before they are needed. The hash is seeded, so that nobody can choose
// addresses that collide; what it finds does not depend on the seed.
type addrIndex struct {
	slots []addrSlot // their number is a power of two
	used  int
	seed  [2]uint64
	seen  []uint64 // Bloom filter of all addresses ever set: rules out most others without a lookup
	drops int      // since seen was rebuilt
}

type addrSlot struct {
	addr netip.Addr
	host *host // nil in an empty slot
}

// seenBits is the size of addrIndex.seen: 128 KiB, 20 bits of a hash.
const seenBits = 1 << 20

func newAddrIndex() addrIndex {
	return addrIndex{
		slots: make([]addrSlot, 1<<12), seed: [2]uint64{rand.Uint64(), rand.Uint64()}, seen: make([]uint64, seenBits/64),
	}
}

func hashOf(a netip.Addr) uint64 { return capture.HashAddr(a) }

// stranger reports that no host is at an address; false means that one may be.
func (x *addrIndex) stranger(a netip.Addr) bool {
	i := hashOf(a) >> 44
	return x.seen[i/64]&(1<<(i%64)) == 0
}

func (x *addrIndex) mark(a netip.Addr) {
	i := hashOf(a) >> 44
	x.seen[i/64] |= 1 << (i % 64)
}

// home is the first slot that an address may be in.
func (x *addrIndex) home(a netip.Addr) uint64 {
	first, second := capture.AddrWords(a)
	high, low := bits.Mul64(first^x.seed[0], second^x.seed[1])
	// The product alone is linear in some differences of addresses, and its lower bits hang on few of theirs: mix, and take the middle.
	return (high ^ low) * 0x9e3779b97f4a7c15 >> 32 & uint64(len(x.slots)-1)
}

// find returns the slot of an address, or the empty one where it would go.
func (x *addrIndex) find(a netip.Addr) uint64 { return x.findFrom(x.home(a), a) }

func (x *addrIndex) findFrom(i uint64, a netip.Addr) uint64 {
	for x.slots[i].host != nil && x.slots[i].addr != a {
		i = (i + 1) & uint64(len(x.slots)-1)
	}
	return i
}

// get returns the host at an address, nil if none is.
func (x *addrIndex) get(a netip.Addr) *host { return x.slots[x.find(a)].host }

func (x *addrIndex) set(a netip.Addr, h *host) {
	x.mark(a)
	i := x.find(a)
	if x.slots[i].host == nil {
		x.used++
	}
	x.slots[i] = addrSlot{addr: a, host: h}
	if 4*x.used > 3*len(x.slots) {
		x.grow()
	}
}

func (x *addrIndex) grow() {
	old := x.slots
	x.slots = make([]addrSlot, 2*len(old))
	for i := 0; i < len(x.slots); i += 64 { // write first: reading fresh memory and then writing it is two page faults
		x.slots[i].host = nil
	}
	for i := range old {
		if old[i].host != nil {
			x.slots[x.find(old[i].addr)] = old[i]
		}
	}
}

// drop forgets that h is at an address, if it is.
func (x *addrIndex) drop(a netip.Addr, h *host) {
	i := x.find(a)
	if h == nil || x.slots[i].host != h {
		return
	}
	x.remove(i)
	if x.drops++; x.drops > seenBits/8 {
		x.drops = 0
		clear(x.seen)
		for i := range x.slots {
			if x.slots[i].host != nil {
				x.mark(x.slots[i].addr)
			}
		}
	}
}

// remove empties a slot and moves later ones up, so that there is no gap between an address and its home.
func (x *addrIndex) remove(hole uint64) {
	x.used--
	mask := uint64(len(x.slots) - 1)
	for i := (hole + 1) & mask; x.slots[i].host != nil; i = (i + 1) & mask {
		if home := x.home(x.slots[i].addr); (i-home)&mask >= (i-hole)&mask {
			x.slots[hole] = x.slots[i]
			hole = i
		}
	}
	x.slots[hole] = addrSlot{}
}

// aheadMost is how many Observations Ahead looks at.
const aheadMost = 16

// Ahead fetches the hosts of these Observations into the cache, in parallel, so that Observe need not wait for each. It has no
// other effect.
func (c *Classifier) Ahead(list []capture.Observation) {
	list = list[:min(len(list), aheadMost)]
	x := &c.hosts.byAddr
	var homes [aheadMost]uint64
	var taken [aheadMost]bool
	for i := range list { // no branch may depend on fetched data: a misprediction would wait for it
		if obs := &list[i]; obs.Kind == capture.Contact && obs.Src.IsValid() {
			homes[i] = x.home(obs.Src.Addr())
			taken[i] = x.slots[homes[i]].host != nil
		}
	}
	var hosts [aheadMost]*host
	for i := range list {
		if taken[i] {
			hosts[i] = x.slots[x.findFrom(homes[i], list[i].Src.Addr())].host
		}
	}
	touched := int64(0)
	for i := range list {
		if h := hosts[i]; h != nil {
			hour, _ := h.active.Newest()
			touched += hour + h.newest
			if list[i].Transport == capture.UDP {
				touched += h.did.flowStream.second
			}
		}
	}
	c.touched = touched
}
