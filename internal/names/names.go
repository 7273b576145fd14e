// Package names remembers what each host last resolved to which address (passive DNS). Observations go in; flow records
// that bear no name come out with the name that explains their address, marked as derived.
package names

import (
	"encoding/binary"
	"net/netip"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// Options bounds a Names. Zero values take the defaults.
type Options struct {
	MaxPairs int           // (host, address) pairs remembered (131,072); the oldest goes
	Grace    time.Duration // how long beyond its TTL a name still explains an address (10 min)
	// Interest, where not nil, says which names matter: where the name asked for is an alias, the first of its chain that is of
	// interest stands for the address.
	Interest capture.Interest
}

const (
	defaultMaxPairs = 1 << 17
	defaultGrace    = 10 * time.Minute
)

// leastTTL is what a TTL counts as at least: resolvers and browsers hold short ones that long; mostTTL is what caches
// hold at most (RFC 8767 4 speaks of days, resolvers' defaults of one to seven).
const (
	leastTTL = 60
	mostTTL  = 7 * 86400
)

// early is how much before its answer a flow may seem to begin, as packets of two paths are put in order.
const early = int64(time.Second)

// Stats counts what a Names holds and lost.
type Stats struct {
	Pairs     int
	Evicted   uint64
	Unlearned uint64 // addresses that a later answer gave to another name
	Derived   uint64
	Others    uint64 // names that another host's DNS query gave
}

// place is an address as maps find it fastest; IPv4 is v4-mapped.
type place = [16]byte

// pair is who asked, and where the answer led. Who is an address, or the number of a machine that has several: what it
// asked for from one of them explains where it goes from another.
type pair struct{ host, addr place }

// learned is what an address meant and when, in nanoseconds since 1970.
type learned struct {
	name       string // "" once unlearned
	machine    uint32 // whose DNS query it was, where it stands under an address; 0: not known
	host       place  // the address that asked
	from, till int64
}

// Names is the memory. One goroutine owns it.
type Names struct {
	opt   Options
	pairs map[pair]*learned
	last  map[place]*learned // by address alone: the last DNS query of any host
	order []pair             // ring
	next  int
	hot   hotSet
	stats Stats

	changed [parts]bool // since Changed was last called
}

// New makes an empty memory.
func New(opt Options) *Names {
	if opt.MaxPairs <= 0 {
		opt.MaxPairs = defaultMaxPairs
	}
	if opt.Grace <= 0 {
		opt.Grace = defaultGrace
	}
	return &Names{opt: opt, hot: newHotSet(), pairs: map[pair]*learned{}, last: map[place]*learned{}}
}

// Stamp learns from an answer, and names a flow record that has no name of its own; such a flow is of interest then,
// whatever it was marked. Where Host.Machine is stamped already, what one machine learned at one address names its flows
// from all of them.
func (n *Names) Stamp(obs *capture.Observation) {
	switch obs.Kind {
	case capture.Answer:
		if obs.Proto == capture.DNS && len(obs.Addrs) > 0 && obs.Host.Addr.IsValid() {
			n.answer(obs)
		}
	case capture.Contact:
		if obs.Name == "" && obs.Flow != nil && hidden(obs) {
			n.flow(obs)
		}
	}
}

// hidden reports whether a flow did not show its name: its protocol has none, or its hello bore none. A hello or request without
// a name of interest had another name, so that it must not take this one.
func hidden(obs *capture.Observation) bool {
	switch obs.Flow.Proto {
	case capture.TLS, capture.QUIC, capture.DTLS, capture.HTTP:
		return obs.Marks&capture.NoName != 0
	case capture.DNS, capture.MDNS, capture.LLMNR, capture.NBNS, capture.SSDP, capture.DHCP:
		return false
	}
	return true
}

// whose returns the host's side of a pair: the machine where it is known, and the address.
func whose(host netip.Addr, machine uint32) (as, at place) {
	at = host.As16()
	if machine == 0 {
		return at, at
	}
	as[0] = 0xff // no host's address: multicast
	binary.BigEndian.PutUint32(as[12:], machine)
	return as, at
}

func (n *Names) answer(obs *capture.Observation) {
	as, at := whose(obs.Host.Addr, obs.Host.Machine)
	if obs.Name == "" {
		for _, a := range obs.Addrs {
			if n.hot.has(bitOfAddr(a)) {
				p := a.As16()
				n.unlearn(pair{as, p}, obs.Host.Machine)
				if as != at {
					n.unlearn(pair{at, p}, obs.Host.Machine)
				}
			}
		}
		return
	}
	l := learned{name: n.named(obs), machine: obs.Host.Machine, host: at, from: obs.Time.UnixNano()}
	l.till = l.from + int64(ttlOf(obs.DNS))*int64(time.Second) + int64(n.opt.Grace)
	for _, a := range obs.Addrs {
		if !a.IsUnspecified() && !a.IsLoopback() {
			n.learn(pair{as, a.As16()}, l)
		}
	}
}

// named returns the name that an answer's addresses stand for: the one asked for, or that of its chain of aliases which is
// of interest.
func (n *Names) named(obs *capture.Observation) string {
	if n.opt.Interest == nil || obs.DNS == nil || n.wants(obs.Name) {
		return obs.Name
	}
	for i := range obs.DNS.Answers {
		r := &obs.DNS.Answers[i]
		if (r.Type == "CNAME" || r.Type == "DNAME") && r.Target != "" && n.wants(r.Target) {
			return r.Target
		}
	}
	for i := range obs.DNS.Answers { // the chain's start may be cut off
		if r := &obs.DNS.Answers[i]; r.Addr.IsValid() && n.wants(r.Name) {
			return r.Name
		}
	}
	return obs.Name
}

func (n *Names) wants(name string) bool { return n.opt.Interest.Name([]byte(name)) }

// ttlOf returns the shortest TTL, in seconds, of the addresses and of the aliases that lead to them.
func ttlOf(m *wire.DNS) uint32 {
	if m == nil {
		return leastTTL
	}
	least := uint32(mostTTL)
	found := false
	for i := range m.Answers {
		if r := &m.Answers[i]; r.Addr.IsValid() || r.Type == "CNAME" {
			least, found = min(least, r.TTL), true
		}
	}
	if !found {
		return leastTTL
	}
	return max(least, leastTTL)
}

func (n *Names) learn(p pair, what learned) {
	n.changed[partOf(what.host, p.addr)] = true
	if l := n.pairs[p]; l != nil {
		n.changed[partOf(l.host, p.addr)] = true
		if l.name == what.name && what.from <= l.till {
			l.till, l.machine, l.host = max(l.till, what.till), what.machine, what.host // asked again while it was still known
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
		for i := range n.order {
			n.hot.add(n.order[i].addr)
		}
	}
}

// unlearn forgets what an address meant to a host, and to all where that host was the last to learn it: the address now
// serves another name.
func (n *Names) unlearn(p pair, machine uint32) {
	l := n.pairs[p]
	if l == nil || l.name == "" || !l.of(machine) {
		return
	}
	l.name = ""
	n.changed[partOf(l.host, p.addr)] = true
	n.stats.Unlearned++
	if n.last[p.addr] == l {
		delete(n.last, p.addr)
	}
}

func (n *Names) flow(obs *capture.Observation) {
	if !n.hot.has(bitOfAddr(obs.Dst.Addr())) {
		return
	}
	server := obs.Dst.Addr().As16()
	began := obs.Time.UnixNano()
	if !obs.Flow.First.IsZero() {
		began = obs.Flow.First.UnixNano()
	}
	machine := uint32(0)
	if obs.Host.Addr == obs.Src.Addr() {
		machine = obs.Host.Machine
	}
	if l := n.own(obs.Src.Addr(), machine, server); l != nil {
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

// own returns what this very host learned of an address. What it learned before its machine was known stands under its
// address, and is taken for its own once; another machine that gets the address later has no part in it.
func (n *Names) own(host netip.Addr, machine uint32, server place) *learned {
	as, at := whose(host, machine)
	l := n.pairs[pair{as, server}]
	if l != nil || as == at {
		return l
	}
	l = n.pairs[pair{at, server}]
	if l == nil || !l.of(machine) {
		return nil
	}
	l.machine = machine
	return l
}

// of reports whether a machine may have learned this.
func (l *learned) of(machine uint32) bool {
	return l.machine == 0 || machine == 0 || l.machine == machine
}

func (l *learned) covers(at int64) bool { return l.name != "" && at >= l.from-early && at <= l.till }

// Stats returns the counters.
func (n *Names) Stats() Stats {
	s := n.stats
	s.Pairs = len(n.pairs)
	return s
}

// hotBits and hotCoarse are the sizes of a hotSet: 512 KiB, and 32 KiB that stay in a core's caches and suffice while few
// pairs are held.
const (
	hotBits   = 1 << 22
	hotCoarse = 1 << 18
)

// hotSet says no for most addresses that no pair holds, without a look into the maps: two Bloom filters with one hash, the
// second for what passes the first.
type hotSet struct{ coarse, bits []uint64 }

func newHotSet() hotSet {
	return hotSet{coarse: make([]uint64, hotCoarse/64), bits: make([]uint64, hotBits/64)}
}

func (s *hotSet) add(a place) {
	i := bitOf(a)
	s.bits[i/64] |= 1 << (i % 64)
	i %= hotCoarse
	s.coarse[i/64] |= 1 << (i % 64)
}

// has takes what bitOf gives, or bitOfAddr.
func (s *hotSet) has(i uint64) bool {
	j := i % hotCoarse
	return s.coarse[j/64]&(1<<(j%64)) != 0 && s.bits[i/64]&(1<<(i%64)) != 0
}

func bitOf(b place) uint64 { return capture.Addr16(b).Hash() >> 42 }

func bitOfAddr(a netip.Addr) uint64 { return capture.HashAddr(a) >> 42 }
