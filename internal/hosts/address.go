package hosts

import (
	"math"
	"time"
)

// ownership is how it is known that a hardware address is an address's own.
type ownership uint8

const (
	notOwn  ownership = iota
	byReply           // an ARP reply: a proxy answers so for others (RFC 1027)
	bySight           // what the machine itself sent or was given
)

// surety is how sure a name is: a later one replaces an earlier one that is not surer.
type surety uint8

const (
	bySMB surety = iota + 1
	byNBNS
	byLLMNR
	byMDNS
	byDHCP
)

// noVLAN stands for a network that the evidence does not name: a relayed DHCP message is seen in the server's.
const noVLAN = -1

// binding is what an address meant from a time on. Times are nanoseconds since 1970.
type binding struct {
	from    int64
	seen    int64   // last packet from it
	till    int64   // end of the lease, 0 where none is known
	mac     uint64  // valid iff own
	owner   *device // valid iff own
	machine uint32  // 0 where only the address is known
	vlan    int32
	own     ownership
	surety  surety
	name    string
	named   int64 // when the name was told last
}

// usedOn is the longest break with which an address that is used beyond its lease still counts as renewed unseen.
const usedOn = int64(time.Hour)

// over says that the lease had ended by a time, and that the address was not used on.
func (b *binding) over(at int64) bool { return b.till != 0 && at > b.till && at-b.seen > usedOn }

// keptBindings is how many meanings of one address stay on record, and in how many VLANs it may have one.
const keptBindings = 8

// address is what one address means, and meant.
type address struct {
	now    binding
	past   []binding // oldest first
	others []binding // of the same address in other VLANs: another network's machines
}

// binding gives the meaning for a packet: that with its hardware address, that in its VLAN, the latest.
func (x *address) binding(vlan uint16, mac uint64) *binding {
	if len(x.others) == 0 || x.now.own != notOwn && x.now.mac == mac {
		return &x.now
	}
	for i := range x.others {
		if b := &x.others[i]; b.own != notOwn && b.mac == mac {
			return b
		}
	}
	return x.inVLAN(int32(vlan))
}

// inVLAN gives the meaning in a VLAN; the latest where there is none of its own.
func (x *address) inVLAN(vlan int32) *binding {
	if x.now.vlan == vlan {
		return &x.now
	}
	for i := range x.others {
		if x.others[i].vlan == vlan {
			return &x.others[i]
		}
	}
	return &x.now
}

// turn puts a meaning on record and begins a new one in its place.
func (x *address) turn(b *binding, at int64) *binding {
	if len(x.past) >= keptBindings {
		x.past = append(x.past[:0], x.past[1:]...)
	}
	x.past = append(x.past, *b)
	*b = binding{from: at, vlan: b.vlan, seen: at}
	return b
}

// split begins a meaning in another VLAN beside the present one.
func (x *address) split(vlan int32, at int64) *binding {
	if len(x.others) >= keptBindings {
		x.others = append(x.others[:0], x.others[1:]...)
	}
	x.others = append(x.others, x.now)
	x.now = binding{from: at, vlan: vlan, seen: at}
	return &x.now
}

// last is when an address was seen in any VLAN.
func (x *address) last() int64 {
	last := x.now.seen
	for i := range x.others {
		last = max(last, x.others[i].seen)
	}
	return last
}

// address gives what is remembered of an address, made anew where nothing is.
func (h *Hosts) address(p place, at int64) *address {
	x := h.addrs.get(p)
	if x == nil {
		x = &address{now: binding{from: at, seen: at, vlan: noVLAN}}
		h.stats.Evicted += h.addrs.add(p, x, h.max, (*address).last)
	}
	return x
}

// end is the end of an address's lease, now.
func (b *binding) end(at int64) { b.till, b.seen = at, math.MinInt64/2 }

// disown takes the hardware address back.
func (b *binding) disown() { b.own, b.mac, b.owner = notOwn, 0, nil }
