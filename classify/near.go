package classify

import (
	"net/netip"

	"avbeacon/capture"
)

// addrIndex finds hosts by address: a map, and in front of it a table of those found last, which costs a third.
type addrIndex struct {
	all   map[netip.Addr]*host
	near  []nearHost
	seen  []uint64 // a bit for each address that was ever set: most strangers can be told without a look
	drops int      // since seen was made anew
}

type nearHost struct {
	addr netip.Addr
	host *host
}

// nearBits is the size of the table in front, 2 MiB: as many bits of a hash.
const nearBits = 16

// seenBits is the size of addrIndex.seen: 128 KiB, 20 bits of a hash.
const seenBits = 1 << 20

func newAddrIndex() addrIndex {
	return addrIndex{all: map[netip.Addr]*host{}, near: make([]nearHost, 1<<nearBits), seen: make([]uint64, seenBits/64)}
}

func nearAt(a netip.Addr) uint64 { return hashOf(a) >> (64 - nearBits) }

func hashOf(a netip.Addr) uint64 { return capture.Addr16(a.As16()).Hash() }

// stranger says that no host is at an address; where one may be it is false.
func (x *addrIndex) stranger(a netip.Addr) bool {
	i := hashOf(a) >> 44
	return x.seen[i/64]&(1<<(i%64)) == 0
}

func (x *addrIndex) mark(a netip.Addr) {
	i := hashOf(a) >> 44
	x.seen[i/64] |= 1 << (i % 64)
}

// get gives the host at an address, nil where none is. It remembers that there is none, too.
func (x *addrIndex) get(a netip.Addr) *host {
	n := &x.near[nearAt(a)]
	if n.addr != a {
		n.addr, n.host = a, x.all[a]
	}
	return n.host
}

func (x *addrIndex) set(a netip.Addr, h *host) {
	x.near[nearAt(a)] = nearHost{addr: a, host: h}
	x.all[a] = h
	x.mark(a)
}

// drop forgets that h is at an address, if it is.
func (x *addrIndex) drop(a netip.Addr, h *host) {
	if x.all[a] == h {
		x.near[nearAt(a)] = nearHost{}
		delete(x.all, a)
		if x.drops++; x.drops > seenBits/8 {
			x.drops = 0
			clear(x.seen)
			for a := range x.all {
				x.mark(a)
			}
		}
	}
}
