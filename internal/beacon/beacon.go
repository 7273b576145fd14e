// Package beacon says how regular a list of times is: starts go in, a period and a score come out, each explained.
package beacon

import (
	"fmt"
	"slices"
	"time"
)

// Result is what a list of session starts shows.
type Result struct {
	Sessions int
	Period   time.Duration // median interval; 0 where there are less than two starts
	Spread   time.Duration // median absolute deviation from Period
	Score    float64       // 0 to 1; valid iff Scored
	Scored   bool          // at least MinScored sessions
	Words    string
}

// MinScored is how many sessions a score needs.
const MinScored = 4

// Regularity looks at session starts: seconds since 1970 in order, starts closer than a session's gap already merged.
// The score is the lesser of two: 1 minus the median deviation as a share of the median interval, and the share of
// intervals within 30 % of it.
func Regularity(starts []int64) Result {
	r := Result{Sessions: len(starts)}
	if len(starts) < 2 {
		r.Words = "seen in one session"
		return r
	}
	gaps := make([]int64, 0, len(starts)-1)
	for i, at := range starts[1:] {
		gaps = append(gaps, max(0, at-starts[i]))
	}
	mid := median(gaps)
	near := 0
	for i, g := range gaps {
		gaps[i] = max(g-mid, mid-g)
		if 10*gaps[i] <= 3*mid {
			near++
		}
	}
	off := median(gaps)
	r.Period, r.Spread = time.Duration(mid)*time.Second, time.Duration(off)*time.Second
	if r.Sessions >= MinScored && mid > 0 {
		r.Scored, r.Score = true, max(0, min(1-float64(off)/float64(mid), float64(near)/float64(len(gaps))))
	}
	r.Words = words(&r)
	return r
}

// median sorts list and gives its middle; the lower one of two.
func median(list []int64) int64 {
	slices.Sort(list)
	return list[(len(list)-1)/2]
}

func words(r *Result) string {
	every := Span(r.Period)
	switch {
	case !r.Scored:
		return fmt.Sprintf("%d sessions, median interval %s: too few to tell a rhythm", r.Sessions, every)
	case r.Score >= 0.8:
		return fmt.Sprintf("about every %s, over %d sessions", every, r.Sessions)
	case r.Score >= 0.5:
		return fmt.Sprintf("about every %s, loosely, over %d sessions", every, r.Sessions)
	}
	return fmt.Sprintf("%d sessions without a clear rhythm, median interval %s", r.Sessions, every)
}

// Span gives a duration as people say it: "45 s", "20 min", "2 h", "3 d".
func Span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.3g h", float64(int(d.Hours()*10+0.5))/10)
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24+0.5))
}
