package classify

import (
	"encoding/binary"
	"net/netip"
)

// addrIndex finds hosts by address: a map, and in front of it a table of those found last, which costs a third.
type addrIndex struct {
	all  map[netip.Addr]*host
	near []nearHost
}

type nearHost struct {
	addr netip.Addr
	host *host
}

// nearHosts is the size of the table in front; a power of two.
const nearHosts = 1 << 14

func newAddrIndex() addrIndex {
	return addrIndex{all: map[netip.Addr]*host{}, near: make([]nearHost, nearHosts)}
}

func nearAt(a netip.Addr) uint64 {
	b := a.As16()
	v := (binary.LittleEndian.Uint64(b[:8]) ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>32 ^ binary.LittleEndian.Uint64(b[8:])) * 0x94d049bb133111eb
	return v >> 40 % nearHosts
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
}

// drop forgets that h is at an address, if it is.
func (x *addrIndex) drop(a netip.Addr, h *host) {
	if x.all[a] == h {
		x.near[nearAt(a)] = nearHost{}
		delete(x.all, a)
	}
}
