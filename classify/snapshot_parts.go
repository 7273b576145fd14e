package classify

import (
	"time"

	"avbeacon/classify/beacon"
	"avbeacon/feeds"
)

// The methods named code below list the fields of each type once, for writing and for reading (see coder). Order is the format: a new
// field needs a new version and c.since around it, so that older snapshots can still be read.

// entryKey identifies a catalogue entry across builds of the catalogue. File and line would not: entries move.
type entryKey struct {
	vendor, pattern string
	signal          feeds.Signal
	match           feeds.Match
	role            feeds.Role
}

func keyOfEntry(e *feeds.Entry) entryKey {
	return entryKey{vendor: keyOfVendor(e.Vendor), pattern: e.Pattern, signal: e.Signal, match: e.Match, role: e.Role}
}

// known finds entries and vendors by their keys in a snapshot.
type known struct {
	catalog *feeds.Catalog
	entries map[entryKey]*feeds.Entry
}

func knownIn(c *feeds.Catalog) *known {
	k := &known{catalog: c, entries: map[entryKey]*feeds.Entry{}}
	for e := range c.Entries() {
		if at := keyOfEntry(e); k.entries[at] == nil { // several entries may have one key: the first
			k.entries[at] = e
		}
	}
	return k
}

// entry codes a reference to a catalogue entry. Nil, or an entry the catalogue no longer has, reads back as nil.
func (k *known) entry(c *coder, v **feeds.Entry) {
	set := *v != nil
	c.flag(&set)
	if !set {
		*v = nil
		return
	}
	var at entryKey
	if !c.reads {
		at = keyOfEntry(*v)
	}
	c.text(&at.vendor)
	c.text(&at.pattern)
	code(c, &at.signal)
	code(c, &at.match)
	code(c, &at.role)
	if c.reads {
		*v = k.entries[at]
	}
}

// vendor codes a reference to a vendor. Nil, or one the catalogue no longer has, reads back as nil.
func (k *known) vendor(c *coder, v **feeds.Vendor) {
	key := keyOfVendor(*v)
	c.text(&key)
	if c.reads {
		*v = k.catalog.Vendor(key)
	}
}

// code codes the host without its tracks.
func (h *host) code(c *coder, k *known) {
	c.text(&h.key)
	c.addr(&h.addr)
	code(c, &h.newest)
	h.did.code(c, k)
	c.hours(&h.active)
	list(c, &h.spans, maxSpans, func(s *AddressSpan) {
		c.addr(&s.Address)
		c.instant(&s.From)
		c.instant(&s.To)
	})
	if n := len(h.spans); n > 0 { // not saved: the last span says it
		h.spanned, h.began = h.spans[n-1].Address == h.addr, h.spans[n-1].From.UnixNano()
	}
	c.bytes(h.mac[:])
	c.flag(&h.hasMAC)
	c.flag(&h.own)
	c.text(&h.name)
	list(c, &h.vlans, 16, func(v *uint16) { code(c, v) })
	list(c, &h.remarks, maxRemarks, func(r **remark) {
		if c.reads {
			*r = &remark{}
		}
		(*r).code(c, k)
	})
}

func (r *remark) code(c *coder, k *known) {
	c.text(&r.what)
	c.addr(&r.Host)
	k.vendor(c, &r.Vendor)
	codeMost(c, &r.Kind, RemarkWeak)
	c.text(&r.Words)
	code(c, &r.Count)
	c.instant(&r.First)
	c.instant(&r.Last)
	r.Frame.code(c)
}

func (f *FrameRef) code(c *coder) {
	code(c, &f.Input)
	code(c, &f.Frame)
}

// code codes what the host does. The arrays of pointers only shorten the list; their order counts like any other.
func (d *habits) code(c *coder, k *known) {
	for _, n := range [...]*uint32{&d.opened, &d.accepted, &d.lookups, &d.answersGot, &d.dnsFlows, &d.noRecursion, &d.iterative,
		&d.hourAsked, &d.mostAsked, &d.flowHourAsked, &d.answeredFlows, &d.answersGiven, &d.proxied, &d.via} {
		code(c, n)
	}
	code(c, &d.hour)
	code(c, &d.flowHour)
	for _, s := range [...]*smallSet{&d.askers, &d.clients, &d.agents, &d.consoles, &d.managed} {
		s.code(c)
	}
	for i := range d.ttls {
		code(c, &d.ttls[i].ttl)
		code(c, &d.ttls[i].flows)
	}
	code(c, &d.systems)
	code(c, &d.editions)
	code(c, &d.installations)
	code(c, &d.phases)
	if c.since(2) {
		d.stream.code(c)
		d.flowStream.code(c)
		code(c, &d.versions)
	}
	k.vendor(c, &d.console)
	relays := d.relay != nil
	c.flag(&relays)
	if !relays {
		return
	}
	if c.reads {
		d.relay = &relay{}
	}
	d.relay.code(c)
}

func (s *stream) code(c *coder) {
	code(c, &s.second)
	code(c, &s.asked)
	code(c, &s.most)
	code(c, &s.sum)
	code(c, &s.run)
	c.flag(&s.even)
}

// code codes the used part of the set. codeMost rejects a count that would reach beyond the array.
func (s *smallSet) code(c *coder) {
	codeMost(c, &s.n, uint8(len(s.v)))
	for i := range s.v[:s.n] {
		code(c, &s.v[i])
	}
}

func (r *relay) code(c *coder) {
	r.in.code(c)
	r.out.code(c)
	code(c, &r.taken)
	code(c, &r.made)
	code(c, &r.paired)
}

func (s *starts) code(c *coder) {
	for i := range s.at {
		code(c, &s.at[i])
	}
	codeMost(c, &s.next, uint8(len(s.at)-1))
}

// hours codes the hours of activity as a bitmap that ends with the newest one.
func (c *coder) hours(h *beacon.Hours) {
	newest, any := h.Newest()
	bitmap := h.Bitmap()
	code(c, &newest)
	for i := range bitmap {
		code(c, &bitmap[i])
	}
	c.flag(&any)
	if c.reads {
		*h = beacon.HoursOf(newest, bitmap)
	}
}

// sum changes with everything that a host shows, whoever calls. It is never 0. A Saver compares it to find hosts that have changed
// since they were last written: adding counters that only grow is much cheaper than coding the host.
func (h *host) sum() uint64 {
	d := &h.did
	n := uint64(d.opened) + uint64(d.accepted) + uint64(d.lookups) + uint64(d.answersGot) + uint64(d.dnsFlows) + uint64(d.noRecursion) +
		uint64(d.iterative) + uint64(d.answeredFlows) + uint64(d.answersGiven) + uint64(d.proxied) + uint64(d.via) + uint64(d.agents.n) +
		uint64(d.installations) + uint64(d.versions) + uint64(d.phases) + uint64(d.systems) + uint64(d.editions) + uint64(d.managed.n) + uint64(d.consoles.n)
	n = n*31 + uint64(h.newest)
	n = n*31 + uint64(h.began)
	n = n*31 + uint64(len(h.spans)) + uint64(len(h.vlans))<<8
	for _, r := range h.remarks {
		n = n*31 + r.Count
	}
	return (n*31 + uint64(hashText(h.name))) | 1
}

// Bounds of a track's lists: those of the code that fills them, or generous if an option sets them.
const (
	snapshotEvidence     = 1 << 12
	snapshotDestinations = 1 << 14
	snapshotPools        = 1 << 10
	snapshotFlows        = 1 << 20
)

// code codes the track without its host and vendor.
func (t *track) code(c *coder, k *known) {
	c.text(&t.id)
	c.instant(&t.first)
	c.instant(&t.last)
	c.instant(&t.lastContact)
	c.instant(&t.returned)
	code(c, &t.contacts)
	code(c, &t.ownContacts)
	code(c, &t.lookups)
	code(c, &t.dropped)
	list(c, &t.evidence, snapshotEvidence, func(e **Evidence) {
		if c.reads {
			*e = &Evidence{}
		}
		(*e).code(c)
	})
	list(c, &t.dests, snapshotDestinations, func(d **Destination) {
		if c.reads {
			*d = &Destination{}
		}
		(*d).code(c)
	})
	t.codeBehaviour(c, k)
	t.codeSessions(c, k)
	c.text(&t.product)
	c.text(&t.version)
	c.flag(&t.versionSure)
	c.flag(&t.stirred)
	c.flag(&t.fresh)
	codeMost(c, &t.announced, Installed)
	codeMost(c, &t.announcedState, Returned)
	code(c, &t.announcedHour)
}

func (e *Evidence) code(c *coder) {
	codeMost(c, &e.Kind, KindAgainst)
	c.text(&e.Value)
	codeMost(c, &e.Role, feeds.RoleCDN)
	codeMost(c, &e.Strength, feeds.Strong)
	c.flag(&e.Supports)
	c.float(&e.Weight)
	code(c, &e.Count)
	c.instant(&e.First)
	c.instant(&e.Last)
	list(c, &e.Frames, maxFrames, func(f *FrameRef) { f.code(c) })
	for _, s := range [...]*string{&e.Source, &e.Date, &e.Pattern, &e.File, &e.Note, &e.Why} {
		c.text(s)
	}
	code(c, &e.Line)
}

// code codes a destination as a track keeps it: network and place are determined when a finding is made.
func (d *Destination) code(c *coder) {
	c.addr(&d.Address)
	code(c, &d.Port)
	list(c, &d.Names, maxNames, func(s *string) { c.text(s) })
	rtt := int64(d.RTT)
	code(c, &rtt)
	code(c, &d.Contacts)
	code(c, &d.Failed)
	c.flag(&d.Proxy)
	if c.reads {
		d.RTT = time.Duration(rtt)
	}
}

// codeBehaviour codes what is derived from several sightings: pools, installations, fallback resolvers, rhythms, consoles.
func (t *track) codeBehaviour(c *coder, k *known) {
	list(c, &t.pools, snapshotPools, func(p *pool) {
		k.entry(c, &p.entry)
		list(c, &p.members, maxMembers, func(v *uint32) { code(c, v) })
	})
	list(c, &t.installs, snapshotPools, func(u *installs) {
		k.entry(c, &u.entry)
		code(c, &u.last)
		u.seen.code(c)
	})
	if c.since(2) {
		list(c, &t.turns, maxPrograms, func(u *turns) { u.code(c) })
	}
	f := &t.fallback
	c.instant(&f.failed)
	c.instant(&f.start)
	c.instant(&f.last)
	codeMost(c, &f.step, 31)
	code(c, &f.seen)
	c.flag(&f.caused)
	code(c, &f.best)
	c.instant(&f.first)
	c.instant(&f.till)
	c.hours(&t.contact)
	list(c, &t.beats, int(feeds.RoleCDN)+1, func(b *beat) { b.code(c) })
	list(c, &t.console, maxConsoles, func(u *consoleUse) {
		c.addr(&u.server)
		list(c, &u.ports, 16, func(p *uint16) { code(c, p) })
	})
	k.entry(c, &t.oem)
}

// code codes a beat; its rhythm is not saved.
func (b *beat) code(c *coder) {
	codeMost(c, &b.role, feeds.RoleCDN)
	list(c, &b.starts, maxBeats, func(v *int64) { code(c, v) })
	code(c, &b.last)
	c.flag(&b.flows)
	code(c, &b.ttl)
	code(c, &b.since)
	code(c, &b.earlier)
}

// codeSessions codes what verdict and state are read from.
func (t *track) codeSessions(c *coder, k *known) {
	list(c, &t.sessions, maxSessions, func(s *session) { s.code(c) })
	t.past.code(c)
	t.tries.code(c)
	t.asks.code(c)
	for i := range t.barred {
		code(c, &t.barred[i])
	}
	c.text(&t.tool)
	for i := range t.visited {
		c.flag(&t.visited[i])
	}
	code(c, &t.asked)
	code(c, &t.listed)
	for i := range t.lookedUp {
		code(c, &t.lookedUp[i].name)
		code(c, &t.lookedUp[i].at)
		if c.since(2) {
			code(c, &t.lookedUp[i].id)
			code(c, &t.lookedUp[i].kind)
		}
	}
}

func (s *session) code(c *coder) {
	code(c, &s.start)
	code(c, &s.last)
	code(c, &s.strong)
	code(c, &s.medium)
	for _, n := range [...]*uint32{&s.roles, &s.pages, &s.lookStrong, &s.lookRoles, &s.lookAll, &s.strongRoles} {
		code(c, n)
	}
	for _, is := range [...]*bool{&s.strongFlow, &s.anyFlow, &s.tool, &s.lookMedium, &s.cloudPort, &s.lanPort} {
		c.flag(is)
	}
}

func (f *facts) code(c *coder) {
	code(c, &f.twoKinds)
	code(c, &f.medium)
	for _, n := range [...]*int{&f.flowSessions, &f.lookSessions, &f.strongBoth, &f.portHours, &f.lanSessions} {
		code(c, n)
	}
	for _, n := range [...]*uint32{&f.lookups, &f.lookRoles, &f.roles, &f.pages} {
		code(c, n)
	}
	code(c, &f.lastPortHour)
	c.flag(&f.toolLookups)
}

func (a *attempts) code(c *coder) {
	codeMost(c, &a.n, len(a.slots))
	for i := range a.slots[:a.n] {
		code(c, &a.slots[i].hour)
		code(c, &a.slots[i].ok)
		code(c, &a.slots[i].fail)
		if c.since(2) {
			code(c, &a.slots[i].mute)
		}
	}
}

// sum changes whenever the track does. See host.sum.
func (t *track) sum() uint64 {
	n := t.contacts + t.ownContacts<<1 + t.lookups<<2 + t.dropped<<3
	n = n*31 + uint64(t.last.UnixNano())
	n = n*31 + uint64(t.lastContact.UnixNano())
	n = n*31 + uint64(len(t.evidence)) + uint64(len(t.dests))<<16 + uint64(len(t.beats))<<32
	for _, b := range t.barred {
		n = n*31 + uint64(b)
	}
	for _, a := range [...]*attempts{&t.tries, &t.asks} {
		if a.n > 0 {
			s := &a.slots[a.n-1]
			n = n*31 + uint64(a.n) + uint64(s.ok)<<8 + uint64(s.fail+s.mute)<<24
		}
	}
	n = n*31 + uint64(t.announced) + uint64(t.announcedState)<<8 + uint64(t.listed)<<16 + uint64(t.asked)
	return (n*31 + uint64(t.fallback.seen) + uint64(t.fallback.best)<<32) | 1
}
