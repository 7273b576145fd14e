package classify

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"avbeacon/capture"
	"avbeacon/classify/beacon"
	"avbeacon/feeds"
)

// track is what is remembered of one vendor on one host: a finding in the making.
type track struct {
	host   *host
	vendor *feeds.Vendor
	id     string

	first, last time.Time
	lastContact time.Time
	returned    time.Time // when contact came back after 48 h or more
	contacts    uint64
	ownContacts uint64 // contacts without a bar
	lookups     uint64

	evidence []*Evidence
	dests    []*Destination
	noDest   Destination // throw-away record
	dropped  uint64

	pools    []pool
	installs []installs
	turns    []turns
	fallback fallback
	contact  beacon.Hours // with medium or strong evidence of the host's own

	sessions []session
	past     facts // sessions that are no longer kept
	beats    []beat
	tries    attempts             // flows
	asks     attempts             // DNS queries: answered with addresses, or failed
	barred   [barOther + 1]uint32 // medium or strong signs by what bars them
	tool     string
	visited  [feeds.RoleCDN + 1]bool // a person's signs by role: web site, download, content
	console  []consoleUse
	oem      *feeds.Entry
	asked    int64 // seconds since 1970 of the last DNS query
	listed   int   // vendors in a list that somebody checks, 0 if none
	lookedUp recentNames

	product, version string
	versionSure      bool // from User-Agent or query

	queued         bool
	stirred        bool // what a verdict or state depends on changed since it was last announced
	fresh          bool // new evidence since then
	announced      Verdict
	announcedState State
	announcedHour  int64
	saved          uint64 // its sum when a Saver last returned it; 0 for never
}

// beat is the session starts in one role.
type beat struct {
	role   feeds.Role
	starts []int64 // seconds since 1970, in order, at most maxBeats
	last   int64   // last start, so that closer ones join
	flows  bool    // starts are of flows; else of DNS queries
	ttl    uint32  // of the answers to DNS queries, the longest, seconds; 0 if none was seen

	since   int64 // first start of all
	earlier int   // sessions that starts no longer hold

	rhythm    beacon.Result // valid iff judged
	judged    bool
	judgedFor int64 // newest hour of the host's activity then
}

// maxBeats is how many session starts a role keeps: a week of an update every two hours.
const maxBeats = 96

// consoleUse is a server inside the site and the vendor's ports on it that the host used.
type consoleUse struct {
	server netip.Addr
	ports  []uint16
}

// question distinguishes DNS queries for one name.
type question struct {
	id   uint16
	kind uint16 // see kindOfQuestion
}

// kindOfQuestion is a number for the type of a query.
func kindOfQuestion(obs *capture.Observation) uint16 {
	if obs.DNS == nil || len(obs.DNS.Questions) == 0 {
		return 0
	}
	return uint16(hashText(obs.DNS.Questions[0].QType))
}

// recentNames holds the last names queried, so that A and AAAA, and a query sent again, count once.
type recentNames [4]struct {
	name uint32
	at   int64
	question
}

// sameLookup is how close queries for one name and different types, or sent again under the same id, count as one.
const sameLookup = int64(5 * time.Second)

// again reports whether a query was counted already. It is noted otherwise, in place of the oldest.
func (r *recentNames) again(name string, at int64, q question) bool {
	h, oldest := hashText(name), 0
	for i := range r {
		if r[i].name == h && r[i].at != 0 && abs(at-r[i].at) <= sameLookup {
			same := q.kind != r[i].kind || q.id == r[i].id
			r[i].at = max(r[i].at, at)
			if !same {
				r[i].question = q
			}
			return same
		}
		if r[i].at < r[oldest].at {
			oldest = i
		}
	}
	r[oldest].name, r[oldest].at, r[oldest].question = h, at, q
	return false
}

func abs(d int64) int64 { return max(d, -d) }

// trackOf returns the track of a vendor on a host and makes one if there is none.
func (c *Classifier) trackOf(h *host, v *feeds.Vendor) *track {
	if t := h.track(v); t != nil {
		return t
	}
	t := &track{host: h, vendor: v, id: findingID(c.opt.Sensor, h.key, v.Key)}
	h.tracks = append(h.tracks, t)
	return t
}

// findingID is the same in every run for the same sensor, host and vendor: stores and receivers recognise a finding by it.
func findingID(sensor, key, vendor string) string {
	sum := sha256.Sum256([]byte(sensor + "\x00" + key + "\x00" + vendor))
	return hex.EncodeToString(sum[:8])
}

// add takes a sign into account. The order matters: bars decides whether it counts, which record shows and count acts on.
func (c *Classifier) add(t *track, g sign) {
	c.bars(t, &g)
	t.first, t.last = earlier(t.first, g.time), later(t.last, g.time)
	c.record(t, &g)
	c.count(t, &g)
	c.beat(t, &g)
	c.describe(t, &g)
	c.queue(t)
}

// bars finds why a sign does not count for the host itself.
func (c *Classifier) bars(t *track, g *sign) {
	switch {
	case g.bar != barNone:
	case g.flow != nil && g.flow.tool != "":
		g.bar, g.tool = barTool, g.flow.tool
	case g.entry.OEM != "":
		g.bar = barOEM
	case g.entry.Builtin && g.strength < feeds.Strong && !t.host.addedOn(): // strong: what only the active product does
		g.bar = barBuiltin
	}
	if g.entry.OEM != "" && t.oem == nil {
		t.oem = g.entry
	}
}

// addedOn reports whether the host runs an operating system without a built-in antivirus, so that one must have been installed.
func (h *host) addedOn() bool {
	return h.did.systems&(macOS|linux) != 0 && h.did.systems&windows == 0
}

// count adds the sign to its session.
func (c *Classifier) count(t *track, g *sign) {
	s := t.sessionAt(g.time.UnixNano())
	if g.bar == barTool {
		s.tool = true
		t.tool = g.tool
	}
	if g.strength == feeds.Weak && (g.entry.Role == feeds.RoleWeb || g.entry.Role == feeds.RoleDownload || g.entry.Role == feeds.RoleCDN) &&
		g.kind != KindNetwork && g.bar != barResolver {
		t.visited[g.entry.Role] = true
		if g.flow != nil {
			s.pages++
		}
	}
	if g.bar != barNone {
		if g.strength >= feeds.Medium || g.bar == barOEM && hasRole(g.entry.Role) {
			t.stirred = t.stirred || t.barred[g.bar] == 0
			t.barred[g.bar]++
		}
		return
	}
	if g.flow == nil && t.lookedUp.again(g.value, g.time.UnixNano(), g.asked) {
		return
	}
	if g.strength >= feeds.Medium {
		t.contact.Set(g.time.Unix())
	}
	t.seeMember(g)
	before := *s
	s.note(g)
	t.stirred = t.stirred || *s != before
}

// record keeps the sign as evidence.
func (c *Classifier) record(t *track, g *sign) {
	e := t.find(g)
	if e == nil && t.crowded(g) {
		g.value = under(g.entry)
		e = t.find(g)
	}
	if e == nil {
		if len(t.evidence) >= c.opt.MaxEvidence {
			t.dropped++
			c.stats.EvidenceDropped++
			return
		}
		e = newEvidence(g)
		t.evidence = append(t.evidence, e)
		t.fresh, t.stirred = true, true
	}
	e.Count++
	e.First, e.Last = earlier(e.First, g.time), later(e.Last, g.time)
	if n := len(e.Frames); g.frame.Frame != 0 && n < maxFrames && (n == 0 || e.Frames[n-1] != g.frame) {
		e.Frames = append(e.Frames, g.frame)
	}
}

// maxValues is how many names of one pattern are shown separately: some products put a hash into every name.
const maxValues = 12

// crowded reports whether one pattern has shown so many names that further ones share a piece of evidence.
func (t *track) crowded(g *sign) bool {
	n := 0
	for _, e := range t.evidence {
		if e.Kind == g.kind && e.Pattern == g.entry.Pattern {
			n++
		}
	}
	return n >= maxValues
}

// under is the evidence for more names of one pattern.
func under(e *feeds.Entry) string {
	if e.Match == feeds.Suffix {
		return "*." + e.Pattern
	}
	return e.Pattern
}

// maxFrames is how many packet records a piece of evidence lists.
const maxFrames = 8

func (t *track) find(g *sign) *Evidence {
	for _, e := range t.evidence {
		if e.Kind == g.kind && e.Supports == (g.bar == barNone) && e.Role == g.entry.Role && e.Value == g.value {
			return e
		}
	}
	return nil
}

// beat notes when the host made contact in the sign's role.
func (c *Classifier) beat(t *track, g *sign) {
	if g.bar == barResolver || g.kind == KindNetwork || g.strength < feeds.Medium {
		return
	}
	at, role := g.time.Unix(), g.entry.Role
	for i := range t.beats {
		if t.beats[i].role == role {
			t.beats[i].start(at, g.flow != nil)
			t.beats[i].ttl = max(t.beats[i].ttl, g.ttl)
			return
		}
	}
	t.beats = append(t.beats, beat{role: role, last: at, since: at, starts: []int64{at}, flows: g.flow != nil, ttl: g.ttl})
}

// start adds a start. The first connection discards the times of DNS queries: those are scored only if nothing else was seen.
func (b *beat) start(at int64, flow bool) {
	b.judged = b.judged && !flow && b.flows
	switch {
	case flow && !b.flows:
		*b = beat{role: b.role, flows: true, last: at, since: at, starts: append(b.starts[:0], at)}
		return
	case !flow && b.flows:
		return
	case at-b.last <= sessionGap/int64(time.Second) && at >= b.last:
		b.last = at
		return
	case at < b.last:
		b.late(at)
		return
	}
	b.last = at
	if len(b.starts) >= maxBeats {
		b.starts = append(b.starts[:0], b.starts[1:]...)
		b.earlier++
	}
	b.starts = append(b.starts, at)
}

// late adds a start that comes out of order, unless it is part of a session.
func (b *beat) late(at int64) {
	i, found := slices.BinarySearch(b.starts, at)
	gap := sessionGap / int64(time.Second)
	if found || i > 0 && at-b.starts[i-1] <= gap || i < len(b.starts) && b.starts[i]-at <= gap || len(b.starts) >= maxBeats {
		return
	}
	b.since = min(b.since, at)
	b.starts = slices.Insert(b.starts, i, at)
}

// describe reads product and version.
func (c *Classifier) describe(t *track, g *sign) {
	if g.entry.Product != "" && (t.product == "" || g.strength == feeds.Strong && g.bar == barNone) {
		t.product = g.entry.Product
	}
}

// queue marks the track for Next.
func (c *Classifier) queue(t *track) {
	if !t.queued {
		t.queued = true
		c.changed = append(c.changed, t)
	}
}

// due reports whether the finding may have changed.
func (t *track) due(now time.Time) bool { return t.stirred || hourOf(now) != t.announcedHour }

func hourOf(t time.Time) int64 { return floorDiv(t.Unix(), 3600) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// attempts counts successes and failures in the last 24 hours that had any. The zero value is empty.
type attempts struct {
	slots [24]attemptHour // oldest first
	n     int
}

type attemptHour struct {
	hour     int64
	ok, fail uint32
	mute     uint32 // DNS queries without an answer: failed if the capture would show one
}

// ending is how an attempt ended.
type ending uint8

const (
	unknownEnd ending = iota // one-sided, cut, or answered without an address
	worked
	missed
	silent // a DNS query without an answer
)

func (a *attempts) add(t time.Time, how ending) {
	s := a.slot(hourOf(t))
	if s == nil {
		return
	}
	switch how {
	case worked:
		s.ok++
	case missed:
		s.fail++
	case silent:
		s.mute++
	}
}

// failed is how many attempts of the hour failed; heard means that answers would have been seen.
func (s *attemptHour) failed(heard bool) uint32 {
	if heard {
		return s.fail + s.mute
	}
	return s.fail
}

// slot returns the counter of an hour, nil if it is older than those kept.
func (a *attempts) slot(hour int64) *attemptHour {
	at := a.n
	for at > 0 && a.slots[at-1].hour > hour {
		at--
	}
	if at > 0 && a.slots[at-1].hour == hour {
		return &a.slots[at-1]
	}
	if a.n == len(a.slots) {
		if at == 0 {
			return nil
		}
		copy(a.slots[:], a.slots[1:at])
		at--
	} else {
		copy(a.slots[at+1:a.n+1], a.slots[at:a.n])
		a.n++
	}
	a.slots[at] = attemptHour{hour: hour}
	return &a.slots[at]
}

// blocked reports whether nothing worked from an hour on and at least three attempts have failed since anything did: connections, or
// DNS queries if none was answered.
func blocked(flows, lookups *attempts, from int64, heard bool) bool {
	ok, fail := flows.since(from, heard)
	answered, refused := lookups.since(from, heard)
	return ok == 0 && (fail >= 3 || answered == 0 && fail+refused >= 3)
}

// since counts the successes from an hour on, and the failures since the hour of the last success.
func (a *attempts) since(from int64, heard bool) (ok, fail uint32) {
	for i := a.n - 1; i >= 0; i-- {
		s := &a.slots[i]
		switch {
		case s.ok > 0 && s.hour < from:
			return ok, fail
		case s.hour >= from:
			ok += s.ok
		}
		fail += s.failed(heard)
	}
	return ok, fail
}

func (a *attempts) failures(heard bool) (n uint32) {
	for i := range a.slots[:a.n] {
		n += a.slots[i].failed(heard)
	}
	return n
}

// lastFailure returns the newest hour with a failure; false if there is none.
func (a *attempts) lastFailure(heard bool) (hour int64, any bool) {
	for i := a.n - 1; i >= 0; i-- {
		if a.slots[i].failed(heard) > 0 {
			return a.slots[i].hour, true
		}
	}
	return 0, false
}

// rhythm returns how regular a beat of the host is. It is judged again after each new start and each new active hour of the host.
func (h *host) rhythm(b *beat) beacon.Result {
	nat := nattedBeside(&h.did)
	newest, _ := h.active.Newest()
	if b.judged && b.judgedFor == newest && (!nat || b.rhythm.Reason == beacon.Several) {
		return b.rhythm
	}
	b.rhythm = beacon.Judge(beacon.Timeline{Starts: b.starts, Earlier: b.earlier, Since: b.since, Active: &h.active,
		Lookups: !b.flows, TTL: b.ttl, NAT: nat})
	b.judged, b.judgedFor = true, newest
	return b.rhythm
}

// clearBeat is the score from which a beat shows one machine.
const clearBeat = 0.8

// countPhases notes how many machines the present beats show. A clear beat withdraws an earlier count.
func (h *host) countPhases() {
	if nattedBeside(&h.did) {
		return
	}
	most, clear := 0, false
	for _, t := range h.tracks {
		for i := range t.beats {
			r := &t.beats[i].rhythm
			clear = clear || t.beats[i].judged && r.Scored && r.Score >= clearBeat
			if t.beats[i].judged && r.Reason == beacon.Several {
				most = max(most, r.Machines)
			}
		}
	}
	if most > 0 || clear {
		h.did.phases = uint8(min(most, 255))
	}
}
