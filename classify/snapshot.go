package classify

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// Saved is one piece of a Classifier's memory, from which another Classifier can continue, in a later run and with another catalogue. Its
// key is (Host, Vendor).
type Saved struct {
	Host   string // stable key of the host; "" for what belongs to no host
	Vendor string // vendor's key; "" for the host itself
	Data   []byte // what Restore reads

	Who     *FindingHost // the host, valid iff Vendor is "" and Host is not
	Seen    time.Time    // ... and when it was last seen
	Finding *Finding     // the present one; nil if there is no verdict or Vendor is ""
	Beats   []Starts     // when contact was made; valid iff Vendor is set
}

// Starts is when sessions in one role began: what a Beacon is judged by.
type Starts struct {
	Role  feeds.Role
	Times []int64 // seconds since 1970, in order, at most 96: older ones are gone
}

// snapshotVersion is the first byte of Saved.Data. Older versions are read, later ones are not. Additions:
//
//	2  DNS queries without an answer, types and ids of DNS queries, even streams of questions, whether anybody is answered
const snapshotVersion = 2

// busyTable is how many open flows, and how many waiting DNS queries, a snapshot of changes holds at most; a whole one holds all.
const busyTable = 2048

// Saver returns the pieces of a Classifier's memory that changed. It belongs to the goroutine that owns the Classifier, which
// has one Saver at a time.
type Saver struct {
	c      *Classifier
	known  *known
	looked uint64 // hosts that Changed looked at, ever
}

// NewSaver makes a Saver for which everything is new.
func (c *Classifier) NewSaver() *Saver {
	c.hosts.touched.on = true
	for _, h := range c.hosts.all() {
		h.saved = 0
		for _, t := range h.tracks {
			t.saved = 0
		}
		c.hosts.touched.add(h)
	}
	return &Saver{c: c, known: knownIn(c.opt.Catalog)}
}

// Fresh takes what the Classifier holds now as saved already. It is called after Restore.
func (s *Saver) Fresh() {
	for _, h := range s.c.hosts.all() {
		h.saved = h.sum()
		for _, t := range h.tracks {
			t.saved = t.sum()
		}
	}
	s.settle()
}

// settle forgets which hosts were touched.
func (s *Saver) settle() {
	t := &s.c.hosts.touched
	for _, h := range t.list {
		h.touched = false
	}
	clear(t.list) // hosts that are forgotten meanwhile must not stay in memory
	t.list = t.list[:0]
}

// Changed returns the pieces that changed since the last call; whole returns every piece. It looks at the hosts that something
// touched since then, 30 ns each, and needs about 10 us for a piece that changed: a site of 65,536 hosts of which none is active
// costs nothing.
func (s *Saver) Changed(whole bool) []Saved {
	list := s.c.hosts.touched.list
	if whole {
		list = s.c.hosts.all()
	}
	return s.pieces(list, whole, whole)
}

// Rest returns the pieces that changed since the last call, and all open flows and DNS queries that wait: with what was returned
// before it is the whole memory. It is called last, and looks at every host.
func (s *Saver) Rest() []Saved { return s.pieces(s.c.hosts.all(), false, true) }

// pieces returns those of some hosts that changed, or all of them, behind what belongs to no host.
func (s *Saver) pieces(list []*host, all, open bool) []Saved {
	out := []Saved{{Data: s.c.open(s.known, open)}}
	for _, h := range list {
		if h.at >= len(s.c.hosts.list) || s.c.hosts.list[h.at] != h {
			continue // it was forgotten
		}
		s.looked++
		for _, t := range h.tracks { // before the host: judging a finding may show something about its host
			if sum := t.sum(); all || t.saved != sum {
				t.saved = sum
				out = append(out, s.track(h, t))
			}
		}
		if sum := h.sum(); all || h.saved != sum {
			h.saved = sum
			who := h.snapshot()
			out = append(out, Saved{Host: h.key, Data: pack(func(c *coder) { h.code(c, s.known); s.c.addresses(c, h) }), Who: &who, Seen: h.seen()})
		}
	}
	s.settle()
	return out
}

func (s *Saver) track(h *host, t *track) Saved {
	x := Saved{Host: h.key, Vendor: t.vendor.Key, Finding: s.c.finding(t), Data: pack(func(c *coder) { t.code(c, s.known); s.c.reaches(c, t) })}
	for i := range t.beats {
		x.Beats = append(x.Beats, Starts{Role: t.beats[i].role, Times: slices.Clone(t.beats[i].starts)})
	}
	return x
}

func pack(write func(*coder)) []byte {
	c := newWriter()
	version := uint8(snapshotVersion)
	code(c, &version)
	c.form = version
	write(c)
	return c.b
}

func unpack(b []byte, read func(*coder)) error {
	c := newReader(b)
	var version uint8
	if code(c, &version); version < 1 || version > snapshotVersion {
		c.fail("another version")
		return c.err
	}
	c.form = version
	read(c)
	return c.end()
}

// addresses codes the addresses that the host is indexed by.
func (c *Classifier) addresses(x *coder, h *host) {
	var at []netip.Addr
	if !x.reads {
		at = c.hosts.indexed(h)
	}
	list(x, &at, maxSpans+1, func(a *netip.Addr) { x.addr(a) })
	if !x.reads || x.err != nil {
		return
	}
	for _, a := range at {
		if other := c.hosts.byAddr.get(a); a.IsValid() && (other == nil || other.newest <= h.newest) {
			c.hosts.byAddr.set(a, h)
		}
	}
}

// reaches codes the shortest round trips to the track's destinations.
func (c *Classifier) reaches(x *coder, t *track) {
	for _, d := range t.dests {
		least := int64(c.trips[d.Address])
		code(x, &least)
		if x.reads && x.err == nil {
			c.trips.Note(d.Address, time.Duration(least))
		}
	}
}

// Restored counts what Restore did.
type Restored struct {
	Hosts, Findings int // pieces restored; a finding may have no verdict yet
	Unknown         int // findings of vendors that are no longer in the catalogue
	Unread          int // pieces that are damaged or of another version
	Beyond          int // hosts over the limit
	Err             error
}

// Restore restores what a Saver of an earlier run returned, in any order, before the first Observation. Unreadable pieces are skipped and
// counted; Err is the reason for the first. Data may be hostile. A piece with a vendor and without a host is not ours and is skipped.
func (c *Classifier) Restore(pieces []Saved) Restored {
	r := restorer{c: c, known: knownIn(c.opt.Catalog), byKey: map[string]*host{}}
	var last []byte
	for i := range pieces {
		switch p := &pieces[i]; {
		case p.Host == "" && p.Vendor == "":
			last = p.Data
		case p.Host == "":
		case p.Vendor == "":
			r.host(p)
		}
	}
	for i := range pieces {
		if p := &pieces[i]; p.Host != "" && p.Vendor != "" {
			r.track(p)
		}
	}
	for _, h := range c.hosts.all() {
		if h.own && c.opt.Recall != nil {
			if m := c.opt.Recall(h.mac, c.hosts.indexed(h), h.seen()); c.hosts.byMachine[m] == nil && m != 0 {
				c.hosts.is(h, m)
			}
		}
		slices.SortStableFunc(h.tracks, func(a, b *track) int {
			return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.vendor.Key, b.vendor.Key))
		})
	}
	if last != nil {
		r.unread(unpack(last, func(x *coder) { r.open(x) }))
	}
	return r.Restored
}

type restorer struct {
	Restored
	c     *Classifier
	known *known
	byKey map[string]*host
}

func (r *restorer) unread(err error) bool {
	if err == nil {
		return false
	}
	r.Unread++
	r.Err = cmp.Or(r.Err, err)
	return true
}

func (r *restorer) host(p *Saved) {
	h := &host{}
	t := &r.c.hosts
	if len(t.list) >= t.max {
		r.Beyond++
		return
	}
	if r.unread(unpack(p.Data, func(x *coder) { h.code(x, r.known); r.c.addresses(x, h) })) || h.key != p.Host || r.byKey[h.key] != nil {
		t.forget(h)
		return
	}
	h.at = len(t.list)
	t.list = append(t.list, h)
	r.byKey[h.key] = h
	r.Hosts++
}

// forget removes the addresses of a host that was not restored.
func (t *hostTable) forget(h *host) {
	for _, a := range h.known() {
		t.byAddr.drop(a, h)
	}
}

// indexed returns the addresses that the host is indexed by, the latest first.
func (t *hostTable) indexed(h *host) []netip.Addr {
	return slices.DeleteFunc(h.known(), func(a netip.Addr) bool { return t.byAddr.get(a) != h })
}

// known returns the host's addresses, the latest first. A host that was only connected to has no span.
func (h *host) known() []netip.Addr {
	out := []netip.Addr{h.addr}
	for _, s := range h.spans {
		if s.Address != h.addr {
			out = append(out, s.Address)
		}
	}
	return out
}

func (r *restorer) track(p *Saved) {
	h, v := r.byKey[p.Host], r.c.opt.Catalog.Vendor(p.Vendor)
	if h == nil || v == nil || h.track(v) != nil {
		r.Unknown++
		return
	}
	t := &track{host: h, vendor: v}
	if r.unread(unpack(p.Data, func(x *coder) { t.code(x, r.known); r.c.reaches(x, t) })) {
		return
	}
	t.pools = slices.DeleteFunc(t.pools, func(p pool) bool { return p.entry == nil })
	t.installs = slices.DeleteFunc(t.installs, func(u installs) bool { return u.entry == nil })
	t.id = findingID(r.c.opt.Sensor, h.key, v.Key)
	h.tracks = append(h.tracks, t)
	r.Findings++
}

// open packs what belongs to no single host: the clock, the traffic counters, open flows and waiting DNS queries.
func (c *Classifier) open(k *known, whole bool) []byte {
	return pack(func(x *coder) {
		c.clock(x)
		flows := c.flows.all()
		looks := c.pending.all()
		if !whole {
			flows = flows[max(0, len(flows)-busyTable):]
			looks = looks[max(0, len(looks)-busyTable):]
		}
		list(x, &flows, snapshotFlows, func(s **flowSlot) {
			host := (*s).flow.host.key
			vendors := vendorsOf((*s).flow)
			(*s).code(x, k, &host, &vendors)
		})
		list(x, &looks, snapshotFlows, func(l **lookup) {
			host := (*l).host.key
			(*l).code(x, k, &host)
		})
	})
}

// open restores them, except those of unknown hosts.
func (r *restorer) open(x *coder) {
	r.c.clock(x)
	var flows []*flowSlot
	list(x, &flows, snapshotFlows, func(s **flowSlot) {
		*s = &flowSlot{flow: &flow{}}
		var host string
		var vendors []*feeds.Vendor
		(*s).code(x, r.known, &host, &vendors)
		if h := r.byKey[host]; h != nil && x.err == nil {
			r.flow(*s, h, vendors)
		}
	})
	var looks []*lookup
	list(x, &looks, snapshotFlows, func(l **lookup) {
		*l = &lookup{}
		var host string
		(*l).code(x, r.known, &host)
		if (*l).host = r.byKey[host]; (*l).host != nil && x.err == nil {
			r.c.await(*l)
		}
	})
}

func (r *restorer) flow(s *flowSlot, h *host, vendors []*feeds.Vendor) {
	table := &r.c.flows
	if table.order.full() || table.flows[s.key] != nil {
		return
	}
	s.flow.host = h
	for _, v := range vendors {
		if v == nil {
			continue
		}
		if t := h.track(v); t != nil && !s.flow.has(t) {
			s.flow.tracks = append(s.flow.tracks, t)
		}
	}
	table.flows[s.key] = s.flow
	table.order.push(s)
}

func (c *Classifier) clock(x *coder) {
	x.instant(&c.now)
	x.instant(&c.swept)
	code(x, &c.traffic.flows)
	code(x, &c.traffic.lookups)
	code(x, &c.traffic.flowLookups)
	if x.since(2) {
		code(x, &c.traffic.heard)
		code(x, &c.traffic.asker)
		x.flag(&c.traffic.manyAsk)
	}
}

// all returns the flows that are open, in the order in which they came.
func (t *flowTable) all() []*flowSlot {
	var out []*flowSlot
	for i := range t.order.n {
		s := t.order.ring[(t.order.head+i)%len(t.order.ring)]
		if t.flows[s.key] == s.flow {
			out = append(out, s)
		}
	}
	return out
}

// all returns the DNS queries that are remembered, in the order in which they came.
func (t *pendingTable) all() []*lookup {
	var out []*lookup
	for i := range t.order.n {
		out = append(out, t.order.ring[(t.order.head+i)%len(t.order.ring)])
	}
	return out
}

func vendorsOf(f *flow) []*feeds.Vendor {
	var out []*feeds.Vendor
	for _, t := range f.tracks {
		out = append(out, t.vendor)
	}
	return slices.Clip(out)
}

func (s *flowSlot) code(x *coder, k *known, host *string, vendors *[]*feeds.Vendor) {
	x.addrPort(&s.key.client)
	x.addrPort(&s.key.server)
	codeMost(x, &s.key.transport, capture.ICMP)
	x.text(host)
	f := s.flow
	x.instant(&f.start)
	x.text(&f.tool)
	for _, is := range [...]*bool{&f.browser, &f.named, &f.derived, &f.proxy, &f.network, &f.payload} {
		x.flag(is)
	}
	list(x, vendors, snapshotPools, func(v **feeds.Vendor) { k.vendor(x, v) })
}

func (l *lookup) code(x *coder, k *known, host *string) {
	x.addrPort(&l.key.client)
	x.addrPort(&l.key.server)
	code(x, &l.key.id)
	x.text(&l.key.name)
	x.text(host)
	x.text(&l.name)
	x.instant(&l.time)
	l.frame.code(x)
	x.flag(&l.noRecursion)
	x.addr(&l.server)
	x.addr(&l.through)
	x.flag(&l.gone)
	code(x, &l.ttl)
	if x.since(2) {
		code(x, &l.kind)
	}
	list(x, &l.entries, snapshotPools, func(e **feeds.Entry) { k.entry(x, e) })
	if x.reads {
		l.entries = slices.DeleteFunc(l.entries, func(e *feeds.Entry) bool { return e == nil || e.Vendor == nil })
	}
}
