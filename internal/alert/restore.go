package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// Restore makes a new Book continue where another stopped. made is every alert that the other made, sent or not (Unsaid), in
// any order; if two have the same id, the one decided later counts. None of them is sent again. Call Recall afterwards for
// each finding that was kept.
func (b *Book) Restore(made []*Alert) {
	for _, a := range inOrder(made) {
		b.sequence, b.now = max(b.sequence, a.Sequence), later(b.now, a.Decided)
		b.regroup(a)
		if a.Event != Summary {
			b.reapply(a)
		}
	}
	b.lapse(b.now)
	b.stale = true
}

// inOrder returns the latest version of each alert, in the order in which they were decided.
func inOrder(made []*Alert) []*Alert {
	latest := make(map[string]*Alert, len(made))
	for _, a := range made {
		if old := latest[a.ID]; a.Event != Test && (old == nil || old.Sequence < a.Sequence) {
			latest[a.ID] = a
		}
	}
	return slices.SortedFunc(maps.Values(latest), func(x, y *Alert) int {
		return cmp.Or(cmp.Compare(x.Sequence, y.Sequence), cmp.Compare(x.ID, y.ID))
	})
}

// lapse forgets the Summaries that were due by a time that the other Book reached: it sent them, though the store may have forgotten
// that, since it forgets old alerts. They would be sent again at each restart.
func (b *Book) lapse(reached time.Time) {
	for len(b.open) > 0 && !b.open[0].end.After(reached) {
		b.open[0].sum, b.open = nil, b.open[1:]
	}
}

// reapply replays a restored alert into its finding's record, as deliver did when it was made.
func (b *Book) reapply(a *Alert) {
	r := b.records[a.Finding]
	if r == nil {
		r = b.track(a.Finding)
	}
	b.order.touch(r)
	r.stale, r.reportable, r.concern = true, true, a.Severity > policy.Info
	r.seen, r.first, r.count = later(r.seen, a.Last), a.First, a.Seen
	r.verdict, r.contact, r.role = verdictOf(a.Verdict), contactOf(a.FindingState), roleOf(a.HostRole)
	r.address, r.name = a.Host.Address, a.Host.Name
	r.apply(a)
	var until time.Time
	switch a.Unsaid {
	case Silenced:
		until = b.expiry(a.By)
	case Held:
		until, _ = b.rules.quiet.until(a.Decided, a.Severity)
	}
	b.hold(r, a, until)
	if r.pending != nil {
		r.pending.index = 0 // fetched before the restart: not to be withdrawn
	}
}

// regroup replays a restored alert into its vendor's group, as group did when it was made.
func (b *Book) regroup(a *Alert) {
	if b.rules.group.Over <= 0 {
		return
	}
	g := b.groupOf(a.Vendor.Key)
	switch {
	case a.Event == Summary:
		b.open = slices.DeleteFunc(b.open, func(x *group) bool { return x == g })
		g.sum = nil
	case a.Unsaid == Sent:
		g.note(a.Decided, b.rules.group.Over)
	case a.Unsaid == Grouped:
		b.collect(g, a, a.Decided)
	}
}

// Recall restores what alerts do not hold: a finding as it was last judged before the restart, with the policy's decision. It
// makes no alert. For a finding that is not recalled, quiet time counts from the restart.
func (b *Book) Recall(f *classify.Finding, d policy.Decision) {
	b.lapse(f.LastSeen)
	r := b.records[f.ID]
	if r == nil {
		return
	}
	r.identify(f)
	b.noteMatching(r, f)
	r.update(f, b.reportable(f, &d), d.Concern)
	r.stale = false
	b.schedule(r)
}

// refresh starts the quiet time of findings that were not recalled, at the first call after a restart.
func (b *Book) refresh() {
	b.stale = false
	for r := b.order.first; r != nil; r = r.next {
		if r.stale {
			r.stale, r.seen = false, later(r.seen, b.now)
		}
		b.schedule(r)
	}
}

// The words of a stored alert's finding; one that this version does not know counts as the first.

func contactOf(word string) classify.State {
	s, _ := named(word, classify.Active, classify.Returned)
	return s
}

func roleOf(word string) classify.HostRole {
	r, _ := named(word, classify.HostUnknown, classify.HostEndpoint)
	return r
}

func verdictOf(word string) classify.Verdict {
	v, _ := named(word, classify.NoVerdict, classify.Installed)
	return v
}

// named returns the value from first to last that has this name; first if none has.
func named[T interface {
	~uint8
	fmt.Stringer
}](word string, first, last T) (value T, ok bool) {
	for v := first; v <= last; v++ {
		if v.String() == word {
			return v, true
		}
	}
	return first, false
}
