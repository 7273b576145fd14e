// Package names remembers which name each host last resolved to which address (passive DNS). Observations go in; flow records
// without a name come out with the name that explains their address, marked as derived. Start with Stamp.
package names

import (
	"encoding/binary"
	"net/netip"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/limits"
	"avbeacon/capture/wire"
)

// Options bound a Names. Zero values take the defaults.
type Options struct {
	MaxPairs int           // (host, address) pairs remembered (limits.Names); the oldest goes
	Grace    time.Duration // how long beyond its TTL a name still explains an address (10 min)
	// Interest, if not nil, reports which names matter. If the name queried is an alias, the first name of its chain that is of
	// interest counts for the address.
	Interest capture.Interest
}

const (
	defaultMaxPairs = limits.Names
	defaultGrace    = 10 * time.Minute
)

// leastTTL is the least that a TTL counts as: resolvers and browsers keep short ones that long. mostTTL is the longest that caches keep
// an answer (RFC 8767 4 has days, resolvers default to one to seven).
const (
	leastTTL = 60
	mostTTL  = 7 * 86400
)

// early is how much a flow may seem to begin before its answer, when packets of two paths are merged.
const early = int64(time.Second)

// Stats counts what a Names holds and lost.
type Stats struct {
	Pairs     int
	Evicted   uint64
	Unlearned uint64 // addresses that a later answer assigned to another name
	Derived   uint64
	Others    uint64 // names from another host's DNS query
}

// addrKey is an address as the fastest map key; IPv4 is v4-mapped.
type addrKey = [16]byte

// pair is who sent the query, and an address of the answer. Who is an address, or the key of a machine that has several: what it
// resolved at one of them explains its connections from another.
type pair struct{ host, addr addrKey }

// learned is the name of an address and its validity, nanoseconds since 1970.
type learned struct {
	name       string          // "" once unlearned
	machine    capture.Machine // whose DNS query it was, if kept by address; 0 if unknown
	host       addrKey         // the address that sent the query
	addr       addrKey
	from, till int64
	at         int   // index in the list of its part
	part       uint8 // see partOf
}

// Names holds all state. One goroutine owns it.
type Names struct {
	opt   Options
	pairs map[pair]*learned
	last  map[addrKey]*learned // by address alone: the last DNS query of any host
	order []pair               // ring
	next  int
	hot   hotSet
	stats Stats

	parts   [parts][]*learned // all pairs, so that Changed looks at no part that did not change
	changed [parts]bool       // since Changed was last called
	looked  uint64            // pairs that Changed looked at, ever
}

// New makes an empty memory.
func New(opt Options) *Names {
	if opt.MaxPairs <= 0 {
		opt.MaxPairs = defaultMaxPairs
	}
	if opt.Grace <= 0 {
		opt.Grace = defaultGrace
	}
	return &Names{opt: opt, hot: newHotSet(), pairs: map[pair]*learned{}, last: map[addrKey]*learned{}}
}

// Stamp learns from an answer, and names a flow record that has no name of its own, which then is of interest whatever its marks.
// If Host.Machine is stamped already, what one machine learned at one address names its flows from all of them.
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

// hidden reports whether a flow did not show its name: its protocol has none, or its hello had none. If a hello or request was seen and
// its name is not of interest, the flow belongs to that other name: do not derive one.
func hidden(obs *capture.Observation) bool {
	switch obs.Flow.Proto {
	case capture.TLS, capture.QUIC, capture.DTLS, capture.HTTP:
		return obs.Marks&capture.NoName != 0
	case capture.DNS, capture.MDNS, capture.LLMNR, capture.NBNS, capture.SSDP, capture.DHCP:
		return false
	}
	return true
}

// whose returns the host's side of a pair: the machine if known, and the address.
func whose(host netip.Addr, machine capture.Machine) (as, at addrKey) {
	at = host.As16()
	if machine == 0 {
		return at, at
	}
	as[0] = 0xff // no host's address: multicast
	binary.BigEndian.PutUint64(as[8:], uint64(machine))
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

// named returns the name of an answer's addresses: the one queried, or the one of its chain of aliases that is of interest.
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
	what.addr = p.addr
	if l := n.pairs[p]; l != nil {
		if l.name == what.name && what.from <= l.till { // queried again while still known
			what.from, what.till = l.from, max(l.till, what.till)
		}
		n.changed[l.part] = true
		n.take(l)
		*l = what
		n.put(l)
		n.last[p.addr] = l
		return
	}
	l := &what
	n.remember(p)
	n.hot.add(p.addr)
	n.pairs[p], n.last[p.addr] = l, l
	n.put(l)
}

// put adds what was learned to its part, which has changed.
func (n *Names) put(l *learned) {
	l.part = partOf(l.host, l.addr)
	l.at = len(n.parts[l.part])
	n.parts[l.part] = append(n.parts[l.part], l)
	n.changed[l.part] = true
}

// take removes what was learned from its part. What is forgotten may stay saved: that is no change.
func (n *Names) take(l *learned) {
	list := n.parts[l.part]
	end := len(list) - 1
	list[l.at] = list[end]
	list[l.at].at = l.at
	list[end] = nil
	n.parts[l.part] = list[:end]
}

func (n *Names) remember(p pair) {
	if len(n.order) < n.opt.MaxPairs {
		n.order = append(n.order, p)
		return
	}
	old := n.order[n.next]
	l := n.pairs[old]
	if n.last[old.addr] == l {
		delete(n.last, old.addr)
	}
	n.take(l)
	delete(n.pairs, old)
	n.stats.Evicted++
	n.order[n.next] = p
	n.next = (n.next + 1) % len(n.order)
	if n.next == 0 { // the ring is full of new pairs
		n.hot = newHotSet()
		for i := range n.order {
			n.hot.add(n.order[i].addr)
		}
	}
}

// unlearn drops a host's name of an address, and everybody's if that host was the last to learn it: the address now serves another name.
func (n *Names) unlearn(p pair, machine capture.Machine) {
	l := n.pairs[p]
	if l == nil || l.name == "" || !l.of(machine) {
		return
	}
	l.name = ""
	n.changed[l.part] = true
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
	machine := capture.Machine(0)
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

// own returns what this host itself learned of an address. What it learned before its machine was known is kept by its address and
// adopted once; another machine that gets the address later does not inherit it.
func (n *Names) own(host netip.Addr, machine capture.Machine, server addrKey) *learned {
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
func (l *learned) of(machine capture.Machine) bool {
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

// hotSet rules out most addresses that no pair has, without a map lookup: two Bloom filters with one hash, the second for what passes
// the first.
type hotSet struct{ coarse, bits []uint64 }

func newHotSet() hotSet {
	return hotSet{coarse: make([]uint64, hotCoarse/64), bits: make([]uint64, hotBits/64)}
}

func (s *hotSet) add(a addrKey) {
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

func bitOf(b addrKey) uint64 { return capture.Addr16(b).Hash() >> 42 }

func bitOfAddr(a netip.Addr) uint64 { return capture.HashAddr(a) >> 42 }
