package classify

import (
	"avbeacon/classify/beacon"
	"avbeacon/feeds"
)

// entryKey is by what an entry of the catalogue is known again in another build of it.
type entryKey struct {
	vendor, pattern string
	signal          feeds.Signal
	match           feeds.Match
	role            feeds.Role
}

func keyOfEntry(e *feeds.Entry) entryKey {
	return entryKey{vendor: keyOfVendor(e.Vendor), pattern: e.Pattern, signal: e.Signal, match: e.Match, role: e.Role}
}

// known finds entries and vendors by what a snapshot calls them.
type known struct {
	catalog *feeds.Catalog
	entries map[entryKey]*feeds.Entry
}

func knownIn(c *feeds.Catalog) *known {
	k := &known{catalog: c, entries: map[entryKey]*feeds.Entry{}}
	for e := range c.Entries() {
		if at := keyOfEntry(e); k.entries[at] == nil {
			k.entries[at] = e
		}
	}
	return k
}

// entry is one of the catalogue's; nil, and one that is there no more, is read as nil.
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

// vendor is one of the catalogue's; nil, and one that is there no more, is read as nil.
func (k *known) vendor(c *coder, v **feeds.Vendor) {
	key := keyOfVendor(*v)
	c.text(&key)
	if c.reads {
		*v = k.catalog.Vendor(key)
	}
}

// code is the host without its tracks.
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
	if n := len(h.spans); n > 0 {
		h.placed, h.began = h.spans[n-1].Address == h.addr, h.spans[n-1].From.UnixNano()
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

// sum changes with all that a host shows, whoever calls: cheap, so that every host can be asked every second.
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
	return n*31 + uint64(hashText(h.name))
}
