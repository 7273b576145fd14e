package classify

import (
	"slices"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// open packs what belongs to no single host: the clock, what the traffic as a whole holds, open flows and look-ups that
// wait.
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

// open takes them up again. What speaks of hosts that are not there is left out.
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

// all gives the flows that are open, in the order in which they came.
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

// all gives the look-ups that are remembered, in the order in which they came.
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
