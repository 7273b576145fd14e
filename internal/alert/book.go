package alert

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// Book decides which alerts are made, and which of them are sent. Its only clock is the packet time that callers pass in. It
// does no I/O, starts no goroutine and is not safe for concurrent use. It never changes an Alert that it has returned; the
// caller may set Made and State.
type Book struct {
	opt      Options
	rules    *rules
	now      time.Time // latest packet time so far
	sequence uint64

	records map[string]*record // by finding ID
	order   queue              // least recently judged first: the next to be forgotten
	dues    dues
	stale   bool // some records are stale (see record)

	suppressions []*Suppression
	byID         map[string]*Suppression
	needFinding  []*Suppression // those that need the finding: they have roles or domains

	groups map[string]*group // by vendor
	open   []*group          // with a Summary under way, the first to end first

	out         []*Alert // to send; taken by the current call
	unsaid      []*Alert // made but not sent, not fetched yet; nil where withdrawn
	firstUnsaid uint64   // index of unsaid[0] in the endless list of unsaid alerts, from 1
	held        int      // pending alerts kept in full, at most MaxHeld
	counts      counts
}

// NewBook makes an empty Book. The error names every wrong configuration key and says what to write there.
func NewBook(cfg Config, opt Options) (*Book, error) {
	opt.complete()
	r, err := compile(&cfg)
	if err != nil {
		return nil, err
	}
	b := &Book{opt: opt, rules: r, records: map[string]*record{}, groups: map[string]*group{}, firstUnsaid: 1,
		counts: newCounts()}
	list, err := NewSuppressions(cfg.Suppress)
	if err != nil {
		return nil, err
	}
	if err := b.Suppress(list); err != nil {
		return nil, fmt.Errorf("alerts.suppress: %w", err)
	}
	return b, nil
}

// mostDue bounds how many due actions one call performs; the next call continues.
const mostDue = 4096

// Judge takes a changed finding and the policy's decision on it at packet time now. It returns the alerts to send, in order:
// what came due until now, then the finding's own. It keeps no reference to the finding.
func (b *Book) Judge(f *classify.Finding, d policy.Decision, now time.Time) []*Alert {
	now = b.advanceTo(now)
	reportable := b.reportable(f, &d)
	r := b.records[f.ID]
	if r == nil && reportable {
		r = b.track(f.ID)
		if b.opt.Past != nil && b.counts.evicted > 0 { // the Book may have forgotten it: what was sent is not sent again as new
			for _, a := range inOrder(b.opt.Past(f.ID)) {
				b.reapply(a)
			}
		}
	}
	if r == nil {
		return b.take()
	}
	b.order.touch(r)
	b.catchUp(r, now)
	r.identify(f)
	b.noteMatching(r, f)
	if reportable {
		b.change(r, f, &d, now)
	}
	r.update(f, reportable, d.Concern)
	r.stale = false
	b.catchUp(r, now) // e.g. a removal deadline that had passed when the finding began
	b.schedule(r)
	return b.take()
}

// Tick advances packet time to now and returns the alerts that have come due: resolved, repeated and removal_due alerts,
// summaries, and alerts held back until quiet hours or a suppression ended.
func (b *Book) Tick(now time.Time) []*Alert {
	b.advanceTo(now)
	return b.take()
}

// Use replaces sensor, policy, version and places of concern after a reload. Limits and what was sent stay.
func (b *Book) Use(opt Options) {
	opt.complete()
	b.opt.Sensor, b.opt.Policy, b.opt.Version, b.opt.Concern = opt.Sensor, opt.Policy, opt.Version, opt.Concern
}

func (b *Book) take() []*Alert {
	out := b.out
	b.out = nil
	return out
}

// reportable says whether the configuration wants alerts for such a finding at all.
func (b *Book) reportable(f *classify.Finding, d *policy.Decision) bool {
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
	b.drop(r)
	if r.at >= 0 {
		heap.Remove(&b.dues, r.at)
	}
}

// change makes the alerts for what is new in a reportable finding.
func (b *Book) change(r *record, f *classify.Finding, d *policy.Decision, now time.Time) {
	var room [4]Event
	events := b.events(r, f, now, room[:0])
	changed := r.changed(f, now)
	for _, e := range events {
		b.deliver(r, fromFinding(f, d, e, changed, &b.opt, r.places), now)
		if r.pending == nil && r.last.Event.opens() {
			return // a new or returned alert includes the other changes
		}
	}
	if o := r.pending; o != nil && len(events) == 0 && b.lifted(r, o, f, now) {
		b.release(r, fromFinding(f, d, o.event, o.changed, &b.opt, nil), now)
	}
}

// back is the quiet time after which classify calls a finding Returned.
const back = 48 * time.Hour

// events appends the changes of a reportable finding to out, in the order in which they are reported.
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
	if f.Verdict > r.surest {
		out = append(out, Raised)
	}
	if b.newPlace(r, f) {
		out = append(out, Place)
	}
	if f.State == classify.Blocked && r.contact != classify.Blocked {
		out = append(out, Blocked)
	}
	if len(out) == 0 && b.repeats(r, f.LastSeen) && !now.Before(r.made.Add(b.rules.repeat)) {
		out = append(out, Repeated)
	}
	return out
}

// repeats says whether a finding last seen at that time will get a repeated alert.
func (b *Book) repeats(r *record, seen time.Time) bool {
	return b.rules.repeat > 0 && r.state == Open && r.pending == nil && seen.After(r.made)
}

// newPlace says whether the host contacted a place of concern that no alert has reported.
func (b *Book) newPlace(r *record, f *classify.Finding) bool {
	if len(r.places) >= mostPlaces {
		return false
	}
	for i := range f.Destinations {
		if d := &f.Destinations[i]; !slices.Contains(r.places, keyOf(&d.Place)) && b.opt.Concern(f, d) {
			return true
		}
	}
	return false
}

// Acknowledge marks an open finding as taken care of: it gets no repeated alerts until something new is sent about it. The
// caller must store State Acknowledged in the alert whose id is returned, so that Restore knows.
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
