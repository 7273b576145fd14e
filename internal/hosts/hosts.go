// Package hosts resolves which machine is behind a source address at a packet time, by MAC address and name, from ARP, neighbour
// discovery, DHCP, mDNS, LLMNR and NetBIOS. Observations go in and come out with their Host completed: machine, name, and
// whether the MAC address is the address's own.
//
// A MAC address counts as an address's own only on evidence that no router forwards or sends for others: the sender of an ARP
// request, neighbour discovery, DHCP, link-local addresses and multicasts, and interface identifiers made of it. So machines are
// never joined because they are all behind one router's MAC address.
//
// Start with Stamp. learn.go holds the evidence, protocol by protocol; address.go who has an address (bindings); device.go MAC
// addresses and how routers are recognised; name.go names, and how they join addresses; recent.go the cache and the bounded map.
//
// A capture.Machine is the key by which classify finds a host. Recall restores machines of an earlier run. The text that finding ids
// are made of is kept by classify: it also has to cover machines known only by an address, which are not kept here.
package hosts

import (
	"net/netip"
	"slices"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/limits"
)

// Options bound a Hosts. Zero values take the defaults.
type Options struct {
	// MaxHosts is how many addresses with a name or an owner are remembered (limits.Hosts), how many MAC addresses and how
	// many names; the longest unseen of a sample goes.
	MaxHosts int
}

const defaultMaxHosts = limits.Hosts

// Known is what is known of an address at a time.
type Known struct {
	Name    string
	Machine capture.Machine
	MAC     [6]byte // valid iff HasMAC
	HasMAC  bool    // the MAC address is known to be this address's own
}

// Stats counts what a Hosts holds and lost.
type Stats struct {
	Addresses int
	MACs      int
	Routers   int    // MAC addresses in front of many addresses
	Machines  uint32 // numbers assigned
	Ended     uint64 // leases that ended before another machine was seen at the address
	Split     uint64 // addresses that two machines have, each in a VLAN of its own
	Evicted   uint64
}

// addrKey is an address as the fastest map key; IPv4 is v4-mapped.
type addrKey = [16]byte

// Hosts holds all state. One goroutine owns it.
type Hosts struct {
	max     int
	addrs   ring[addrKey, *address]
	devices ring[uint64, *device]
	called  ring[string, *title]
	number  uint32 // of machines so far
	recent  recent
	stats   Stats
}

// New makes an empty memory.
func New(opt Options) *Hosts {
	if opt.MaxHosts <= 0 {
		opt.MaxHosts = defaultMaxHosts
	}
	return &Hosts{
		max:     opt.MaxHosts,
		addrs:   newRing[addrKey, *address](),
		devices: newRing[uint64, *device](),
		called:  newRing[string, *title](),
		recent:  newRecent(),
	}
}

// Stamp learns from an Observation and completes its Host: which machine it is, its name, and whether the MAC address
// beside it is its own. A router's MAC address is removed.
func (h *Hosts) Stamp(obs *capture.Observation) {
	at := obs.Time.UnixNano()
	if obs.Marks&capture.Plain == 0 {
		h.learn(obs, at)
		if obs.Kind == capture.Lookup && obs.DNS != nil {
			h.forClient(obs)
		}
	}
	who := &obs.Host
	if !who.Addr.IsValid() {
		return
	}
	plain, pair := obs.Marks&capture.Plain != 0, uint64(0)
	if plain {
		pair = h.recent.hash(macOf(who), who.Addr, who.VLAN, at)
		if router, ok := h.recent.look(pair); ok {
			if router {
				who.HasMAC, who.MAC = false, [6]byte{}
			}
			return
		}
	}
	p := who.Addr.As16()
	a := h.addrs.get(p)
	if a == nil {
		router := h.front(who, p, at)
		if plain {
			h.recent.note(pair, router)
		}
		return
	}
	mac := macOf(who)
	b := a.binding(who.VLAN, mac)
	if b.own != notOwn && b.mac == mac && !b.owner.router { // most packets of a known machine
		b.seen = max(b.seen, at)
		who.Own, who.Name, who.Machine = true, b.name, b.machine
		return
	}
	h.front(who, p, at)
	h.complete(who, a, b, at)
}

// complete fills in what is known of a Host whose packet does not bear its own MAC address.
func (h *Hosts) complete(who *capture.Host, a *address, b *binding, at int64) {
	h.unmask(b)
	if b.over(at) {
		h.stats.Ended++
		b = a.turn(b, at)
		b.machine = h.another()
	}
	b.seen = max(b.seen, at)
	who.Name, who.Machine = b.name, b.machine
	if b.own != notOwn && !who.HasMAC {
		who.MAC, who.HasMAC, who.Own = unpackMAC(b.mac), true, true
	}
}

// Machine returns which machine is behind an address now; 0 if that is not known.
func (h *Hosts) Machine(a netip.Addr, vlan uint16) capture.Machine {
	if !a.IsValid() {
		return 0
	}
	if x := h.addrs.get(a.As16()); x != nil {
		return x.binding(vlan, 0).machine
	}
	return 0
}

// Lookup returns what is known of an address at a time; false if nothing is, or if its lease had ended. If several machines have the
// address, it returns the one in the VLAN seen last.
func (h *Hosts) Lookup(a netip.Addr, at time.Time) (Known, bool) {
	x := h.addrs.get(a.As16())
	if x == nil {
		return Known{}, false
	}
	b, t := &x.now, at.UnixNano()
	for i := len(x.past) - 1; i >= 0 && t < b.from; i-- {
		b = &x.past[i]
	}
	if b.over(t) {
		return Known{}, false
	}
	k := Known{Name: b.name, Machine: b.machine, HasMAC: b.own != notOwn}
	if k.HasMAC {
		k.MAC = unpackMAC(b.mac)
	}
	return k, true
}

// Recall restores a machine of an earlier run: a MAC address of its own, the addresses that it had, the latest first, and when it was
// last seen. It returns the machine's key, 0 if the MAC address is a router's. What is known by now stays.
func (h *Hosts) Recall(mac [6]byte, at []netip.Addr, seen time.Time) capture.Machine {
	c := claim{mac: packMAC(mac), how: bySight, vlan: noVLAN, at: seen.UnixNano()}
	d := h.device(c.mac, c.at)
	if d.machine != 0 || d.router || shared(c.mac) {
		return d.machine
	}
	for _, a := range slices.Backward(at) {
		if h.addrs.get(a.As16()) == nil {
			h.bind(a, c)
		}
	}
	if d.machine == 0 {
		d.machine = h.machineOf(d, c.mac)
	}
	return d.machine
}

// Stats returns the counters.
func (h *Hosts) Stats() Stats {
	s := h.stats
	s.Addresses, s.MACs, s.Machines = h.addrs.len(), h.devices.len(), h.number
	return s
}

// another returns the key of a machine that is new and has no MAC address of its own yet.
func (h *Hosts) another() capture.Machine {
	h.number++
	h.recent.change()
	return 1<<48 | capture.Machine(h.number) // no MAC address
}

// machineOf returns the key of a machine that is new and is known by a device.
func (h *Hosts) machineOf(d *device, mac uint64) capture.Machine {
	other := h.another()
	if d.keyed { // it proved to be a proxy, and the machine that it had answered for has that key
		return other
	}
	d.keyed = true
	return capture.Machine(mac)
}

// forClient attributes a forwarder's DNS query to its client, if EDNS names it: by MAC address (as dnsmasq adds it), or by a client
// subnet of one address (RFC 7871 6). The forwarder stays in Src, and the mark ForClient is set. If the client's address is
// unknown, Host has its MAC address and machine only.
func (h *Hosts) forClient(obs *capture.Observation) {
	d := obs.DNS
	who := capture.Host{VLAN: obs.Host.VLAN}
	if s := d.ClientSubnet; s.IsValid() && s.IsSingleIP() && bindable(s.Addr()) {
		who.Addr = s.Addr().Unmap()
	}
	if d.HasClientMAC && d.ClientMAC[0]&1 == 0 && d.ClientMAC != ([6]byte{}) {
		who.MAC, who.HasMAC = d.ClientMAC, true
		h.ofDevice(&who, obs.Time.UnixNano())
	}
	if who.Addr == obs.Src.Addr() || !who.Addr.IsValid() && !who.HasMAC || who.HasMAC && obs.HasSrcMAC && who.MAC == obs.SrcMAC {
		return
	}
	obs.Host = who
	obs.Marks |= capture.ForClient
}

// ofDevice completes a Host known only by its MAC address.
func (h *Hosts) ofDevice(who *capture.Host, at int64) {
	mac := packMAC(who.MAC)
	h.bind(who.Addr, claim{mac: mac, how: bySight, vlan: noVLAN, at: at})
	d := h.device(mac, at)
	if d.router || shared(mac) {
		who.MAC, who.HasMAC = [6]byte{}, false
		return
	}
	if d.machine == 0 {
		d.machine = h.machineOf(d, mac)
	}
	who.Own, who.Machine, who.Name = true, d.machine, d.name
	if !who.Addr.IsValid() && d.owns > 0 && d.at != (addrKey{}) {
		who.Addr = netip.AddrFrom16(d.at).Unmap()
	}
}
