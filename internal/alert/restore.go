package alert

import (
	"cmp"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// Restore makes a new Book go on where another stopped: from all alerts that it made, told (of the spool and the store) and
// unsaid (Unsaid), in any order; of two with one id the later decided one counts. Nothing of it is told again. What alerts
// do not say, Recall does.
func (b *Book) Restore(made []*Alert) {
	latest := make(map[string]*Alert, len(made))
	for _, a := range made {
		if old := latest[a.ID]; a.Event != Test && (old == nil || old.Sequence < a.Sequence) {
			latest[a.ID] = a
		}
	}
	list := make([]*Alert, 0, len(latest))
	for _, a := range latest {
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y *Alert) int { return cmp.Or(cmp.Compare(x.Sequence, y.Sequence), cmp.Compare(x.ID, y.ID)) })
	for _, a := range list {
		b.sequence, b.now = max(b.sequence, a.Sequence), later(b.now, a.Decided)
		b.regroup(a)
		if a.Event != Summary {
			b.reapply(a)
		}
	}
	b.stale = true
}

// reapply is what deliver did.
func (b *Book) reapply(a *Alert) {
	r := b.records[a.Finding]
	if r == nil {
		r = b.track(a.Finding)
	}
	b.order.touch(r)
	r.stale, r.live, r.concern = true, true, a.Severity > policy.Info
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
	b.owe(r, a, until)
	if r.owed != nil {
		r.owed.place = 0 // somebody has it
	}
}

// regroup is what group did.
func (b *Book) regroup(a *Alert) {
	if b.rules.group.Over <= 0 {
		return
	}
	g := b.groupOf(a.Vendor.Key)
	switch {
	case a.Event == Summary:
		b.open = slices.DeleteFunc(b.open, func(x *group) bool { return x == g })
		g.sum = nil
	case a.Unsaid == Told:
		g.note(a.Decided, b.rules.group.Over)
	case a.Unsaid == Grouped:
		b.collect(g, a, a.Decided)
	}
}

// Recall takes a finding into account as it was when it was last judged before a restart, and what the policy said of it. It
// tells nothing. Without it a finding's silence counts from the restart on.
func (b *Book) Recall(f *classify.Finding, d policy.Decision) {
	r := b.records[f.ID]
	if r == nil {
		return
	}
	r.identify(f)
	b.fit(r, f)
	r.see(f, b.live(f, &d), d.Concern)
	r.stale = false
	b.schedule(r)
}

// refresh begins anew with the silence of findings that nobody recalled.
func (b *Book) refresh() {
	b.stale = false
	for r := b.order.first; r != nil; r = r.next {
		if r.stale {
			r.stale, r.seen = false, later(r.seen, b.now)
		}
		b.schedule(r)
	}
}

func contactOf(word string) classify.State {
	for s := classify.Active; s <= classify.Returned; s++ {
		if s.String() == word {
			return s
		}
	}
	return classify.Active
}

func roleOf(word string) classify.HostRole {
	for r := classify.HostUnknown; r <= classify.HostEndpoint; r++ {
		if r.String() == word {
			return r
		}
	}
	return classify.HostUnknown
}
