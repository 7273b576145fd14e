package classify

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"avbeacon/classify/beacon"
	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// finding makes the Finding of a track; nil if there is no verdict.
func (c *Classifier) finding(t *track) *Finding {
	h := t.host
	beacons := c.beacons(t)
	roles := c.roles(h)
	j := c.judge(t, roles)
	if j.verdict == NoVerdict {
		return nil
	}
	f := &Finding{
		ID: t.id, Vendor: t.vendor, Product: t.product, ProductVersion: t.version,
		Host: h.snapshot(), HostRoles: roles, Behind: behind(h, roles), OEM: t.oemOf(j.verdict),
		Verdict: j.verdict, State: c.state(t),
		FirstSeen: t.first.UTC(), LastSeen: t.last.UTC(), Contacts: t.contacts, Lookups: t.lookups,
		Destinations: c.destinations(t), Beacons: beacons, Dropped: t.dropped,
	}
	f.Evidence = c.evidence(t, j, f)
	if len(roles) > 0 {
		f.HostRole = roles[0]
	}
	f.Reasons = c.reasons(t, f, j)
	if why := refutedReason(f.Destinations); why != "" {
		f.Reasons = append(f.Reasons, why)
	}
	return f
}

func (h *host) snapshot() FindingHost {
	f := FindingHost{Address: h.addr, MAC: h.mac, HasMAC: h.hasMAC, Name: h.name,
		Addresses: h.addresses(), VLANs: slices.Clone(h.vlans)}
	return f
}

// oemOf returns the product that contains the engine, if the engine is all that was seen.
func (t *track) oemOf(v Verdict) *OEM {
	if t.oem == nil || v > Possible {
		return nil
	}
	return &OEM{Engine: t.vendor.Key, In: t.oem.OEM, Source: t.oem.Source}
}

func (c *Classifier) destinations(t *track) []Destination {
	out := make([]Destination, 0, len(t.dests))
	for _, d := range t.dests {
		x := *d
		x.Names = slices.Clone(d.Names)
		sort.Strings(x.Names)
		if asn, owner, ok := c.opt.Catalog.Network(d.Address); ok {
			x.ASN, x.Owner = asn, owner
		}
		if c.opt.Locate != nil {
			x.Place = c.opt.Locate(d.Address)
			if at := c.opt.SensorAt; at != nil && !d.Proxy {
				x.Place = x.Place.Refute(c.trips[d.Address], *at)
			}
		}
		if x.ASN == 0 {
			x.ASN, x.Owner = x.Place.ASN, cmp.Or(x.Owner, x.Place.Owner)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(b.Contacts, a.Contacts), a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
	})
	return out
}

func (c *Classifier) beacons(t *track) []Beacon {
	out := make([]Beacon, 0, len(t.beats))
	for i := range t.beats {
		b := &t.beats[i]
		r := t.host.rhythm(b)
		out = append(out, Beacon{Role: b.role, Score: r.Score, Scored: r.Scored, Period: r.Period, Sessions: r.Sessions,
			Words: beatWords(b, r)})
	}
	t.host.countPhases()
	slices.SortFunc(out, func(a, b Beacon) int { return cmp.Compare(a.Role, b.Role) })
	return out
}

func beatWords(b *beat, r beacon.Result) string {
	switch {
	case b.flows || r.Reason == beacon.Cache:
		return r.Words
	case r.Scored && b.ttl > 0: // the times are not those of a cache
		return r.Words + "; from DNS queries only"
	}
	return r.Words + "; from DNS queries only, whose times a cache can shape"
}

func newEvidence(g *sign) *Evidence {
	e := &Evidence{Kind: g.kind, Value: g.value, Role: g.entry.Role, Strength: g.strength, Supports: g.bar == barNone,
		Weight: weight(g.kind, g.strength), Source: g.entry.Source, Date: g.entry.Date, Pattern: g.entry.Pattern,
		File: g.entry.File, Line: g.entry.Line, Note: g.entry.Note, Why: g.why}
	if g.bar != barNone {
		e.Weight = 0
	}
	if e.Why == "" {
		e.Why = because(g)
	}
	return e
}

func because(g *sign) string {
	switch g.bar {
	case barTool:
		return "sent by " + g.tool + ", a tool that a person or a script runs"
	case barBuiltin:
		return "built into the operating system: used whichever antivirus runs"
	case barOEM:
		return "engine inside " + g.entry.OEM
	case barOther:
		return "another host's DNS query gave the address this name"
	}
	return kindWhy[g.kind]
}

var kindWhy = [...]string{
	KindLookup:      "the host sent a DNS query for this name",
	KindSNI:         "the host opened TLS or QUIC with this server name",
	KindHTTPHost:    "the host sent an HTTP request to this name",
	KindConnect:     "the host asked a proxy to connect to this name",
	KindDerived:     "this host's last DNS query for this name returned the address that it connected to",
	KindOther:       "another host resolved this name to the address",
	KindCertificate: "the server's certificate has this name; the host sent no server name",
	KindIssuer:      "the server's certificate is issued by the vendor's own authority",
	KindPath:        "the product requests this path",
	KindQuery:       "the product sends these query fields",
	KindUserAgent:   "the product names itself",
	KindHeader:      "the product sends this header",
	KindBody:        "the server answered in the product's own format",
	KindPayload:     "the connection begins with the product's own protocol",
	KindPort:        "a port of the vendor's service, in its network or under its name",
	KindLANPort:     "a port of the vendor's own server inside the site",
	KindNetwork:     "the address is in the vendor's network; alone, that is weak evidence",
	KindAgainst:     "",
}

func (c *Classifier) evidence(t *track, j judgement, f *Finding) []Evidence {
	sum := t.facts()
	behaviour := c.behaviour(t, &sum, f)
	out := make([]Evidence, 0, len(t.evidence)+len(behaviour)+len(j.caps)) // exact: reports hold very many of these lists
	for _, e := range t.evidence {
		x := *e
		x.Frames = slices.Clone(e.Frames)
		x.First, x.Last = e.First.UTC(), e.Last.UTC()
		out = append(out, x)
	}
	out = append(out, behaviour...)
	slices.SortStableFunc(out, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value),
			cmp.Compare(a.Role, b.Role))
	})
	for _, why := range j.caps {
		out = append(out, Evidence{Kind: KindAgainst, Value: why, Count: 1, First: t.first.UTC(), Last: t.last.UTC(), Why: why})
	}
	return out
}

// state returns the state of the contact at the end of what was seen.
func (c *Classifier) state(t *track) State {
	switch {
	case c.quiet(t, c.lastTouch(t)):
		return Quiet
	case c.blocked(t):
		return Blocked
	case !t.returned.IsZero() && c.now.Sub(t.returned) <= 7*24*time.Hour:
		return Returned
	}
	return Active
}

// lastTouch is when the host last connected to the vendor or tried to; a name that is refused is an attempt too. If only DNS queries
// were seen, they count as contact.
func (c *Classifier) lastTouch(t *track) time.Time {
	if t.lastContact.IsZero() {
		return t.last
	}
	hour, any := t.asks.lastFailure(c.heard(t.host))
	if !any {
		return t.lastContact
	}
	refused := time.Unix((hour+1)*3600, 0)
	if refused.After(t.last) {
		refused = t.last
	}
	return later(t.lastContact, refused)
}

// otherwiseSeen is in how many hours a host must have been seen for its silence towards a vendor to count.
const otherwiseSeen = 3

func (c *Classifier) quiet(t *track, since time.Time) bool {
	gone := t.host.seen().Sub(since)
	if gone < 24*time.Hour || t.host.active.Between(since.Unix(), t.host.seen().Unix()) < otherwiseSeen {
		return false
	}
	period := time.Duration(0)
	for i := range t.beats {
		if p := t.host.rhythm(&t.beats[i]).Period; p > 0 && (period == 0 || p < period) {
			period = p
		}
	}
	return gone >= 6*period
}

// cameBack notes a contact after a quiet time of 48 h or more.
func (t *track) cameBack(at time.Time) { t.backSince(t.lastContact, at) }

// askedAgain notes the same of a DNS query, if only DNS queries are seen.
func (t *track) askedAgain(at time.Time) {
	if t.contacts == 0 {
		t.backSince(t.last, at)
	}
}

func (t *track) backSince(before, at time.Time) {
	if !before.IsZero() && at.Sub(before) >= 48*time.Hour && t.host.active.Between(before.Unix(), at.Unix()) >= otherwiseSeen {
		t.returned = at
	}
}

// Of returns the present finding of a host and vendor; nil if there is none.
func (c *Classifier) Of(a netip.Addr, v *feeds.Vendor) *Finding {
	h := c.hosts.find(a)
	if h == nil {
		return nil
	}
	if t := h.track(v); t != nil {
		return c.finding(t)
	}
	return nil
}

// What a host does over time supports or explains its verdict. It is shown beside the evidence that it is derived from and does not
// count again, with one exception: the documented order of fallback resolvers is a kind of medium evidence.

// pool is the distinct names of one numbered pool that the host used.
type pool struct {
	entry   *feeds.Entry
	members []uint32 // hashes of names
}

// maxMembers bounds a pool: no known pool has more names.
const maxMembers = 100

// seeMember notes a member of a numbered pool.
func (t *track) seeMember(g *sign) {
	if !g.entry.Pool || families[g.kind] != famName || g.bar != barNone {
		return
	}
	i := slices.IndexFunc(t.pools, func(p pool) bool { return p.entry == g.entry })
	if i < 0 {
		i = len(t.pools)
		t.pools = append(t.pools, pool{entry: g.entry})
	}
	p := &t.pools[i]
	if h := hashText(g.value); len(p.members) < maxMembers && !slices.Contains(p.members, h) {
		p.members = append(p.members, h)
	}
}

// fallback follows a host through the resolvers that the vendor's products query when the system's own one fails.
type fallback struct {
	failed      time.Time // when a DNS query for the vendor's names to another resolver last failed
	start, last time.Time // of the present run
	step        int       // index in the vendor's list that the run has reached
	seen        uint32    // bitmap of the steps in the run
	caused      bool      // a failure came before the run
	best        uint32    // steps of the longest run that a failure caused
	first, till time.Time // of best
}

// A run of fallback queries: how far apart they may be, and how far from the failure that caused them. Products wait some seconds for
// each resolver.
const (
	fallbackGap    = 2 * time.Minute
	fallbackMedium = 3 // resolvers in the documented order that make medium evidence: many people choose one or two
)

// ask notes a query for the vendor's names to one of the fallback resolvers.
func (f *fallback) ask(step int, at time.Time) {
	if f.seen == 0 || at.Sub(f.last) > fallbackGap || step < f.step {
		f.seen, f.start, f.caused = 0, at, false
	}
	f.seen |= 1 << step
	f.step, f.last = step, at
	f.credit()
}

// fail notes a failure, which may become known after the queries that it caused.
func (f *fallback) fail(at time.Time) {
	f.failed = later(f.failed, at)
	f.credit()
}

// credit keeps the present run if a failure caused it and it is the longest so far.
func (f *fallback) credit() {
	if gap := f.start.Sub(f.failed); f.seen != 0 && !f.failed.IsZero() && gap >= 0 && gap <= fallbackGap {
		f.caused = true
	}
	if f.caused && bits.OnesCount32(f.seen) >= bits.OnesCount32(f.best) {
		f.best, f.first, f.till = f.seen, f.start, f.last
	}
}

// steps returns how many resolvers were queried in order after a failure.
func (f *fallback) steps() int { return bits.OnesCount32(f.best) }

// noteFallback takes a query for one of the vendor's names as soon as it is seen.
func (c *Classifier) noteFallback(l *lookup, server netip.Addr) {
	for _, e := range l.entries {
		if step := slices.Index(e.Vendor.Fallback, server); step >= 0 && step < 32 {
			c.trackOf(l.host, e.Vendor).fallback.ask(step, l.time)
		}
	}
}

// noteFailure notes that a resolver other than the fallback ones did not resolve the vendor's name.
func (t *track) noteFailure(l *lookup, r reply) {
	if r != refused && r != failed && r != unanswered || slices.Contains(t.vendor.Fallback, l.server) {
		return
	}
	t.fallback.fail(l.time)
}

// behaviour returns what the host did over time as pieces of evidence.
func (c *Classifier) behaviour(t *track, sum *facts, f *Finding) []Evidence {
	var out []Evidence
	add := func(k Kind, value string, s feeds.Strength, w float64, n int, why string, args ...any) {
		out = append(out, Evidence{Kind: k, Value: value, Strength: s, Supports: true, Weight: w, Count: uint64(n),
			First: t.first.UTC(), Last: t.last.UTC(), Why: fmt.Sprintf(why, args...)})
	}
	if n := bits.OnesCount32(sum.roles); n >= 2 {
		add(KindRoles, roleList(sum.roles), feeds.Weak, behaviourWeight(KindRoles), n,
			"names of %d roles of the vendor's service were used, as an installed product does; a person uses one", n)
	}
	for _, p := range t.pools {
		if n := len(p.members); n >= 2 {
			add(KindPool, p.entry.Pattern, feeds.Weak, behaviourWeight(KindPool), n,
				"%d names of one numbered pool were used in turn, as the product does", n)
			out[len(out)-1].Role = p.entry.Role
		}
	}
	for _, b := range f.Beacons {
		if b.Scored && b.Score >= 0.5 {
			add(KindBeat, b.Words, feeds.Weak, behaviourWeight(KindBeat)*b.Score, b.Sessions,
				"contact comes %s: a rhythm that no person keeps", b.Words)
			out[len(out)-1].Role = b.Role
		}
	}
	if n, of := t.contact.Clock(); of >= aroundClock {
		add(KindNight, fmt.Sprintf("%d of the day's 24 hours", of), feeds.Weak, behaviourWeight(KindNight), n,
			"contact in %d hours, at %d of the day's 24: it continues at night, wherever the host is", n, of)
	}
	if fail := t.failures(c.heard(t.host)); fail >= 3 {
		add(KindFailed, fmt.Sprintf("%d attempts", fail), feeds.Weak, behaviourWeight(KindFailed), int(fail),
			"failed attempts: a product keeps trying where a person gives up")
	}
	out = append(out, c.placesSeen(t, f)...)
	return append(out, t.fallbackSeen()...)
}

// aroundClock is how many of the day's 24 hours need contact for "by day and by night": no office is open that long.
const aroundClock = 18

func (t *track) failures(heard bool) uint32 { return t.tries.failures(heard) + t.asks.failures(heard) }

// placesSeen returns where the destinations are, one piece of evidence per level.
func (c *Classifier) placesSeen(t *track, f *Finding) []Evidence {
	var n [place.M3 + 1]int
	for i := range f.Destinations {
		n[f.Destinations[i].Place.Level]++
	}
	var out []Evidence
	for l := place.M3; l >= place.R1; l-- {
		if n[l] == 0 {
			continue
		}
		out = append(out, Evidence{Kind: KindPlace, Value: l.String(), Strength: feeds.Weak, Supports: true, Count: uint64(n[l]),
			Weight: behaviourWeight(KindPlace), First: t.first.UTC(), Last: t.last.UTC(),
			Why: fmt.Sprintf("%d of %d destinations, by place databases: where the host connects to, not what runs on it", n[l], len(f.Destinations))})
	}
	return out
}

// fallbackSeen returns the use of the vendor's fallback resolvers as evidence.
func (t *track) fallbackSeen() []Evidence {
	n := t.fallback.steps()
	if n == 0 {
		return nil
	}
	var list []string
	for i, a := range t.vendor.Fallback {
		if t.fallback.best&(1<<i) != 0 {
			list = append(list, a.String())
		}
	}
	e := Evidence{Kind: KindFallback, Value: strings.Join(list, ", "), Strength: feeds.Weak, Supports: true, Count: uint64(n),
		First: t.fallback.first.UTC(), Last: t.fallback.till.UTC(), Weight: behaviourWeight(KindFallback),
		Why: "after its own resolver failed, the host queried these for the vendor's names, in the order that the vendor documents"}
	if n >= fallbackMedium {
		e.Strength, e.Weight = feeds.Medium, weight(KindFallback, feeds.Medium)
	}
	return []Evidence{e}
}
