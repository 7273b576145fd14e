package alert

import (
	"container/heap"
	"time"
)

// action is what a record is scheduled for.
type action uint8

const (
	nothing action = iota
	release        // deliver what was held back
	remind         // the removal deadline has passed
	repeat
	resolve
)

// advanceTo advances the Book's clock, performs what has come due, and returns the clock.
func (b *Book) advanceTo(now time.Time) time.Time {
	b.now = later(b.now, now)
	if b.stale {
		b.refresh()
	}
	for range mostDue {
		if !b.advance() {
			break
		}
	}
	return b.now
}

// advance handles the earliest due action and reports whether there was one. A record's place in the heap may be too early
// (see schedule): then it is only moved.
func (b *Book) advance() bool {
	var top *record
	if len(b.dues) > 0 && !b.dues[0].due.After(b.now) {
		top = b.dues[0]
	}
	if len(b.open) > 0 && !b.open[0].end.After(b.now) && (top == nil || !b.open[0].end.After(top.due)) {
		b.sum(b.open[0])
		return true
	}
	if top == nil {
		return false
	}
	what, due := b.next(top)
	if what != nothing && !due.After(top.due) {
		b.act(top, what, due)
		_, due = b.next(top)
	}
	if top.at < 0 {
		return true
	}
	if top.due = due; due.IsZero() {
		heap.Remove(&b.dues, top.at)
	} else {
		heap.Fix(&b.dues, top.at)
	}
	return true
}

// catchUp performs what is due for one record.
func (b *Book) catchUp(r *record, now time.Time) {
	for range mostDue {
		what, due := b.next(r)
		if what == nothing || due.After(now) {
			return
		}
		b.act(r, what, due)
	}
}

// next returns a record's earliest action and when it is due; nothing and the zero time if it has none.
func (b *Book) next(r *record) (what action, due time.Time) {
	if o := r.pending; o != nil && !o.until.IsZero() {
		what, due = release, o.until
	}
	if r.state == "" || r.state == Closed {
		return what, due
	}
	first := func(m action, t time.Time) {
		if !t.IsZero() && (what == nothing || t.Before(due)) {
			what, due = m, t
		}
	}
	if r.reportable && r.concern && !r.reminded && r.pending == nil { // what is pending goes first
		if t := b.rules.removal(r.first); !t.IsZero() {
			first(remind, later(t, r.made))
		}
	}
	if r.reportable && b.repeats(r, r.seen) {
		first(repeat, r.made.Add(b.rules.repeat))
	}
	if !r.stale {
		first(resolve, b.rules.resolved(r.seen))
	}
	return what, due
}

func (b *Book) act(r *record, what action, t time.Time) {
	switch what {
	case release:
		b.release(r, r.waiting(), t)
	case remind:
		b.deliver(r, b.remembered(r, RemovalDue, t), t)
	case repeat:
		b.deliver(r, b.remembered(r, Repeated, t), t)
	case resolve:
		b.deliver(r, b.remembered(r, Resolved, t), t)
	}
}

// remembered makes an alert from the record, without the finding.
func (b *Book) remembered(r *record, e Event, changed time.Time) *Alert {
	a := r.recall()
	a.Event, a.Changed, a.Policy, a.Version = e, changed.UTC(), b.opt.Policy, b.opt.Version
	a.ID = ID(a.Finding, a.Rule, e, changed)
	return a
}

// dues is a heap of records by due time, then by finding ID, so that the order is the same in every run.
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

// schedule keeps the record in the heap no later than its next action is due. If the action moved to a later time, the record
// stays where it is and advance moves it then: that saves a heap operation for each packet.
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
