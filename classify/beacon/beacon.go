// Package beacon measures how regular a list of times is. The session starts of one host in one service of a vendor go in
// (Timeline); a score from 0 to 1, a period and a sentence come out (Result). It is pure arithmetic: no clock, no state.
//
// Start with Judge. It looks for the beat that explains the intervals best (fit.go), compares it with what chance would
// produce, and checks that a DNS cache or several machines behind one address do not explain the times better (several.go).
// hours.go remembers in which hours a host was active, words.go writes the sentences. cmd/bench-beacon measures all of it on
// labelled timelines: run it after every change here.
package beacon

import (
	"math"
	"slices"
	"time"
)

// MaxStarts is how many session starts Judge looks at, the newest: a week of an update every two hours.
const MaxStarts = 96

// Gap is how close, in seconds, two starts are one session.
const Gap = 30

// maxTime bounds times, so that their differences fit an int64.
const maxTime = 1 << 50

// Timeline is what Judge is asked about.
type Timeline struct {
	Starts  []int64 // of sessions, seconds since 1970; the newest MaxStarts count
	Earlier int     // sessions before those of Starts
	Since   int64   // first start of all; valid iff Earlier > 0
	Active  *Hours  // hours in which the host sent anything at all; nil if unknown

	Lookups bool   // the times are those of DNS queries, not of connections
	TTL     uint32 // the longest of the answers, seconds; 0 if none was seen; valid iff Lookups

	NAT bool // several machines are known to share the address
}

// Reason says why there is no score.
type Reason uint8

const (
	None    Reason = iota // there is a score
	TooFew                // fewer than MinSessions sessions, or less than MinWindow from first to last
	Cache                 // a DNS cache produces these times
	Several               // several machines behind one address
)

// String returns the reason in a word or two, "" for None.
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
	Intervals int           // that the score is based on
	On        int           // of Intervals: those that are the period, a small multiple of it, or Second
	Period    time.Duration // the beat; the median interval if there is none; 0 with fewer than two starts
	Spread    time.Duration // median absolute deviation from Period of the intervals about it
	Second    time.Duration // another interval that recurs, such as the one after a failure; 0 if there is none
	Window    time.Duration // from the first start to the last

	Contact  int // hours with contact in the last 168
	Active   int // of those, hours in which the host was active; 0 if unknown
	Night    int // hours with contact between 02:00 and 05:00 UTC
	Machines int // estimate of machines; valid iff Reason is Several
	Words    string
}

// Judge measures how regular a timeline is. The order of the starts does not matter. It keeps no part of t.
func Judge(t Timeline) Result {
	var room, spare [MaxStarts]int64
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
	var intervals [MaxStarts]float64
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

// newest returns the newest starts in order, within maxTime.
func newest(room *[MaxStarts]int64, starts []int64) []int64 {
	list := starts
	if !slices.IsSorted(list) {
		list = slices.Clone(list)
		slices.Sort(list)
	}
	list = list[max(0, len(list)-MaxStarts):]
	for i, at := range list {
		room[i] = min(max(at, -maxTime), maxTime)
	}
	return room[:len(list)]
}

// merged appends to dst the starts that come gap or more after the one before.
func merged(dst, starts []int64, gap int64) []int64 {
	for i, at := range starts {
		if i == 0 || at-starts[i-1] >= gap {
			dst = append(dst, at)
		}
	}
	return dst
}

// span converts seconds to a duration, capped at the longest there is.
func span(seconds int64) time.Duration {
	return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
}

// decide sets the score, or the reason why there is none. sorted holds the intervals.
func (r *Result) decide(t *Timeline, starts []int64, sorted []float64) {
	switch {
	case t.NAT:
		r.Reason, r.Machines = Several, 2
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

// leastScore is the score from which the period found is reported as the beat.
const leastScore = 0.5

// half is the strength of a beat that scores 0.5.
const half = 1.0

func scoreOf(f fit) float64 { return 1 - math.Exp2(-f.strength()/half) }

// gapsOf appends the intervals between starts to dst.
func gapsOf(dst []float64, starts []int64) []float64 {
	for i := 1; i < len(starts); i++ {
		dst = append(dst, float64(starts[i]-starts[i-1]))
	}
	return dst
}

// spread is the median absolute deviation from mid of the values between from and to.
func spread(sorted []float64, from, to, mid float64) float64 {
	var room [MaxStarts]float64
	off := room[:0]
	for _, x := range sorted {
		if x >= from && x <= to {
			off = append(off, math.Abs(x-mid))
		}
	}
	slices.Sort(off)
	return middle(off)
}

// middle is the median of a sorted list: the mean of the two in the middle if its length is even.
func middle[N int64 | float64](list []N) float64 {
	n := len(list)
	if n == 0 {
		return 0
	}
	return (float64(list[(n-1)/2]) + float64(list[n/2])) / 2
}

func total(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum
}

// presence counts the hours with contact and those in which the host was active.
func (r *Result) presence(t *Timeline, starts []int64) {
	var contact Hours
	for _, at := range starts {
		contact.Set(at)
	}
	r.Contact, r.Night = contact.Count(), contact.night()
	if t.Active == nil {
		return
	}
	from := floor(starts[0], hour)
	if t.Earlier > 0 {
		from = floor(max(t.Since, -maxTime), hour)
	}
	to := min(max(contact.newest, t.Active.newest), contact.newest+HoursKept)
	for n := max(from, contact.newest-HoursKept+1); n <= to; n++ {
		if t.Active.Has(n) || contact.Has(n) {
			r.Active++
		}
	}
}

// How times look that a DNS cache produces: a name is queried again at the first need after its answer has expired.
const (
	cacheSlack = 2.0  // seconds: imprecise clocks, times in whole seconds
	cacheFloor = 0.9  // least share of intervals that are no shorter than the TTL
	cacheShare = 0.33 // least share of intervals from 1 to 1.5 times the TTL
)

// cached reports whether a cache that keeps answers for ttl seconds explains these intervals.
func cached(sorted []float64, ttl float64) bool {
	if ttl < Gap || len(sorted) == 0 {
		return false
	}
	n := float64(len(sorted))
	low := 0.95*ttl - cacheSlack
	over := float64(count(sorted, band{low, sorted[len(sorted)-1]}))
	near := float64(count(sorted, band{low, 1.5*ttl + cacheSlack}))
	return over >= cacheFloor*n && near >= cacheShare*n || near >= 0.5*n
}
