package alert

import (
	"slices"
	"time"

	"avbeacon/classify"
)

// deliver decides at a time what becomes of an alert, and notes it. What waited to be told of the finding is told with it.
func (b *Book) deliver(r *record, a *Alert, t time.Time) { b.decide(r, a, t, false) }

// decide is deliver; waited says that the alert was held back before.
func (b *Book) decide(r *record, a *Alert, t time.Time, waited bool) {
	b.sequence++
	a.Sequence, a.Decided = b.sequence, t.UTC()
	a.Unsaid, a.By, a.Note = Told, "", ""
	until := b.silence(r, a, t)
	if o := r.owed; o != nil && a.Unsaid == Told && o.event.stays(a.Event) {
		b.withdraw(o)
		o.name(a)
		waited = true
	}
	if a.Unsaid == Told && b.group(a, t) {
		a.Unsaid = Grouped
	}
	a.State = stateOf(a)
	a.Note = note(a, waited)
	a.Message = message(a)
	r.apply(a)
	b.owe(r, a, until)
	b.counts.add(a)
	b.emit(a)
}

func stateOf(a *Alert) State {
	switch {
	case a.Unsaid == Silenced || a.Unsaid == Maintenance:
		return Suppressed
	case a.Event == Resolved:
		return Closed
	}
	return Open
}

func note(a *Alert, waited bool) string {
	switch a.Unsaid {
	case Silenced:
		return "Not told: the suppression " + a.By + " fits."
	case Maintenance:
		return "Not told: it happened in " + a.By + "."
	case Held:
		return "It waits for the end of quiet hours."
	case Grouped:
		return "A summary tells it."
	case Unasked:
		return "Not told: the configuration does not ask for this event."
	}
	if waited && a.Decided.After(a.Changed) {
		return "Held back from " + day(a.Changed) + " on."
	}
	return ""
}

// silence says in the alert why it is not to be told at a time, and returns when it may be; zero where no time says so.
func (b *Book) silence(r *record, a *Alert, t time.Time) (until time.Time) {
	if !b.rules.tell[a.Event] {
		a.Unsaid = Unasked
		return time.Time{}
	}
	if s := b.suppression(r, t); s != nil {
		a.Unsaid, a.By = Silenced, s.ID
		return s.Expires
	}
	if w := b.rules.window(&r.last.Host, t); w != nil {
		a.Unsaid, a.By = Maintenance, w.id
		return time.Time{}
	}
	if o := r.owed; o != nil && o.silence != Held && o.event.opens() && a.Event == Resolved {
		a.Unsaid, a.By = o.silence, o.by // nobody was told that it was there
		return time.Time{}
	}
	end, quiet := b.rules.quiet.until(t, a.Severity)
	if !quiet {
		return time.Time{}
	}
	a.Unsaid = Held
	return end
}

// emit hands an alert out: to be told, or to be kept alone.
func (b *Book) emit(a *Alert) {
	if a.Unsaid == Told {
		b.out = append(b.out, a)
		return
	}
	if n := 1 + len(b.unsaid)/8; len(b.unsaid) >= b.opt.MaxUnsaid {
		b.unsaid = slices.Delete(b.unsaid, 0, n)
		b.handed += uint64(n)
		b.counts.unfetched += uint64(n)
	}
	b.unsaid = append(b.unsaid, a)
}

// Unsaid gives the alerts that were made and not told since the last call. They are for the store, not for the spool: with
// what was told they are all that Restore needs. The same alert may come again, or be told later, under the same id; of
// what Judge and Tick told before the call it gives no older form.
func (b *Book) Unsaid() []*Alert {
	out := slices.DeleteFunc(b.unsaid, func(a *Alert) bool { return a == nil })
	b.handed += uint64(len(b.unsaid))
	b.unsaid = nil
	return out
}

// withdraw takes back the form of an alert that waited, where nobody has it yet: another form of it follows.
func (b *Book) withdraw(o *owed) {
	if o.place >= b.handed {
		b.unsaid[o.place-b.handed] = nil
	}
}

// name gives an alert the event that it tells in truth, and its id. What begins after a maintenance is a change of its own.
func (o *owed) name(a *Alert) {
	a.Event, a.Rule, a.Why, a.Verdict = o.event, o.rule, o.why, max(o.verdict, verdictOf(a.Verdict)).String()
	if o.silence == Maintenance {
		a.Changed = a.Decided
		a.ID = ID(a.Finding, a.Rule, a.Event, a.Changed)
		return
	}
	a.ID, a.Changed = o.id, o.changed
}

// owe notes what is still to be told of the finding after an alert was made.
func (b *Book) owe(r *record, a *Alert, until time.Time) {
	old := r.owed
	switch {
	case a.Unsaid == Unasked && a.Event != Resolved:
		return
	case a.Unsaid == Told, a.Unsaid == Grouped, a.Unsaid == Unasked, a.Event == Resolved && a.Unsaid != Held:
		b.settled(r)
		return
	}
	o := &owed{event: a.Event, id: a.ID, changed: a.Changed, rule: a.Rule, why: a.Why,
		verdict: verdictOf(a.Verdict), silence: a.Unsaid, by: a.By, until: until, place: b.handed + uint64(len(b.unsaid))}
	if old != nil && old.event.stays(a.Event) {
		o.event, o.id, o.changed, o.rule, o.why, o.place = old.event, old.id, old.changed, old.rule, old.why, old.place
		o.verdict = max(o.verdict, old.verdict)
	}
	b.settled(r)
	if b.held < b.opt.MaxHeld {
		o.full = a
		b.held++
	}
	r.owed = o
	b.counts.waits(o, 1)
}

// settled says that nothing is to be told of the finding any more.
func (b *Book) settled(r *record) {
	if r.owed == nil {
		return
	}
	if r.owed.full != nil {
		b.held--
	}
	b.counts.waits(r.owed, -1)
	r.owed = nil
}

// over says whether what kept an alert from being told is over, seen from the finding.
func (b *Book) over(r *record, o *owed, f *classify.Finding, now time.Time) bool {
	switch o.silence {
	case Silenced:
		if s := b.byID[o.by]; s != nil && b.silences(s, r, now) {
			return false
		}
		return b.suppression(r, now) == nil
	case Maintenance:
		i := slices.IndexFunc(b.rules.windows, func(w window) bool { return w.id == o.by })
		return i < 0 || !f.LastSeen.Before(b.rules.windows[i].to)
	}
	return false
}

// release delivers what waited, in the form of an alert that has the finding as it stands.
func (b *Book) release(r *record, a *Alert, t time.Time) {
	a.Decided = t.UTC()
	b.withdraw(r.owed)
	r.owed.name(a)
	b.settled(r)
	b.decide(r, a, t, true)
}

// waiting is an alert for what is owed of a record, made without its finding.
func (r *record) waiting() *Alert {
	a := r.recall()
	if full := r.owed.full; full != nil {
		a.Destinations, a.Evidence, a.Beacons, a.Reasons = full.Destinations, full.Evidence, full.Beacons, full.Reasons
	}
	return a
}
