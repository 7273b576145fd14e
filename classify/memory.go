package classify

import (
	"cmp"
	"slices"
)

// What keeps the memory of a Classifier and of its callers small when there are very many findings.

// Each calls do with every present finding, in the order of Findings and one at a time, so that not all are held at once. It ends with
// the first error of do, which must not call the Classifier.
func (c *Classifier) Each(do func(*Finding) error) error {
	for p, ok := c.pending.oldest(); ok; p, ok = c.pending.oldest() {
		c.judgeLookup(p, unanswered)
	}
	var all []*track
	for _, h := range c.hosts.all() {
		all = append(all, h.tracks...)
	}
	slices.SortFunc(all, func(a, b *track) int {
		return cmp.Or(a.host.addr.Compare(b.host.addr), cmp.Compare(a.vendor.Key, b.vendor.Key), cmp.Compare(a.id, b.id))
	})
	for _, t := range all {
		if f := c.finding(t); f != nil {
			if err := do(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Limit sets the limit on hosts, at least 1. Hosts beyond it go at once, in the order of eviction.
func (c *Classifier) Limit(hosts int) {
	c.hosts.max = max(hosts, 1)
	for len(c.hosts.list) > c.hosts.max {
		c.hosts.evict()
	}
	c.letGo()
}

// someHosts is the number of evicted hosts after which letGo is worth its cost.
const someHosts = 256

// sweepFlows calls letGo from time to time.
func (c *Classifier) sweepFlows() {
	if c.hosts.evicted-c.freed >= someHosts {
		c.letGo()
	}
}

// letGo drops open flows of evicted hosts, which would keep the hosts in memory, and remains of flows that ended.
func (c *Classifier) letGo() {
	c.freed = c.hosts.evicted
	t := &c.flows
	for i := range t.order.n {
		s := t.order.ring[(t.order.head+i)%len(t.order.ring)]
		if f := t.flows[s.key]; f != s.flow {
			s.flow = &t.over
		} else if h := f.host; h.at >= len(c.hosts.list) || c.hosts.list[h.at] != h {
			delete(t.flows, s.key)
			s.flow = &t.over
		}
	}
}

// Pieces returns the whole memory for Restore alone: no piece has its Finding.
func (c *Classifier) Pieces() []Saved {
	k := knownIn(c.opt.Catalog)
	out := []Saved{{Data: c.open(k, true)}}
	for _, h := range c.hosts.all() {
		out = append(out, Saved{Host: h.key, Data: pack(func(x *coder) { h.code(x, k); c.addresses(x, h) })})
		for _, t := range h.tracks {
			out = append(out, Saved{Host: h.key, Vendor: t.vendor.Key, Data: pack(func(x *coder) { t.code(x, k); c.reaches(x, t) })})
		}
	}
	return out
}
