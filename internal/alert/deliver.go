package alert

import (
	"slices"
	"time"

	"avbeacon/classify"
)

// deliver decides at time t whether an alert is sent or held back, and records it. If it is sent, it includes what was
// pending for the finding.
func (b *Book) deliver(r *record, a *Alert, t time.Time) { b.decide(r, a, t, false) }

// decide does the work of deliver. waited: the alert was held back before.
func (b *Book) decide(r *record, a *Alert, t time.Time, waited bool) {
	b.sequence++
	a.Sequence, a.Decided = b.sequence, t.UTC()
	a.Unsaid, a.By, a.Note = Sent, "", ""
	until := b.silence(r, a, t)
	if o := r.pending; o != nil && a.Unsaid == Sent && o.event.stays(a.Event) {
		b.withdraw(o)
		o.rename(a)
		waited = true
	}
	if a.Unsaid == Sent && b.group(a, t) {
		a.Unsaid = Grouped
	}
	a.State = stateOf(a)
	a.Note = note(a, waited)
	a.Message = message(a)
	r.apply(a)
	b.hold(r, a, until)
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
		return "Not sent: suppression " + a.By + " matches."
	case Maintenance:
		return "Not sent: made during " + a.By + "."
	case Held:
		return "Held until quiet hours end."
	case Grouped:
		return "Part of a summary."
	case Unasked:
		return "Not sent: alerts.tell does not list this event."
	}
	if waited && a.Decided.After(a.Changed) {
		return "Held back since " + day(a.Changed) + "."
	}
	return ""
}

// silence sets Unsaid and By if the alert may not be sent at time t. It returns when the alert may be sent; the zero time if
// that does not depend on time alone.
func (b *Book) silence(r *record, a *Alert, t time.Time) (until time.Time) {
	if !b.rules.sends[a.Event] {
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
	if o := r.pending; o != nil && o.silence != Held && o.event.opens() && a.Event == Resolved {
		a.Unsaid, a.By = o.silence, o.by // new was never sent, so resolved is not either
		return time.Time{}
	}
	end, quiet := b.rules.quiet.until(t, a.Severity)
	if !quiet {
		return time.Time{}
	}
	a.Unsaid = Held
	return end
}

// emit puts an alert on the list to send, or on the list of those made but not sent.
func (b *Book) emit(a *Alert) {
	if a.Unsaid == Sent {
		b.out = append(b.out, a)
		return
	}
	if n := 1 + len(b.unsaid)/8; len(b.unsaid) >= b.opt.MaxUnsaid {
		b.unsaid = slices.Delete(b.unsaid, 0, n)
		b.firstUnsaid += uint64(n)
		b.counts.unfetched += uint64(n)
	}
	b.unsaid = append(b.unsaid, a)
}

// Unsaid returns the alerts that were made but not sent since the last call. The caller stores them without sending:
// together with the sent ones they are all that Restore needs. An alert may be returned again, or sent later, under the same
// id. Unsaid never returns an older version of an alert that Judge or Tick has returned.
func (b *Book) Unsaid() []*Alert {
	out := slices.DeleteFunc(b.unsaid, func(a *Alert) bool { return a == nil })
	b.firstUnsaid += uint64(len(b.unsaid))
	b.unsaid = nil
	return out
}

// withdraw removes a held alert from unsaid if it has not been fetched yet; a newer version replaces it.
func (b *Book) withdraw(o *pending) {
	if o.index >= b.firstUnsaid {
		b.unsaid[o.index-b.firstUnsaid] = nil
	}
}

// rename gives a the event, rule and id of the alert that was held back. After a maintenance window it becomes a new change
// with a new id.
func (o *pending) rename(a *Alert) {
	a.Event, a.Rule, a.Why, a.Verdict = o.event, o.rule, o.why, max(o.verdict, verdictOf(a.Verdict)).String()
	if o.silence == Maintenance {
		a.Changed = a.Decided
		a.ID = ID(a.Finding, a.Rule, a.Event, a.Changed)
		return
	}
	a.ID, a.Changed = o.id, o.changed
}

// hold updates what is pending for the finding after an alert was made.
func (b *Book) hold(r *record, a *Alert, until time.Time) {
	old := r.pending
	switch {
	case a.Unsaid == Unasked && a.Event != Resolved:
		return
	case a.Unsaid == Sent, a.Unsaid == Grouped, a.Unsaid == Unasked, a.Event == Resolved && a.Unsaid != Held:
		b.drop(r)
		return
	}
	o := &pending{event: a.Event, id: a.ID, changed: a.Changed, rule: a.Rule, why: a.Why,
		verdict: verdictOf(a.Verdict), silence: a.Unsaid, by: a.By, until: until, index: b.firstUnsaid + uint64(len(b.unsaid))}
	if old != nil && old.event.stays(a.Event) {
		o.event, o.id, o.changed, o.rule, o.why, o.index = old.event, old.id, old.changed, old.rule, old.why, old.index
		o.verdict = max(o.verdict, old.verdict)
	}
	b.drop(r)
	if b.held < b.opt.MaxHeld {
		o.full = a
		b.held++
	}
	r.pending = o
	b.counts.waits(o, 1)
}

// drop removes what is pending for the finding.
func (b *Book) drop(r *record) {
	if r.pending == nil {
		return
	}
	if r.pending.full != nil {
		b.held--
	}
	b.counts.waits(r.pending, -1)
	r.pending = nil
}

// lifted says whether the suppression or maintenance window that holds o back has ended for this finding.
func (b *Book) lifted(r *record, o *pending, f *classify.Finding, now time.Time) bool {
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

// release delivers what was pending. a has the current state of the finding.
func (b *Book) release(r *record, a *Alert, t time.Time) {
	a.Decided = t.UTC()
	b.withdraw(r.pending)
	r.pending.rename(a)
	b.drop(r)
	b.decide(r, a, t, true)
}

// waiting returns the pending alert, made from the record instead of the finding.
func (r *record) waiting() *Alert {
	a := r.recall()
	if full := r.pending.full; full != nil {
		a.Destinations, a.Evidence, a.Beacons, a.Reasons = full.Destinations, full.Evidence, full.Beacons, full.Reasons
	}
	return a
}
