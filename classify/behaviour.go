package classify

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"

	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// What a host does over time supports or explains its verdict. It is shown beside the signs that it is made of and is no
// sign of its own, with one exception: the documented order of fallback resolvers, which counts as a kind of medium sign.

// pool is the distinct members of one numbered pool that the host called.
type pool struct {
	entry   *feeds.Entry
	members []uint32 // hashes of names
}

// maxMembers bounds a pool: no known one has more names.
const maxMembers = 100

// seeMember notes a member of a numbered pool.
func (t *track) seeMember(g *sign) {
	if !g.entry.Pool || families[g.kind] != famName || g.bar != barNone {
		return
	}
	i := slices.IndexFunc(t.pools, func(p pool) bool { return p.entry == g.entry })
	if i < 0 {
		i = len(t.pools)
		t.pools = append(t.pools, pool{entry: g.entry})
	}
	p := &t.pools[i]
	if h := hashText(g.value); len(p.members) < maxMembers && !slices.Contains(p.members, h) {
		p.members = append(p.members, h)
	}
}

// fallback follows a host through the resolvers that the vendor's products ask when the system's own one fails.
type fallback struct {
	failed      time.Time // when a look-up of the vendor's names at another resolver last failed
	start, last time.Time // of the present run
	step        int       // index in the vendor's list that the run has reached
	seen        uint32    // bitmap of the steps in the run
	caused      bool      // a failure came before the run
	best        uint32    // steps of the longest run that a failure caused
	first, till time.Time // of best
}

// A run of fallback questions: how far apart they may be, and how far from the failure that they follow. Products wait some
// seconds for each resolver.
const (
	fallbackGap    = 2 * time.Minute
	fallbackMedium = 3 // resolvers in the documented order that make a medium sign: one or two are many people's choice
)

// ask notes a question for the vendor's names to one of the fallback resolvers.
func (f *fallback) ask(step int, at time.Time) {
	if f.seen == 0 || at.Sub(f.last) > fallbackGap || step < f.step {
		f.seen, f.start, f.caused = 0, at, false
	}
	f.seen |= 1 << step
	f.step, f.last = step, at
	f.credit()
}

// fail notes a failure, which may be known only after the questions that it caused.
func (f *fallback) fail(at time.Time) {
	f.failed = later(f.failed, at)
	f.credit()
}

// credit keeps the present run if a failure caused it and no longer one is known.
func (f *fallback) credit() {
	if gap := f.start.Sub(f.failed); f.seen != 0 && !f.failed.IsZero() && gap >= 0 && gap <= fallbackGap {
		f.caused = true
	}
	if f.caused && bits.OnesCount32(f.seen) >= bits.OnesCount32(f.best) {
		f.best, f.first, f.till = f.seen, f.start, f.last
	}
}

// steps returns how many resolvers were asked in order after a failure.
func (f *fallback) steps() int { return bits.OnesCount32(f.best) }

// noteFallback takes a question for one of the vendor's names, as soon as it is asked.
func (c *Classifier) noteFallback(l *lookup, server netip.Addr) {
	for _, e := range l.entries {
		if step := slices.Index(e.Vendor.Fallback, server); step >= 0 && step < 32 {
			c.trackOf(l.host, e.Vendor).fallback.ask(step, l.time)
		}
	}
}

// noteFailure notes that a resolver other than the fallback ones did not resolve the vendor's name.
func (t *track) noteFailure(l *lookup, r reply) {
	if r != refused && r != failed && r != unanswered || slices.Contains(t.vendor.Fallback, l.server) {
		return
	}
	t.fallback.fail(l.time)
}

// behaviour gives what the host did over time as pieces of evidence.
func (c *Classifier) behaviour(t *track, sum *facts, f *Finding) []Evidence {
	var out []Evidence
	add := func(k Kind, value string, s feeds.Strength, w float64, n int, why string, args ...any) {
		out = append(out, Evidence{Kind: k, Value: value, Strength: s, Supports: true, Weight: w, Count: uint64(n),
			First: t.first.UTC(), Last: t.last.UTC(), Why: fmt.Sprintf(why, args...)})
	}
	if n := bits.OnesCount32(sum.roles); n >= 2 {
		add(KindRoles, roleList(sum.roles), feeds.Weak, behaviourWeight(KindRoles), n,
			"names of %d roles of the vendor's service were used, as an installed product does; a person uses one", n)
	}
	for _, p := range t.pools {
		if n := len(p.members); n >= 2 {
			add(KindPool, p.entry.Pattern, feeds.Weak, behaviourWeight(KindPool), n,
				"%d names of one numbered pool were used in turn, as the product does", n)
			out[len(out)-1].Role = p.entry.Role
		}
	}
	for _, b := range f.Beacons {
		if b.Scored && b.Score >= 0.5 {
			add(KindBeat, b.Words, feeds.Weak, behaviourWeight(KindBeat)*b.Score, b.Sessions,
				"contact comes %s: a rhythm that no person keeps", b.Words)
			out[len(out)-1].Role = b.Role
		}
	}
	if n, of := t.contact.Clock(); of >= aroundClock {
		add(KindNight, fmt.Sprintf("%d of the day's 24 hours", of), feeds.Weak, behaviourWeight(KindNight), n,
			"contact in %d hours, at %d of the day's 24: it continues at night, wherever the host is", n, of)
	}
	if fail := t.failures(c.heard(t.host)); fail >= 3 {
		add(KindFailed, fmt.Sprintf("%d attempts", fail), feeds.Weak, behaviourWeight(KindFailed), int(fail),
			"failed attempts: a product keeps trying where a person gives up")
	}
	out = append(out, c.placesSeen(t, f)...)
	return append(out, t.fallbackSeen()...)
}

// aroundClock is at how many of the day's 24 hours contact must be seen to be called one by day and by night: no office is
// open that long.
const aroundClock = 18

func (t *track) failures(heard bool) uint32 { return t.tries.failures(heard) + t.asks.failures(heard) }

// placesSeen says where home is, one piece a level.
func (c *Classifier) placesSeen(t *track, f *Finding) []Evidence {
	var n [place.M3 + 1]int
	for i := range f.Destinations {
		n[f.Destinations[i].Place.Level]++
	}
	var out []Evidence
	for l := place.M3; l >= place.R1; l-- {
		if n[l] == 0 {
			continue
		}
		out = append(out, Evidence{Kind: KindPlace, Value: l.String(), Strength: feeds.Weak, Supports: true, Count: uint64(n[l]),
			Weight: behaviourWeight(KindPlace), First: t.first.UTC(), Last: t.last.UTC(),
			Why: fmt.Sprintf("%d of %d destinations, by place databases: where the host connects to, not what runs on it", n[l], len(f.Destinations))})
	}
	return out
}

// fallbackSeen tells of the vendor's fallback resolvers.
func (t *track) fallbackSeen() []Evidence {
	n := t.fallback.steps()
	if n == 0 {
		return nil
	}
	var list []string
	for i, a := range t.vendor.Fallback {
		if t.fallback.best&(1<<i) != 0 {
			list = append(list, a.String())
		}
	}
	e := Evidence{Kind: KindFallback, Value: strings.Join(list, ", "), Strength: feeds.Weak, Supports: true, Count: uint64(n),
		First: t.fallback.first.UTC(), Last: t.fallback.till.UTC(), Weight: behaviourWeight(KindFallback),
		Why: "after its own resolver failed, the host queried these for the vendor's names, in the order that the vendor documents"}
	if n >= fallbackMedium {
		e.Strength, e.Weight = feeds.Medium, weight(KindFallback, feeds.Medium)
	}
	return []Evidence{e}
}
