package classify

import (
	"net/netip"
	"strconv"

	"avbeacon/capture"
)

// numbered gives the machine that internal/hosts has numbered, and puts the address under it. A host known by its address
// alone takes the number; one that has another number stays as it is, with its evidence: it was another machine.
func (t *hostTable) numbered(a netip.Addr, h *host, obs *capture.Observation) *host {
	who := &obs.Host
	if h == nil || h.number != who.Machine {
		known := t.byNum[who.Machine]
		if known == nil {
			known = t.unnumbered(h, who)
		}
		switch {
		case known == nil:
			known = t.add(&host{key: keyOfMachine(h, obs)}, a)
		case h != nil && h != known && h.number == 0 && len(h.tracks) == 0:
			t.drop(h)
		}
		known.number = who.Machine
		t.byNum[who.Machine] = known
		t.byAddr.set(a, known)
		h = known
	}
	if who.Own && who.HasMAC && (!h.own || h.mac != who.MAC) {
		h.mac, h.hasMAC, h.own = who.MAC, true, true
		t.byMAC[who.MAC] = h
	}
	return h
}

// unnumbered gives the host that a machine with a new number is: the one with its MAC, which an earlier run has left, or h,
// the one at its address, unless that is known to be another machine. nil where there is none.
func (t *hostTable) unnumbered(h *host, who *capture.Host) *host {
	own := who.Own && who.HasMAC
	if own {
		if m := t.byMAC[who.MAC]; m != nil && m.number == 0 {
			return m
		}
	}
	if h != nil && h.number == 0 && !(own && h.own && h.mac != who.MAC) {
		return h
	}
	return nil
}

// unplaced makes a machine of which a forwarder told the hardware address and nothing tells the address: it is shown with
// the forwarder's, under which it is not found.
func (t *hostTable) unplaced(obs *capture.Observation) *host {
	if h := t.byMAC[obs.Host.MAC]; h != nil && h.number == 0 { // an earlier run's
		h.number = obs.Host.Machine
		t.byNum[h.number] = h
		return h
	}
	if len(t.list) >= t.max {
		t.evict()
	}
	h := &host{key: macText(obs.Host.MAC), addr: obs.Src.Addr(), at: len(t.list), mac: obs.Host.MAC, hasMAC: true, own: true, number: obs.Host.Machine}
	t.list = append(t.list, h)
	t.byNum[h.number], t.byMAC[h.mac] = h, h
	return h
}

// keyOfMachine is the stable key of a machine first seen now: its own MAC, else its address; with the time where former,
// the machine that had the address before, is called by it.
func keyOfMachine(former *host, obs *capture.Observation) string {
	if obs.Host.Own && obs.Host.HasMAC {
		return macText(obs.Host.MAC)
	}
	key := obs.Host.Addr.String()
	if former != nil {
		key += "@" + strconv.FormatInt(obs.Time.Unix(), 10)
	}
	return key
}

// clientOf gives the host for which a forwarder asked; nil where the client that it names is none of the site's.
func (c *Classifier) clientOf(obs *capture.Observation) *host {
	who := &obs.Host
	if who.Addr.IsValid() {
		if !c.home(who.Addr) {
			return nil
		}
		h := c.hosts.get(who.Addr, obs)
		h.see(obs, who.Addr)
		return h
	}
	h := c.hosts.byNum[who.Machine]
	if h == nil {
		h = c.hosts.unplaced(obs)
	}
	h.seeAt(h.addr, obs.Time)
	if who.Name != "" {
		h.name = who.Name
	}
	return h
}

// forwards counts a question that a forwarder asked for its client.
func (c *Classifier) forwards(obs *capture.Observation) {
	f := c.hosts.get(obs.Src.Addr(), nil)
	f.seeAt(obs.Src.Addr(), obs.Time)
	f.did.lookups++
	c.asked(&f.did, obs.Time)
}
