// Package names remembers what each host last resolved to which address (passive DNS). Observations go in; flow records
// that bear no name come out with the name that explains their address, marked as derived.
package names

import (
	"net/netip"
	"time"

	"avbeacon/capture"
)

// Options bounds a Names. Zero values take the defaults.
type Options struct {
	MaxPairs int           // (host, address) pairs remembered (65,536); the oldest goes
	Grace    time.Duration // how long beyond its TTL a name still explains an address (10 min)
}

// leastTTL is what a TTL counts as at least: resolvers and browsers hold short ones that long.
const leastTTL = time.Minute

// early is how much before its answer a flow may seem to begin, as packets of two paths are put in order.
const early = time.Second

// Stats counts what a Names holds and lost.
type Stats struct {
	Pairs     int
	Evicted   uint64
	Unlearned uint64 // addresses that a later answer gave to another name
	Derived   uint64
	Others    uint64 // names that another host's look-up gave
}

type pair struct{ host, addr netip.Addr }

// learned is what an address meant and when.
type learned struct {
	name       string // "" once unlearned
	host       netip.Addr
	from, till time.Time
}

// Names is the memory. One goroutine owns it.
type Names struct {
	opt   Options
	pairs map[pair]*learned
	last  map[netip.Addr]*learned // by address alone: the last look-up of any host
	order []pair                  // ring
	next  int
	hot   hotSet
	stats Stats
}

// New makes an empty memory.
func New(opt Options) *Names {
	if opt.MaxPairs <= 0 {
		opt.MaxPairs = 65536
	}
	if opt.Grace <= 0 {
		opt.Grace = 10 * time.Minute
	}
	return &Names{opt: opt, hot: newHotSet(), pairs: map[pair]*learned{}, last: map[netip.Addr]*learned{}}
}

// Stamp learns from an answer, and names a flow record that has no name of its own; such a flow is of interest then,
// whatever it was marked.
func (n *Names) Stamp(obs *capture.Observation) {
	switch obs.Kind {
	case capture.Answer:
		if obs.Proto == capture.DNS && len(obs.Addrs) > 0 {
			n.answer(obs)
		}
	case capture.Contact:
		if obs.Name == "" && obs.Flow != nil && hidden(obs) && n.hot.has(obs.Dst.Addr()) {
			n.flow(obs)
		}
	}
}

// hidden says that a flow did not show its name: its protocol has none, or its hello bore none. A hello or request without
// a name of interest had another name, so that it must not take this one.
func hidden(obs *capture.Observation) bool {
	switch obs.Flow.Proto {
	case capture.TLS, capture.QUIC, capture.DTLS:
		return obs.Marks&capture.NoName != 0
	case capture.HTTP, capture.DNS, capture.MDNS, capture.LLMNR, capture.NBNS, capture.SSDP, capture.DHCP:
		return false
	}
	return true
}

func (n *Names) answer(obs *capture.Observation) {
	host := obs.Host.Addr
	if !host.IsValid() {
		return
	}
	if obs.Name == "" {
		for _, a := range obs.Addrs {
			if n.hot.has(a) {
				n.unlearn(pair{host, a})
			}
		}
		return
	}
	till := obs.Time.Add(max(ttlOf(obs), leastTTL) + n.opt.Grace)
	for _, a := range obs.Addrs {
		if a.IsUnspecified() || a.IsLoopback() {
			continue
		}
		n.learn(pair{host, a}, learned{name: obs.Name, host: host, from: obs.Time, till: till})
	}
}

// ttlOf gives the shortest TTL of the answer's addresses; 0 where it is not known.
func ttlOf(obs *capture.Observation) time.Duration {
	if obs.DNS == nil {
		return 0
	}
	least, any := uint32(0), false
	for i := range obs.DNS.Answers {
		r := &obs.DNS.Answers[i]
		if r.Addr.IsValid() && (!any || r.TTL < least) {
			least, any = r.TTL, true
		}
	}
	return time.Duration(min(least, 7*86400)) * time.Second
}

func (n *Names) learn(p pair, what learned) {
	if l := n.pairs[p]; l != nil {
		if l.name == what.name && !what.from.After(l.till) {
			l.till = what.till // asked again while it was still known
		} else {
			*l = what
		}
		n.last[p.addr] = l
		return
	}
	l := &what
	n.remember(p)
	n.hot.add(p.addr)
	n.pairs[p], n.last[p.addr] = l, l
}

func (n *Names) remember(p pair) {
	if len(n.order) < n.opt.MaxPairs {
		n.order = append(n.order, p)
		return
	}
	old := n.order[n.next]
	if l := n.pairs[old]; l != nil && n.last[old.addr] == l {
		delete(n.last, old.addr)
	}
	delete(n.pairs, old)
	n.stats.Evicted++
	n.order[n.next] = p
	n.next = (n.next + 1) % len(n.order)
	if n.next == 0 { // all of it is new since the last time
		n.hot = newHotSet()
		for _, q := range n.order {
			n.hot.add(q.addr)
		}
	}
}

// unlearn forgets what an address meant to a host, and to all where that host was the last to learn it: the address now
// serves another name.
func (n *Names) unlearn(p pair) {
	l := n.pairs[p]
	if l == nil || l.name == "" {
		return
	}
	l.name = ""
	n.stats.Unlearned++
	if n.last[p.addr] == l {
		delete(n.last, p.addr)
	}
}

func (n *Names) flow(obs *capture.Observation) {
	began := obs.Flow.First
	if began.IsZero() {
		began = obs.Time
	}
	server := obs.Dst.Addr()
	if l := n.pairs[pair{obs.Src.Addr(), server}]; l != nil {
		if l.covers(began) {
			obs.Name = l.name
			obs.Marks = obs.Marks&^capture.Plain | capture.NameDerived
			n.stats.Derived++
		}
		return
	}
	if l := n.last[server]; l != nil && l.covers(began) {
		obs.Name = l.name
		obs.Marks = obs.Marks&^capture.Plain | capture.NameDerived | capture.NameOther
		n.stats.Others++
	}
}

func (l *learned) covers(at time.Time) bool {
	return l.name != "" && !at.Before(l.from.Add(-early)) && !at.After(l.till)
}

// Stats gives the counters.
func (n *Names) Stats() Stats {
	s := n.stats
	s.Pairs = len(n.pairs)
	return s
}
