package classify

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"avbeacon/capture"
)

// addrIndex finds hosts by address: open addressing, which needs one look where a map needs several. Its hash has a seed,
// so that nobody can choose addresses that meet; what it finds does not depend on it.
type addrIndex struct {
	slots []addrSlot // their number is a power of two
	used  int
	seed  [2]uint64
	seen  []uint64 // a bit for each address that was ever set: most strangers can be told without a look
	drops int      // since seen was made again
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

// stranger reports whether no host is at an address; where one may be it is false.
func (x *addrIndex) stranger(a netip.Addr) bool {
	i := hashOf(a) >> 44
	return x.seen[i/64]&(1<<(i%64)) == 0
}

func (x *addrIndex) mark(a netip.Addr) {
	i := hashOf(a) >> 44
	x.seen[i/64] |= 1 << (i % 64)
}

// home is the first slot that an address may stand in.
func (x *addrIndex) home(a netip.Addr) uint64 {
	first, second := capture.AddrWords(a)
	high, low := bits.Mul64(first^x.seed[0], second^x.seed[1])
	return (high ^ low) & uint64(len(x.slots)-1)
}

// find returns the slot of an address, or the empty one where it would stand.
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
	for i := 0; i < len(x.slots); i += 64 { // memory that is read before it is written costs the kernel two faults a page
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

// remove empties a slot. Those behind it move up, so that every address is found from its home on without a gap.
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

// Ahead reads the memory of the hosts that these Observations speak of, side by side, so that Observe need not wait for
// each. It changes nothing that can be seen.
func (c *Classifier) Ahead(list []capture.Observation) {
	list = list[:min(len(list), aheadMost)]
	x := &c.hosts.byAddr
	var homes [aheadMost]uint64
	var taken [aheadMost]bool
	for i := range list { // nothing here may branch on what is fetched: a wrong guess would wait for it
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
