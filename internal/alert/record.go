package alert

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// record is what a Book remembers of a finding. What alerts say of it comes in by apply, the finding itself by see; both
// are the same after a restart.
type record struct {
	// Of the finding.
	seen    time.Time // its last contact, as far as it was judged
	first   time.Time
	count   uint64 // contacts and look-ups
	verdict classify.Verdict
	contact classify.State
	role    classify.HostRole
	live    bool // what is seen is to be told at all
	concern bool // as the policy says
	stale   bool // nothing is known of it since a restart but what was told
	address netip.Addr
	mac     [6]byte
	name    string
	fits    []string // suppressions whose roles and names fit

	// Of the alerts.
	told     classify.Verdict // the surest
	reminded bool             // that the time to remove it is over
	state    State
	since    time.Time // of the state
	made     time.Time // when the last alert was made
	places   []placeKey
	owed     *owed // nil: nothing waits to be told

	due        time.Time // when to look at it again at the latest; zero never
	at         int       // in the heap; -1 where it is not in it
	prev, next *record   // in order of judging

	last Alert // as last made, with short lists: what is told of the finding when it is not at hand
}

// owed is the alert that waits to be told: the latest of a finding, or its first.
type owed struct {
	event   Event
	id      string
	changed time.Time
	rule    string
	why     string
	verdict classify.Verdict // the surest meanwhile
	silence Silence
	by      string
	until   time.Time // when it may be told; zero where no time says so
	full    *Alert    // nil where there was no room
	place   uint64    // among all unsaid alerts
}

// opens says that what was told before is no longer of interest beside it.
func (e Event) opens() bool { return e == New || e == Returned }

// stays says that what waits keeps its event when more comes: the host itself, or that time is over, outweighs a detail.
func (e Event) stays(next Event) bool {
	return (e.opens() || e == RemovalDue) && !next.opens() && next != Resolved
}

// apply takes an alert into account that was made, told or not.
func (r *record) apply(a *Alert) {
	if r.state == "" || r.state == Closed && a.Event != Resolved {
		r.state, r.since, r.reminded, r.told = Open, a.Changed, false, 0
	}
	r.told = max(r.told, verdictOf(a.Verdict))
	for i := range a.Destinations {
		d := &a.Destinations[i]
		if key := (placeKey{d.Level, d.Country}); d.Concern && len(r.places) < mostPlaces && !slices.Contains(r.places, key) {
			r.places = append(r.places, key)
		}
	}
	r.made = later(r.made, a.Decided)
	r.reminded = r.reminded || a.Event == RemovalDue
	r.become(a)
	r.remember(a)
}

// become is the state that an alert brings.
func (r *record) become(a *Alert) {
	next, since := Open, a.Decided
	switch {
	case a.Event == Resolved:
		next, since = Closed, a.Changed
	case a.Unsaid == Silenced || a.Unsaid == Maintenance:
		next = Suppressed
	case a.State == Acknowledged:
		next = Acknowledged
	case a.Event == Repeated && r.state != Suppressed:
		return
	}
	if next != r.state {
		r.state, r.since = next, since
	}
}

// mostKept bounds the lists of what a record remembers of an alert.
const mostKept = 2

func (r *record) remember(a *Alert) {
	r.last = *a
	r.last.Destinations = slices.Clone(a.Destinations[:min(len(a.Destinations), mostKept)])
	r.last.Evidence = slices.Clone(a.Evidence[:min(len(a.Evidence), mostKept)])
	r.last.Beacons, r.last.Reasons, r.last.Hosts = nil, nil, nil
}

// see takes the finding as it stands into account.
func (r *record) see(f *classify.Finding, live, concern bool) {
	r.seen, r.first, r.count = later(r.seen, f.LastSeen), f.FirstSeen, f.Contacts+f.Lookups
	r.verdict, r.contact, r.role, r.live = f.Verdict, f.State, f.HostRole, live
	r.concern = concern
}

// changed is the packet time of what changed in a finding: its contact, where there was one since it was judged last. The
// clock may be ahead of that by what other hosts did meanwhile, or in silence; nothing of it belongs into an id.
func (r *record) changed(f *classify.Finding, now time.Time) time.Time {
	if f.LastSeen.After(r.seen) && f.LastSeen.Before(now) {
		return f.LastSeen
	}
	return now
}

// identify takes the host into account. It allocates nothing unless that changed.
func (r *record) identify(f *classify.Finding) {
	h := &f.Host
	if r.address != h.Address {
		r.address, r.last.Host.Address = h.Address, h.Address
	}
	if r.name != h.Name {
		r.name, r.last.Host.Name = h.Name, text(h.Name)
	}
	if h.HasMAC && r.mac != h.MAC {
		r.mac, r.last.Host.MAC = h.MAC, hostOf(f).MAC
	}
}

// recall makes an alert of what is remembered.
func (r *record) recall() *Alert {
	a := r.last
	a.Last, a.Seen, a.Why = later(a.Last, r.seen), max(a.Seen, r.count), text(a.Why)
	a.Verdict, a.FindingState, a.HostRole = r.verdict.String(), r.contact.String(), r.role.String()
	a.Made = time.Time{}
	return &a
}

func severityOf(d *policy.Decision) policy.Severity {
	if !d.Concern {
		return policy.Info
	}
	return d.Severity
}

func verdictOf(word string) classify.Verdict {
	for v := classify.Visit; v <= classify.Installed; v++ {
		if v.String() == word {
			return v
		}
	}
	return classify.NoVerdict
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// dues is a heap of records, the first due first; of two that are due at once, the one with the lesser finding ID.
type dues []*record

func (d dues) Len() int { return len(d) }
func (d dues) Less(i, j int) bool {
	if c := d[i].due.Compare(d[j].due); c != 0 {
		return c < 0
	}
	return d[i].last.Finding < d[j].last.Finding
}
func (d dues) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].at, d[j].at = i, j
}

// Push implements heap.Interface. x is a *record.
func (d *dues) Push(x any) {
	r := x.(*record)
	r.at = len(*d)
	*d = append(*d, r)
}

// Pop implements heap.Interface.
func (d *dues) Pop() any {
	old := *d
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	r.at = -1
	return r
}

// schedule puts the record where it is found in time. One that is due later than the heap has it stays: it is looked at
// then, and put back.
func (b *Book) schedule(r *record) {
	_, due := b.next(r)
	switch {
	case due.IsZero():
		if r.at >= 0 {
			heap.Remove(&b.dues, r.at)
		}
	case r.at < 0:
		r.due = due
		heap.Push(&b.dues, r)
	case due.Before(r.due):
		r.due = due
		heap.Fix(&b.dues, r.at)
	}
}

// queue is the records in the order in which they were judged, the one longest ago first.
type queue struct{ first, last *record }

func (q *queue) add(r *record) {
	r.prev, r.next = q.last, nil
	if q.last != nil {
		q.last.next = r
	} else {
		q.first = r
	}
	q.last = r
}

func (q *queue) remove(r *record) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		q.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		q.last = r.prev
	}
	r.prev, r.next = nil, nil
}

func (q *queue) touch(r *record) {
	if q.last != r {
		q.remove(r)
		q.add(r)
	}
}
