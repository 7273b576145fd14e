package hosts

import (
	"math"
	"net/netip"
	"time"

	"avbeacon/capture"
)

// ownership is the evidence that a MAC address is an address's own.
type ownership uint8

const (
	notOwn  ownership = iota
	byReply           // an ARP reply, which a proxy also sends for others (RFC 1027)
	bySight           // what the machine itself sent or was given
)

// surety is how reliable a name is: a later name replaces an earlier one that is not more reliable.
type surety uint8

const (
	bySMB surety = iota + 1
	byNBNS
	byLLMNR
	byMDNS
	byDHCP
)

// noVLAN is a network that the evidence does not name: a relayed DHCP message is seen in the server's VLAN.
const noVLAN = -1

// binding is who had an address from a time on. Times are nanoseconds since 1970.
type binding struct {
	from    int64
	seen    int64           // last packet from it
	till    int64           // end of the lease, 0 if none is known
	mac     uint64          // valid iff own
	owner   *device         // valid iff own
	machine capture.Machine // 0 if only the address is known
	vlan    int32
	own     ownership
	surety  surety
	name    string
	named   int64 // when the name was last seen
}

// usedOn is the longest pause after which an address in use beyond its lease still counts as renewed unseen.
const usedOn = int64(time.Hour)

// over reports whether the lease had ended by a time and the address was no longer in use.
func (b *binding) over(at int64) bool { return b.till != 0 && at > b.till && at-b.seen > usedOn }

// keptBindings is how many bindings of one address are kept, and in how many VLANs it may have one.
const keptBindings = 8

// address is the present and past bindings of one address.
type address struct {
	now    binding
	past   []binding // oldest first
	others []binding // of the same address in other VLANs: another network's machines
}

// binding returns the binding for a packet: that with its MAC address, else that in its VLAN, else the latest.
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

// inVLAN returns the binding in a VLAN, else the latest.
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

// turn ends a binding, keeps it in past, and begins a new one in its place.
func (x *address) turn(b *binding, at int64) *binding {
	if len(x.past) >= keptBindings {
		x.past = append(x.past[:0], x.past[1:]...)
	}
	x.past = append(x.past, *b)
	*b = binding{from: at, vlan: b.vlan, seen: at}
	return b
}

// split begins a binding in another VLAN beside the present one.
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

// address returns the entry of an address and makes one if there is none.
func (h *Hosts) address(p addrKey, at int64) *address {
	x := h.addrs.get(p)
	if x == nil {
		x = &address{now: binding{from: at, seen: at, vlan: noVLAN}}
		h.stats.Evicted += h.addrs.add(p, x, h.max, (*address).last)
	}
	return x
}

// end ends an address's lease now.
func (b *binding) end(at int64) { b.till, b.seen = at, math.MinInt64/2 }

// disown removes the MAC address.
func (b *binding) disown() { b.own, b.mac, b.owner = notOwn, 0, nil }

// claim is a piece of evidence that an address belongs to a MAC address from a time on.
type claim struct {
	mac   uint64
	how   ownership
	vlan  int32
	at    int64
	till  int64 // end of the lease, 0 if unknown
	asked bool  // the client requested the address and does not have it yet
}

// bind applies a claim for an address, if it is credible.
func (h *Hosts) bind(a netip.Addr, c claim) {
	if mac, universal, ok := ofIdentifier(a); ok && universal && mac != c.mac {
		return // a bridge that rewrites MAC addresses: the address contains its own
	}
	if !bindable(a) || c.mac == 0 || c.mac>>40&1 != 0 || shared(c.mac) {
		return
	}
	d, p := h.device(c.mac, c.at), a.As16()
	if d.router || c.how == byReply && !h.believes(d, p, &c) {
		return
	}
	x := h.address(p, c.at)
	b := x.inVLAN(c.vlan)
	h.unmask(b)
	if b.own != notOwn && b.mac == c.mac {
		b.renew(&c)
		return
	}
	if b.own != notOwn && !b.over(c.at) && (c.how == byReply || c.asked) {
		return // it belongs to another; a proxy answers for it, or a client requests it
	}
	h.hand(x, b, d, p, &c)
}

// bindable reports whether an address can be one machine's.
func bindable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// believes reports whether an ARP reply is evidence: the first address that a device answers for. One that answers for
// several and never sends for itself is a proxy, and its earlier claim is revoked.
func (h *Hosts) believes(d *device, p addrKey, c *claim) bool {
	if d.owns == 0 || d.at == p {
		return true
	}
	if d.replied {
		if x := h.addrs.get(d.at); x != nil {
			if b := x.binding(0, c.mac); b.own == byReply && b.mac == c.mac {
				b.disown()
			}
		}
		d.machine, d.replied, d.at = 0, false, addrKey{}
	}
	h.standsBefore(c.mac, p, c.at)
	return false
}

// renew notes fresh evidence for what is known already.
func (b *binding) renew(c *claim) {
	b.own = max(b.own, c.how)
	b.seen = max(b.seen, c.at)
	if c.vlan != noVLAN {
		b.vlan = c.vlan
	}
	if c.till != 0 {
		b.till = c.till
	}
}

// hand gives the address to a device: in place if it had no owner, as another VLAN's if its owner there is active, else by ending the
// present binding.
func (h *Hosts) hand(x *address, b *binding, d *device, p addrKey, c *claim) {
	switch {
	case b.own == byReply && c.how == bySight: // a proxy had answered for it
		h.mistook(b, d)
	case b.own != notOwn && c.vlan != noVLAN && b.vlan != noVLAN && c.vlan != b.vlan && c.at-b.seen <= usedOn:
		h.stats.Split++
		b = x.split(c.vlan, c.at)
	case b.own != notOwn || b.machine != 0 && d.machine != 0 && b.machine != d.machine || b.over(c.at):
		b = x.turn(b, c.at)
	}
	if b.machine == 0 {
		b.machine = d.machine
	}
	if b.machine == 0 {
		b.machine = h.machineOf(d, c.mac)
	}
	d.machine = b.machine
	d.replied = c.how == byReply
	d.owned(p)
	b.own, b.mac, b.owner, b.till = notOwn, c.mac, d, 0
	b.renew(c)
	switch {
	case d.name != "" && d.surety >= b.surety:
		b.name, b.surety, b.named = d.name, d.surety, c.at
	case b.name != "":
		d.name, d.surety = b.name, b.surety
	}
}

// mistook takes an address back from the proxy that answered for it. Its machine becomes the owner's, unless the owner is known as another.
func (h *Hosts) mistook(b *binding, owner *device) {
	if b.owner.machine == b.machine {
		b.owner.machine = 0
	}
	b.disown()
	if owner.machine != 0 {
		b.machine = owner.machine
	}
}

// leaseEnd is when a lease that begins at a time ends, 0 if unknown or never (RFC 2131 3.3).
func leaseEnd(at int64, seconds uint32) int64 {
	if seconds == 0 || seconds == 1<<32-1 {
		return 0
	}
	return at + int64(seconds)*int64(time.Second)
}
