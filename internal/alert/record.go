package alert

import (
	"container/heap"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// record is what a Book remembers of a finding. What alerts say of it comes in by apply, the finding itself by see; both
// are the same after a restart.
type record struct {
	last  Alert // as last made, with short lists: what is told of the finding when it is not at hand
	mac   [6]byte
	state State
	since time.Time // of the state

	// Of the alerts.
	verdict  classify.Verdict // the surest that was told
	places   []placeKey       // of concern, told
	made     time.Time        // when the last alert was made
	reminded bool             // that the time to remove it is over
	owed     *owed            // nil: nothing waits to be told

	// Of the finding.
	seen    time.Time // its last contact, as far as it was judged
	first   time.Time
	contact classify.State
	live    bool     // what is seen is to be told at all
	fits    []string // suppressions whose roles and names fit
	stale   bool     // nothing is known of it since a restart but what was told

	due        time.Time // when to look at it again at the latest; zero never
	at         int       // in the heap; -1 where it is not in it
	prev, next *record   // in order of judging
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
		r.state, r.since, r.reminded, r.verdict = Open, a.Changed, false, 0
	}
	r.verdict = max(r.verdict, verdictOf(a.Verdict))
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
	seen := r.last
	r.last = *a
	r.last.Destinations = slices.Clone(a.Destinations[:min(len(a.Destinations), mostKept)])
	r.last.Evidence = slices.Clone(a.Evidence[:min(len(a.Evidence), mostKept)])
	r.last.Beacons, r.last.Reasons, r.last.Hosts = nil, nil, nil
	if seen.Last.After(a.Last) { // an alert that waited
		r.last.Last, r.last.Seen = seen.Last, seen.Seen
	}
}

// see takes the finding as it stands into account. It allocates nothing unless host or suppressions changed.
func (r *record) see(f *classify.Finding, live bool) {
	r.seen, r.first, r.contact, r.live = later(r.seen, f.LastSeen), f.FirstSeen, f.State, live
	l := &r.last
	l.Last, l.Seen, l.Verdict, l.FindingState = later(l.Last, f.LastSeen), f.Contacts+f.Lookups, f.Verdict.String(), f.State.String()
	l.HostRole = f.HostRole.String()
}

// identify takes the host into account.
func (r *record) identify(f *classify.Finding) {
	h := &r.last.Host
	h.Address = f.Host.Address
	if f.Host.Name != h.Name {
		h.Name = text(f.Host.Name)
	}
	if f.Host.HasMAC && f.Host.MAC != r.mac {
		r.mac, h.MAC = f.Host.MAC, hostOf(f).MAC
	}
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
