// Package hosts knows who is behind a source address now: hardware address and name, as ARP, DHCP, mDNS and NetBIOS tell.
// Observations go in and come out with their Host completed.
package hosts

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"avbeacon/capture"
)

// Options bounds a Hosts. Zero values take the defaults.
type Options struct {
	MaxHosts int // addresses with a name or an owner (65,536), and hardware addresses; the longest unseen of a sample goes
}

// Known is what is known of an address at a time.
type Known struct {
	Name   string
	MAC    [6]byte // valid iff HasMAC
	HasMAC bool    // the hardware address is known to be this address's own
}

// Stats counts what a Hosts holds and lost.
type Stats struct {
	Addresses int
	MACs      int
	Routers   int // hardware addresses in front of many addresses
	Evicted   uint64
}

// A router's hardware address stands in front of more addresses than one machine has.
const (
	mostV4 = 4
	mostV6 = 16
)

// how sure a name is: a later one replaces an earlier one that is not surer.
type surety uint8

const (
	byNBNS surety = iota + 1
	byMDNS
	byDHCP
)

// binding is what an address meant from a time on.
type binding struct {
	from   time.Time
	mac    [6]byte
	own    bool
	name   string
	surety surety
}

// keptBindings is how many meanings of one address stay on record.
const keptBindings = 8

type address struct {
	now  binding
	past []binding // oldest first
	last time.Time
}

// device is one hardware address.
type device struct {
	v4, v6 fronted
	router bool
	name   string
	last   time.Time
}

// fronted counts the distinct addresses behind a hardware address as far as it matters.
type fronted struct {
	n    uint8
	seen [mostV6]uint32
}

func (f *fronted) add(h uint32, most uint8) (many bool) {
	for _, x := range f.seen[:f.n] {
		if x == h {
			return false
		}
	}
	if f.n >= most {
		return true
	}
	f.seen[f.n] = h
	f.n++
	return false
}

// Hosts is the memory. One goroutine owns it.
type Hosts struct {
	max     int
	addrs   map[netip.Addr]*address
	devices map[uint64]*device
	evicted uint64
	routers int
}

// New makes an empty memory.
func New(opt Options) *Hosts {
	if opt.MaxHosts <= 0 {
		opt.MaxHosts = 65536
	}
	return &Hosts{max: opt.MaxHosts, addrs: map[netip.Addr]*address{}, devices: map[uint64]*device{}}
}

// Stamp learns from an Observation and completes its Host: the name, and whether the hardware address beside it is its
// own. A router's hardware address is taken away.
func (h *Hosts) Stamp(obs *capture.Observation) {
	who := &obs.Host
	if obs.Marks&capture.Plain != 0 {
		h.pass(who)
		return
	}
	h.learn(obs)
	if who.HasMAC {
		d := h.device(who.MAC, obs.Time)
		h.front(d, who.Addr)
		if d.router {
			who.HasMAC, who.MAC = false, [6]byte{}
		}
	}
	a := h.addrs[who.Addr]
	if a == nil {
		return
	}
	a.last = obs.Time
	b := &a.now
	if b.own && h.isRouter(b.mac) {
		b.own = false
	}
	who.Name = b.name
	switch {
	case b.own && !who.HasMAC:
		who.MAC, who.HasMAC, who.Own = b.mac, true, true
	case b.own && who.MAC == b.mac:
		who.Own = true
	}
}

// pass notes the hardware address of a flow that nobody has interest in: a router shows itself by many of them.
func (h *Hosts) pass(who *capture.Host) {
	if !who.HasMAC {
		return
	}
	key := packMAC(who.MAC)
	d := h.devices[key]
	if d == nil {
		d = h.device(who.MAC, time.Time{})
	}
	h.front(d, who.Addr)
	if d.router {
		who.HasMAC, who.MAC = false, [6]byte{}
	}
}

// packMAC is a hardware address as a number, which maps find fastest.
func packMAC(m [6]byte) uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// Lookup says what an address meant at a time; false where nothing is known.
func (h *Hosts) Lookup(a netip.Addr, at time.Time) (Known, bool) {
	x := h.addrs[a]
	if x == nil {
		return Known{}, false
	}
	b := x.now
	for i := len(x.past) - 1; i >= 0 && at.Before(b.from); i-- {
		b = x.past[i]
	}
	return Known{Name: b.name, MAC: b.mac, HasMAC: b.own}, true
}

// Stats gives the counters.
func (h *Hosts) Stats() Stats {
	return Stats{Addresses: len(h.addrs), MACs: len(h.devices), Routers: h.routers, Evicted: h.evicted}
}

func (h *Hosts) isRouter(mac [6]byte) bool {
	d := h.devices[packMAC(mac)]
	return d != nil && d.router
}

// front notes that a hardware address was seen in front of an address.
func (h *Hosts) front(d *device, a netip.Addr) {
	if d.router || !a.IsValid() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() {
		return
	}
	many := false
	if a.Is4() || a.Is4In6() {
		many = d.v4.add(hash(a), mostV4)
	} else {
		many = d.v6.add(hash(a), mostV6)
	}
	if many {
		d.router = true
		h.routers++
	}
}

func hash(a netip.Addr) uint32 {
	b := a.As16()
	v := (binary.LittleEndian.Uint64(b[:8]) ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	v = (v ^ binary.LittleEndian.Uint64(b[8:])) * 0x94d049bb133111eb
	return uint32(v >> 32)
}

// bind notes that an address belongs to a hardware address from now on.
func (h *Hosts) bind(a netip.Addr, mac [6]byte, at time.Time) {
	if !a.IsValid() || a.IsUnspecified() || mac == ([6]byte{}) || mac[0]&1 != 0 {
		return
	}
	d := h.device(mac, at)
	h.front(d, a)
	if d.router {
		return
	}
	x := h.address(a, at)
	if x.now.own && x.now.mac == mac {
		return
	}
	if x.now.own { // another machine now: the old name goes with the old machine
		x.turn()
	}
	x.now.own, x.now.mac = true, mac
	if x.now.from.IsZero() {
		x.now.from = at
	}
	if d.name != "" && x.now.surety < byDHCP {
		x.now.name, x.now.surety = d.name, byDHCP
	}
}

// turn puts the present meaning on record and begins a new one.
func (x *address) turn() {
	if len(x.past) >= keptBindings {
		x.past = append(x.past[:0], x.past[1:]...)
	}
	x.past = append(x.past, x.now)
	x.now = binding{from: x.last}
}

// call gives an address a name.
func (h *Hosts) call(a netip.Addr, name string, s surety, at time.Time) {
	name = clean(name)
	if name == "" || !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return
	}
	x := h.address(a, at)
	if x.now.name == name || x.now.name != "" && s < x.now.surety {
		return
	}
	if x.now.name != "" && !x.now.own {
		x.turn()
		x.now.from = at
	}
	x.now.name, x.now.surety = name, s
	if x.now.from.IsZero() {
		x.now.from = at
	}
}

// longestName bounds what is kept of a name.
const longestName = 128

// clean gives a host name fit for display: its first part where it ends in .local.
func clean(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(name), "."), ".local")
	if len(name) > longestName || name == "" {
		return ""
	}
	for i := range len(name) {
		if name[i] < 33 || name[i] > 126 {
			return ""
		}
	}
	return name
}

func (h *Hosts) address(a netip.Addr, at time.Time) *address {
	x := h.addrs[a]
	if x == nil {
		if len(h.addrs) >= h.max {
			evict(h.addrs, func(x *address) time.Time { return x.last })
			h.evicted++
		}
		x = &address{}
		h.addrs[a] = x
	}
	x.last = at
	return x
}

func (h *Hosts) device(mac [6]byte, at time.Time) *device {
	key := packMAC(mac)
	d := h.devices[key]
	if d == nil {
		if len(h.devices) >= h.max {
			evict(h.devices, func(d *device) time.Time { return d.last })
			h.evicted++
		}
		d = &device{}
		h.devices[key] = d
	}
	if at.After(d.last) {
		d.last = at
	}
	return d
}
