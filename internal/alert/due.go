package alert

import (
	"container/heap"
	"time"
)

// matter is what comes due.
type matter uint8

const (
	nothing matter = iota
	release        // what waited may be told
	remind         // it has to be gone
	repeat
	resolve
)

// reach moves the Book's time, tells what has come due until then, and returns the time.
func (b *Book) reach(now time.Time) time.Time {
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

// advance tells one matter that is due, the first; false where there is none.
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

// settle tells what is due of one record.
func (b *Book) settle(r *record, now time.Time) {
	for range mostDue {
		what, due := b.next(r)
		if what == nothing || due.After(now) {
			return
		}
		b.act(r, what, due)
	}
}

// next is what comes due first of a record, and when; nothing and zero where nothing does.
func (b *Book) next(r *record) (what matter, due time.Time) {
	if o := r.owed; o != nil && !o.until.IsZero() {
		what, due = release, o.until
	}
	if r.state == "" || r.state == Closed {
		return what, due
	}
	first := func(m matter, t time.Time) {
		if !t.IsZero() && (what == nothing || t.Before(due)) {
			what, due = m, t
		}
	}
	if r.live && r.concern && !r.reminded && r.owed == nil { // what waits goes first
		if t := b.rules.removal(r.first); !t.IsZero() {
			first(remind, later(t, r.made))
		}
	}
	if r.live && b.again(r, r.seen) {
		first(repeat, r.made.Add(b.rules.repeat))
	}
	if !r.stale {
		first(resolve, b.rules.resolved(r.seen))
	}
	return what, due
}

func (b *Book) act(r *record, what matter, t time.Time) {
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

// remembered makes an alert of what is remembered of a finding.
func (b *Book) remembered(r *record, e Event, changed time.Time) *Alert {
	a := r.recall()
	a.Event, a.Changed, a.Policy, a.Version = e, changed.UTC(), b.opt.Policy, b.opt.Version
	a.ID = ID(a.Finding, a.Rule, e, changed)
	return a
}
