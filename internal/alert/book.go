package alert

import (
	"container/heap"
	"fmt"
	"time"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/internal/policy"
)

// Book decides what is told. It knows no time but the one it is given, starts nothing and does no I/O; it is not safe for
// concurrent use. An Alert that it hands out does not change any more, but for Made and State, which are the caller's.
type Book struct {
	opt      Options
	rules    *rules
	now      time.Time // greatest time so far
	sequence uint64

	records map[string]*record // by finding ID
	order   queue
	dues    dues
	stale   bool // some records are

	suppressions []*Suppression
	byID         map[string]*Suppression
	deep         []*Suppression // those that ask for roles or names

	groups map[string]*group // by vendor
	open   []*group          // that wait for their Summary, the first to end first

	out    []*Alert
	unsaid []*Alert
	handed uint64 // unsaid alerts that came before those, and one
	held   int
	counts counts
}

// NewBook makes a Book. The error names every key of the configuration that is wrong, and says what to write there.
func NewBook(cfg Config, opt Options) (*Book, error) {
	opt.complete()
	r, err := compile(&cfg)
	if err != nil {
		return nil, err
	}
	b := &Book{opt: opt, rules: r, records: map[string]*record{}, groups: map[string]*group{}, handed: 1,
		counts: newCounts()}
	list := make([]*Suppression, 0, len(cfg.Suppress))
	for i := range cfg.Suppress {
		s, err := NewSuppression(cfg.Suppress[i])
		if err != nil {
			return nil, fmt.Errorf("alerts.suppress[%d]: %w", i, err)
		}
		list = append(list, s)
	}
	if err := b.Suppress(list); err != nil {
		return nil, fmt.Errorf("alerts.suppress: %w", err)
	}
	return b, nil
}

// mostDue bounds how much that has come due one call tells; the next goes on.
const mostDue = 4096

// Judge takes a finding that changed, and what the policy says of it, at packet time now. It returns what is to be told
// in order: what came due before, then the finding's own alerts. The finding is not kept.
func (b *Book) Judge(f *classify.Finding, d policy.Decision, now time.Time) []*Alert {
	now = b.reach(now)
	live := b.live(f, &d)
	r := b.records[f.ID]
	if r == nil && live {
		r = b.track(f.ID)
	}
	if r == nil {
		return b.take()
	}
	b.order.touch(r)
	b.settle(r, now)
	r.identify(f)
	b.fit(r, f)
	if live {
		b.change(r, f, &d, now)
	}
	r.see(f, live, d.Concern)
	r.stale = false
	b.settle(r, now) // what is due with its first sight
	b.schedule(r)
	return b.take()
}

// Tick takes note that packet time has reached now, and returns what has come due: resolved, repeated and removal_due
// alerts, summaries, and what waited for the end of quiet hours or of a suppression.
func (b *Book) Tick(now time.Time) []*Alert {
	b.reach(now)
	return b.take()
}

// Use exchanges sensor, policy, version and places of concern from now on; limits stay. What was told stays told.
func (b *Book) Use(opt Options) {
	opt.complete()
	b.opt.Sensor, b.opt.Policy, b.opt.Version, b.opt.Concern = opt.Sensor, opt.Policy, opt.Version, opt.Concern
}

func (b *Book) take() []*Alert {
	out := b.out
	b.out = nil
	return out
}

// live says whether the finding is to be told at all.
func (b *Book) live(f *classify.Finding, d *policy.Decision) bool {
	return (d.Concern || b.rules.all) && f.Verdict >= max(b.rules.atLeast, classify.Visit)
}

func (b *Book) track(id string) *record {
	r := &record{at: -1}
	r.last.Finding = id
	b.records[id] = r
	b.order.add(r)
	if len(b.records) > b.opt.MaxTracked {
		b.forget(b.order.first)
		b.counts.evicted++
	}
	return r
}

func (b *Book) forget(r *record) {
	delete(b.records, r.last.Finding)
	b.order.remove(r)
	b.settled(r)
	if r.at >= 0 {
		heap.Remove(&b.dues, r.at)
	}
}

// change makes the alerts that a finding of concern gives rise to.
func (b *Book) change(r *record, f *classify.Finding, d *policy.Decision, now time.Time) {
	var room [4]Event
	events := b.events(r, f, now, room[:0])
	changed := r.changed(f, now)
	for _, e := range events {
		b.deliver(r, fromFinding(f, d, e, changed, &b.opt, r.places), now)
		if r.owed == nil && r.last.Event.opens() {
			return // it tells the rest
		}
	}
	if o := r.owed; o != nil && len(events) == 0 && b.over(r, o, f, now) {
		b.release(r, fromFinding(f, d, o.event, o.changed, &b.opt, nil), now)
	}
}

// back is how long a finding was quiet when it counts as returned (classify.Returned).
const back = 48 * time.Hour

// events are those that a finding of concern brings, in order.
func (b *Book) events(r *record, f *classify.Finding, now time.Time, out []Event) []Event {
	switch {
	case r.state == "":
		return append(out, New)
	case r.state == Closed && f.LastSeen.After(r.since):
		return append(out, Returned)
	case r.state == Closed:
		return out
	}
	if f.State == classify.Returned && (r.contact != classify.Returned || f.LastSeen.Sub(r.seen) >= back) {
		out = append(out, Returned)
	}
	if f.Verdict > r.told {
		out = append(out, Raised)
	}
	if b.elsewhere(r, f) {
		out = append(out, Place)
	}
	if f.State == classify.Blocked && r.contact != classify.Blocked {
		out = append(out, Blocked)
	}
	if len(out) == 0 && b.again(r, f.LastSeen) && !now.Before(r.made.Add(b.rules.repeat)) {
		out = append(out, Repeated)
	}
	return out
}

// again says whether a finding that was last seen at a time is to be told again some day.
func (b *Book) again(r *record, seen time.Time) bool {
	return b.rules.repeat > 0 && r.state == Open && r.owed == nil && seen.After(r.made)
}

// elsewhere says whether the host calls a place of concern that was not told.
func (b *Book) elsewhere(r *record, f *classify.Finding) bool {
	if len(r.places) >= mostPlaces {
		return false
	}
	for i := range f.Destinations {
		if d := &f.Destinations[i]; !r.knows(&d.Place) && b.opt.Concern(f, d) {
			return true
		}
	}
	return false
}

func (r *record) knows(p *place.Location) bool {
	level := p.Level.String()
	for i := range r.places {
		if r.places[i].level == level && r.places[i].country == p.Country {
			return true
		}
	}
	return false
}

// Acknowledge notes that somebody takes care of an open finding: it is not repeated, until something new is told of it. It
// returns the id of the alert whose State the caller sets, so that Restore knows.
func (b *Book) Acknowledge(findingID string, at time.Time) (alertID string, ok bool) {
	r := b.records[findingID]
	if r == nil || r.state != Open && r.state != Acknowledged {
		return "", false
	}
	if r.state == Open {
		r.state, r.since = Acknowledged, at.UTC()
	}
	return r.last.ID, true
}

// State gives the state of a finding, and since when; false where nothing was made of it.
func (b *Book) State(findingID string) (s State, since time.Time, ok bool) {
	r := b.records[findingID]
	if r == nil || r.state == "" {
		return "", time.Time{}, false
	}
	return r.state, r.since, true
}
