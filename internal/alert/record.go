package alert

import (
	"net/netip"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// record is what a Book remembers of a finding. apply updates it from alerts, update from the finding itself. After a restart
// Restore and Recall bring both back.
type record struct {
	// From the finding.
	seen       time.Time // last contact that was judged
	first      time.Time
	count      uint64 // connections and DNS queries
	verdict    classify.Verdict
	contact    classify.State
	role       classify.HostRole
	reportable bool // the configuration wants alerts for it
	concern    bool // the policy's decision
	stale      bool // restored from alerts alone: not recalled or judged since
	address    netip.Addr
	mac        [6]byte
	name       string
	matching   []string // ids of suppressions whose roles and domains match

	// From the alerts.
	surest   classify.Verdict // surest verdict of an alert so far
	reminded bool             // removal_due was made
	state    State
	since    time.Time // of the state
	made     time.Time // when the last alert was decided
	places   []placeKey
	pending  *pending // nil: nothing is held back

	due        time.Time // when to look at it again, or earlier than that; zero: never
	at         int       // index in the heap; -1: not in it
	prev, next *record   // in the Book's order

	last Alert // the last alert made, with short lists; alerts made without the finding start from it
}

// pending is the alert of a finding that is held back: the latest, unless an earlier one outranks it (see stays).
type pending struct {
	event   Event
	id      string
	changed time.Time
	rule    string
	why     string
	verdict classify.Verdict // surest while it was held back
	silence Silence
	by      string
	until   time.Time // when it may be sent; zero: not decided by time alone
	full    *Alert    // nil if MaxHeld was reached
	index   uint64    // index in the endless list of unsaid alerts (Book.firstUnsaid); 0: fetched before a restart
}

// opens says whether the event starts the finding's story: an alert of it includes all other changes.
func (e Event) opens() bool { return e == New || e == Returned }

// stays says whether a held alert keeps its event when next is made: a new host or a passed deadline outweighs a detail.
func (e Event) stays(next Event) bool {
	return (e.opens() || e == RemovalDue) && !next.opens() && next != Resolved
}

// apply updates the record from an alert that was made, sent or not.
func (r *record) apply(a *Alert) {
	if r.state == "" || r.state == Closed && a.Event != Resolved {
		r.state, r.since, r.reminded, r.surest = Open, a.Changed, false, 0
	}
	r.surest = max(r.surest, verdictOf(a.Verdict))
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

// become sets the finding's state after an alert.
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

// mostKept bounds the lists of record.last.
const mostKept = 2

func (r *record) remember(a *Alert) {
	r.last = *a
	r.last.Destinations = slices.Clone(a.Destinations[:min(len(a.Destinations), mostKept)])
	r.last.Evidence = slices.Clone(a.Evidence[:min(len(a.Evidence), mostKept)])
	r.last.Beacons, r.last.Reasons, r.last.Hosts = nil, nil, nil
}

// update updates the record from the finding.
func (r *record) update(f *classify.Finding, reportable, concern bool) {
	r.seen, r.first, r.count = later(r.seen, f.LastSeen), f.FirstSeen, f.Contacts+f.Lookups
	r.verdict, r.contact, r.role, r.reportable = f.Verdict, f.State, f.HostRole, reportable
	r.concern = concern
}

// changed returns the packet time of a finding's change: its latest contact if that is new since it was last judged, else
// now. The clock may be ahead of the contact because of other hosts' packets; ids must not depend on those.
func (r *record) changed(f *classify.Finding, now time.Time) time.Time {
	if f.LastSeen.After(r.seen) && f.LastSeen.Before(now) {
		return f.LastSeen
	}
	return now
}

// identify updates the host. It allocates only if the host changed.
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

// recall makes an alert from the record.
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

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// queue lists the records, least recently judged first.
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
