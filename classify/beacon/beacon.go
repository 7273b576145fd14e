// Package beacon says how regular a list of times is: session starts go in, a period and a score come out, each explained.
package beacon

import (
	"math"
	"slices"
	"time"
)

// Timeline is what is judged.
type Timeline struct {
	Starts  []int64 // of sessions, seconds since 1970; the newest RingSize count
	Earlier int     // sessions before those of Starts
	Since   int64   // first start of all; valid iff Earlier > 0
	Contact *Hours  // hours with contact; nil where Starts are all there is
	Active  *Hours  // hours in which the host sent anything at all; nil where that is not known

	Lookups bool   // the times are of DNS look-ups, not of flows
	TTL     uint32 // of the answers, the longest, seconds; 0 where not seen; valid iff Lookups

	NAT    bool // the address is known to stand for several machines
	TTLs   int  // different first hop limits (64, 128, 255) in use side by side, 0 where not counted
	Agents int  // different User-Agents of one program in use side by side, 0 where not counted

	Ahead int // of UTC, seconds: what 'by night' means for the host
}

// Reason says why there is no score.
type Reason uint8

const (
	None    Reason = iota // there is one
	TooFew                // fewer than MinSessions sessions, or less than MinWindow from first to last
	Cache                 // a DNS cache makes these times
	Several               // several machines behind one address
)

// String gives the reason in a word or two, none where there is a score.
func (r Reason) String() string {
	return [...]string{"", "too few", "cache", "several machines"}[r]
}

// What a score needs.
const (
	MinSessions = 4
	MinWindow   = 6 * time.Hour
)

// Result is how regular a timeline is.
type Result struct {
	Score     float64 // 0 to 1; valid iff Scored
	Scored    bool    // Reason is None
	Reason    Reason
	Sessions  int
	Intervals int           // that the score rests on
	On        int           // of Intervals, that are the period, a small multiple of it, or Second
	Period    time.Duration // the beat; the median interval where there is none; 0 where there are less than two starts
	Spread    time.Duration // median absolute deviation from Period of the intervals about it
	Second    time.Duration // another interval that comes again and again, as after a failure; 0 where there is none
	Window    time.Duration // from the first start to the last

	Contact  int // hours with contact in the last 168
	Active   int // hours in which the host was active within them; 0 where not known
	Night    int // hours with contact between 02:00 and 05:00
	Machines int // estimate of machines; valid iff Reason is Several
	Words    string
}

// Presence is the share of the host's active hours that had contact: the measure for traffic that follows the user.
func (r *Result) Presence() float64 {
	if r.Active == 0 {
		return 0
	}
	return float64(r.Contact) / float64(r.Active)
}

// Judge says how regular a timeline is. The order of the starts does not matter. It keeps nothing of t.
func Judge(t Timeline) Result {
	var room, spare [RingSize]int64
	starts := newest(&room, t.Starts)
	starts = merged(spare[:0], starts, Gap)
	r := Result{Sessions: len(starts) + t.Earlier}
	if len(starts) == 0 {
		r.Reason = TooFew
		r.Words = words(&r, &t)
		return r
	}
	r.presence(&t, starts)
	since := starts[0]
	if t.Earlier > 0 {
		since = min(since, max(t.Since, -maxTime))
	}
	r.Window = span(starts[len(starts)-1] - since)
	var intervals [RingSize]float64
	gaps := gapsOf(intervals[:0], starts)
	if len(gaps) > 0 {
		slices.Sort(gaps)
		mid := middle(gaps)
		r.Intervals, r.Period, r.Spread = len(gaps), span(int64(mid)), span(int64(spread(gaps, 0, math.Inf(1), mid)))
	}
	r.decide(&t, starts, gaps)
	r.Scored = r.Reason == None
	r.Words = words(&r, &t)
	return r
}

// newest gives the newest starts in order.
func newest(room *[RingSize]int64, starts []int64) []int64 {
	list := starts
	if !slices.IsSorted(list) {
		list = slices.Clone(list)
		slices.Sort(list)
	}
	list = list[max(0, len(list)-RingSize):]
	for i, at := range list {
		room[i] = min(max(at, -maxTime), maxTime)
	}
	return room[:len(list)]
}

// span is a number of seconds as a duration, at most the longest one there is.
func span(seconds int64) time.Duration {
	return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
}

// decide finds the reason, and the score where there is one.
func (r *Result) decide(t *Timeline, starts []int64, sorted []float64) {
	switch {
	case t.NAT || t.TTLs > 1 || t.Agents > 1:
		r.Reason, r.Machines = Several, max(2, t.TTLs, t.Agents)
		return
	case r.Sessions < MinSessions || len(sorted) < MinSessions-1 || r.Window < MinWindow:
		r.Reason = TooFew
		return
	case t.Lookups && cached(sorted, float64(t.TTL)):
		r.Reason = Cache
		return
	}
	f := bestFit(t, starts)
	r.Score = scoreOf(f)
	if n, ok := several(starts, f); ok {
		r.Reason, r.Machines, r.Score = Several, n, 0
		return
	}
	if r.Score >= leastScore {
		r.Period, r.Second = span(int64(f.period+0.5)), span(int64(f.second+0.5))
		r.Intervals, r.On = f.n, f.on
		off := f.period*f.tolerance + slack
		r.Spread = span(int64(spread(sorted, f.period-off, f.period+off, f.period) + 0.5))
	}
}

// leastScore is from where on a score's period is taken for the beat.
const leastScore = 0.5

// half is the strength of a beat that scores a half.
const half = 1.0

func scoreOf(f fit) float64 { return 1 - math.Exp2(-f.strength()/half) }

// gapsOf appends the intervals between starts to dst.
func gapsOf(dst []float64, starts []int64) []float64 {
	for i := 1; i < len(starts); i++ {
		dst = append(dst, float64(starts[i]-starts[i-1]))
	}
	return dst
}

// spread is the median absolute deviation from mid of what lies between from and to.
func spread(sorted []float64, from, to, mid float64) float64 {
	var room [RingSize]float64
	off := room[:0]
	for _, x := range sorted {
		if x >= from && x <= to {
			off = append(off, math.Abs(x-mid))
		}
	}
	slices.Sort(off)
	return middle(off)
}

// Regularity judges session starts of which nothing else is known.
func Regularity(starts []int64) Result { return Judge(Timeline{Starts: starts}) }
