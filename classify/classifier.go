package classify

import (
	"net/netip"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/limits"
	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// Recall shows internal/hosts, at Restore, who had a MAC address of its own, at which addresses, the latest first, and until when. It returns
// the machine, 0 if that is not known.
type Recall func(mac [6]byte, at []netip.Addr, seen time.Time) capture.Machine

// Options configure a Classifier. Zero limits take the defaults.
type Options struct {
	Catalog *feeds.Catalog                    // required
	Locate  func(a netip.Addr) place.Location // nil: destinations have no place
	Home    []netip.Prefix                    // the site's own addresses; nil: private, link-local and shared ranges
	Sensor  string                            // part of finding IDs
	IDKey   []byte                            // key of the hashes that replace personal identifiers
	// SensorAt is where the tap is, nil if unknown. With it, the shortest handshake with a destination bounds its distance and
	// can refute a place; see place.Location.Refute.
	SensorAt *place.Point
	Recall   Recall // nil: a restored host is known by its addresses alone

	MaxHosts        int // hosts remembered (limits.Hosts)
	MaxEvidence     int // pieces of evidence per finding (64)
	MaxDestinations int // destinations per finding (512)
	MaxFlows        int // flows of interest remembered while open (16,384)
	MaxPending      int // DNS queries that wait for their answer (4,096)
}

// Stats counts what a Classifier did and lost.
type Stats struct {
	Observations    uint64
	Hosts           int    // remembered now
	HostsEvicted    uint64 // the longest unseen of a sample of 32; those without a finding go first
	FlowsEvicted    uint64 // the oldest; such a flow may count twice
	PendingEvicted  uint64 // the oldest; judged without its answer
	EvidenceDropped uint64 // the newest beyond MaxEvidence; it counts for the verdict all the same
	DestDropped     uint64 // the newest beyond MaxDestinations
	InboundIgnored  uint64 // connections from outside
}

// Classifier holds all state. It is not safe for concurrent use: one goroutine owns it.
type Classifier struct {
	opt     Options
	hosts   hostTable
	flows   flowTable
	pending pendingTable
	changed []*track
	now     time.Time // greatest packet time so far
	swept   time.Time
	stats   Stats
	masker  masker
	agents  agentCache
	trips   place.RoundTrips
	traffic traffic
	freed   uint64 // hosts.evicted when their flows were last looked for

	touched int64 // what Ahead read, so that it is not optimised away
}

// traffic counts what the capture as a whole holds: whether answers are visible at all, and whether it is DNS only.
type traffic struct {
	flows       uint64 // other than DNS
	lookups     uint64 // queries seen one by one
	flowLookups uint64 // queries, by the counts of DNS flows
	heard       uint64 // answers, and flows that were answered
	asker       uint32 // the first host that sent a DNS query
	manyAsk     bool   // others did too
}

// asks notes that a host sends DNS queries.
func (t *traffic) asks(a netip.Addr) {
	h := hashAddr(a)
	if t.asker == 0 {
		t.asker = h
	}
	t.manyAsk = t.manyAsk || t.asker != h
}

// New makes a Classifier.
func New(opt Options) *Classifier {
	limit(&opt.MaxHosts, limits.Hosts)
	limit(&opt.MaxEvidence, 64)
	limit(&opt.MaxDestinations, 512)
	limit(&opt.MaxFlows, limits.HostFlows)
	limit(&opt.MaxPending, limits.Lookups)
	c := &Classifier{
		opt:     opt,
		hosts:   newHostTable(opt.MaxHosts),
		flows:   newFlowTable(opt.MaxFlows),
		pending: newPendingTable(opt.MaxPending),
		masker:  masker{key: opt.IDKey},
		agents:  newAgentCache(opt.Catalog),
		trips:   place.RoundTrips{},
	}
	c.flows.touched = &c.hosts.touched
	return c
}

func limit(v *int, otherwise int) {
	if *v <= 0 {
		*v = otherwise
	}
}

// Observe takes one Observation into account. Next returns the findings that it changed: a new verdict, a new state or a new hour.
// The Observation is not kept.
func (c *Classifier) Observe(obs *capture.Observation) {
	c.stats.Observations++
	c.discard()
	c.advance(obs.Time)
	switch obs.Kind {
	case capture.Lookup:
		c.lookup(obs)
	case capture.Answer:
		c.answer(obs)
	case capture.Hello:
		c.hello(obs)
	case capture.Cert:
		c.certificate(obs)
	case capture.Request:
		c.request(obs)
	case capture.Response:
		c.response(obs)
	case capture.Contact:
		c.contact(obs)
	case capture.Identity:
		c.identity(obs)
	}
}

// Next returns one of the findings that the last Observe or Tick changed, each once; false if no more did. Nobody need ask: building a
// finding costs far more than what changed it.
func (c *Classifier) Next() (*Finding, bool) {
	for len(c.changed) > 0 {
		t := c.changed[0]
		c.changed = c.changed[1:]
		t.queued = false
		if !t.due(c.now) {
			continue
		}
		if c.changes(t) {
			return c.finding(t), true
		}
	}
	c.changed = nil
	return nil, false
}

// changes reports whether a finding differs from the one announced last, and notes it as announced.
func (c *Classifier) changes(t *track) bool {
	t.stirred = false
	v, s, hour := c.judge(t, c.roles(t.host)).verdict, c.state(t), hourOf(c.now)
	if v == NoVerdict || !t.fresh && v == t.announced && s == t.announcedState && hour == t.announcedHour {
		return false
	}
	t.fresh, t.announced, t.announcedState, t.announcedHour = false, v, s, hour
	c.hosts.touched.add(t.host)
	return true
}

// discard forgets changes that nobody fetched.
func (c *Classifier) discard() {
	for _, t := range c.changed {
		t.queued = false
	}
	c.changed = c.changed[:0]
}

// Tick advances packet time to now, so that DNS queries without an answer are judged.
func (c *Classifier) Tick(now time.Time) { c.advance(now) }

func (c *Classifier) advance(now time.Time) {
	if now.After(c.now) {
		c.now = now
	}
	if c.now.Sub(c.swept) < time.Second {
		return
	}
	c.swept = c.now
	c.sweepFlows()
	for p, ok := c.pending.expired(c.now); ok; p, ok = c.pending.expired(c.now) {
		c.judgeLookup(p, unanswered)
	}
}

// Findings returns every present finding, sorted by host address and vendor. DNS queries that wait for an answer are judged first.
func (c *Classifier) Findings() (all []*Finding) {
	_ = c.Each(func(f *Finding) error { // it has no error of its own
		all = append(all, f)
		return nil
	})
	return all
}

// Stats returns the counters.
func (c *Classifier) Stats() Stats {
	s := c.stats
	s.Hosts = len(c.hosts.list)
	s.HostsEvicted = c.hosts.evicted
	s.FlowsEvicted = c.flows.evicted
	return s
}
