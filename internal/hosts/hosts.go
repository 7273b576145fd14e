// Package hosts knows which machine is behind a source address now: by MAC address and name, as ARP, neighbour
// discovery, DHCP, mDNS, LLMNR and NetBIOS tell. Observations go in and come out with their Host completed.
//
// A MAC address is taken for an address's own only by what no router passes on or says for others: the sender of
// an ARP request, neighbour discovery, DHCP, link-local addresses and multicasts, and interface identifiers made of it.
// So machines are never joined because one router's MAC address stands before them all.
package hosts

import (
	"net/netip"
	"time"

	"avbeacon/capture"
)

// Options bounds a Hosts. Zero values take the defaults.
type Options struct {
	// MaxHosts is how many addresses with a name or an owner are remembered (131,072), how many MAC addresses and how
	// many names; the longest unseen of a sample goes.
	MaxHosts int
}

const defaultMaxHosts = 1 << 17

// Known is what is known of an address at a time.
type Known struct {
	Name    string
	Machine uint32  // see capture.Host
	MAC     [6]byte // valid iff HasMAC
	HasMAC  bool    // the MAC address is known to be this address's own
}

// Stats counts what a Hosts holds and lost.
type Stats struct {
	Addresses int
	MACs      int
	Routers   int    // MAC addresses in front of many addresses
	Machines  uint32 // numbers given
	Ended     uint64 // leases that ended before another machine was seen at the address
	Split     uint64 // addresses that two machines have, each in a VLAN of its own
	Evicted   uint64
}

// place is an address as maps find it fastest; IPv4 is v4-mapped.
type place = [16]byte

// Hosts is the memory. One goroutine owns it.
type Hosts struct {
	max     int
	addrs   ring[place, *address]
	devices ring[uint64, *device]
	called  ring[string, *title]
	number  uint32 // the last machine's
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
		addrs:   newRing[place, *address](),
		devices: newRing[uint64, *device](),
		called:  newRing[string, *title](),
		recent:  newRecent(),
	}
}

// Stamp learns from an Observation and completes its Host: which machine it is, its name, and whether the MAC address
// beside it is its own. A router's MAC address is taken away.
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
	if b.own != notOwn && b.mac == mac && !b.owner.router { // what most packets of a known machine look like
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
func (h *Hosts) Machine(a netip.Addr, vlan uint16) uint32 {
	if !a.IsValid() {
		return 0
	}
	if x := h.addrs.get(a.As16()); x != nil {
		return x.binding(vlan, 0).machine
	}
	return 0
}

// Lookup returns what an address meant at a time; false if nothing is known, or where its lease had ended. Of an address
// that several machines have it speaks of the one in the VLAN seen last.
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

// Stats returns the counters.
func (h *Hosts) Stats() Stats {
	s := h.stats
	s.Addresses, s.MACs, s.Machines = h.addrs.len(), h.devices.len(), h.number
	return s
}

// another returns the number of a machine that was not known before.
func (h *Hosts) another() uint32 {
	h.number++
	h.recent.change()
	return h.number
}

// forClient makes a forwarder's question speak of the client that asked, where EDNS names it: by MAC address (what
// dnsmasq adds), or by a client subnet of one address (RFC 7871 6). The forwarder stays in Src, and ForClient says so.
// Where the client's address is not known its MAC address and its machine alone are told.
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

// ofDevice completes a Host of which the MAC address alone is sure.
func (h *Hosts) ofDevice(who *capture.Host, at int64) {
	mac := packMAC(who.MAC)
	h.bind(who.Addr, claim{mac: mac, how: bySight, vlan: noVLAN, at: at})
	d := h.device(mac, at)
	if d.router || shared(mac) {
		who.MAC, who.HasMAC = [6]byte{}, false
		return
	}
	if d.machine == 0 {
		d.machine = h.another()
	}
	who.Own, who.Machine, who.Name = true, d.machine, d.name
	if !who.Addr.IsValid() && d.owns > 0 && d.at != (place{}) {
		who.Addr = netip.AddrFrom16(d.at).Unmap()
	}
}
