package beacon

import (
	"math"
	"slices"
	"sort"
)

// fit is the beat that explains a list of intervals best.
type fit struct {
	period    float64 // seconds
	tolerance float64 // share of period that an interval may be off
	second    float64 // another interval that comes again and again, such as after a failure; 0 where there is none
	gain      float64 // log likelihood that the beat adds to chance, in nats, less what the search costs
	n         int     // intervals
	on        int     // of n, at the period, a small multiple of it or the second interval
}

// better says which of two beats explains more an interval.
func (f fit) better(g fit) bool { return f.strength() > g.strength() }

// strength weighs how sure a beat is, which grows with the intervals, against how much each of them says: the gain over the
// root of their number, at least 0.
func (f fit) strength() float64 {
	if f.n == 0 {
		return 0
	}
	return max(0, f.gain/math.Sqrt(float64(f.n)))
}

const (
	harmonics  = 4   // missing beats leave intervals of 2, 3 and 4 periods
	candidates = 24  // periods tried
	searchCost = 4.0 // nats: what the best of all periods and tolerances gains where there is none
	secondCost = 4.0
	leastShare = 0.2  // of the intervals, at the period itself
	leastOn    = 3    // intervals there
	leastTime  = 0.15 // of the time, that the intervals on the beat fill
)

// tolerances are half widths tried, as a share of the period.
func tolerances() [8]float64 { return [8]float64{0.01, 0.025, 0.05, 0.1, 0.16, 0.24, 0.32, 0.45} }

// fitBeat looks for a beat in intervals, in seconds. No interval is shorter than gap. It sorts intervals.
func fitBeat(intervals []float64, gap float64) fit {
	if len(intervals) < 3 {
		return fit{}
	}
	slices.Sort(intervals)
	c := chanceOf(intervals, gap)
	best := fit{gain: math.Inf(-1), n: len(intervals)}
	last := 0.0
	for i := range candidates {
		period := quantile(intervals, (float64(i)+0.5)/candidates)
		if period < gap || period == last {
			continue
		}
		last = period
		for _, t := range tolerances() {
			if f := tryPeriod(intervals, &c, centered(intervals, period, t), t, best.gain); f.gain > best.gain {
				best = f
			}
		}
	}
	if best.gain > 0 {
		best = withSecond(intervals, &c, best)
	}
	return best
}

func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// centered moves a period to the mean of the intervals about it.
func centered(sorted []float64, period, tolerance float64) float64 {
	from := sort.SearchFloat64s(sorted, period*(1-tolerance))
	to := sort.SearchFloat64s(sorted, period*(1+tolerance))
	if to <= from {
		return period
	}
	sum := 0.0
	for _, x := range sorted[from:to] {
		sum += x
	}
	return sum / float64(to-from)
}

// band is a range of intervals, seconds.
type band struct{ from, to float64 }

// slack is what whole seconds and short runs add to a band's half width, seconds.
const slack = 1.5

// comb gives the bands about a period and its multiples. Jitter adds up like a walk, so the k-th is wider by the root of k.
func comb(period, tolerance float64) [harmonics]band {
	var bands [harmonics]band
	for i := range bands {
		k := float64(i + 1)
		half := min(period*tolerance*math.Sqrt(k)+slack, period/2)
		bands[i] = band{k*period - half, k*period + half}
	}
	return bands
}

func count(sorted []float64, b band) int {
	return sort.Search(len(sorted), func(i int) bool { return sorted[i] > b.to }) - sort.SearchFloat64s(sorted, b.from)
}

// tryPeriod says what a period gains, where that is more than best.
func tryPeriod(sorted []float64, c *chance, period, tolerance, best float64) fit {
	f := fit{period: period, tolerance: tolerance, n: len(sorted), gain: math.Inf(-1)}
	bands := comb(period, tolerance)
	if n := count(sorted, bands[0]); n < leastOn || float64(n) < leastShare*float64(len(sorted)) || !covers(sorted, bands[:]) {
		return f
	}
	f.gain, f.on = gain(sorted, c, bands[:], best+searchCost)
	f.gain -= searchCost
	return f
}

// gain is the log likelihood ratio of the counts in bands against chance, by the way of chance that expects them most,
// and how many intervals are in the bands. It stops at a way that gives no more than enough.
func gain(sorted []float64, c *chance, bands []band, enough float64) (float64, int) {
	var counts [harmonics + 1]int
	on := 0
	for i, b := range bands {
		counts[i] = count(sorted, b)
		on += counts[i]
	}
	least := math.Inf(1)
	for way := range chances {
		if least = min(least, c.surprise(way, bands, counts[:], float64(len(sorted)))); least <= enough {
			break
		}
	}
	return least, on
}

// surprise is the log likelihood ratio by one way of chance. Bands with no more intervals than chance puts there count
// to the rest.
func (c *chance) surprise(way int, bands []band, counts []int, n float64) float64 {
	sum, rest, restShare := 0.0, n, 1.0
	for i, b := range bands {
		k := float64(counts[i])
		if k == 0 {
			continue
		}
		q := max(c.above(way, b.from)-c.above(way, b.to), 1e-12)
		if k > n*q {
			sum += k * math.Log(k/(n*q))
			rest -= k
			restShare -= q
		}
	}
	if rest > 0 {
		sum += rest * math.Log(rest/(n*max(restShare, 1e-12)))
	}
	return sum
}

// withSecond looks for a second interval that comes again and again beside the beat.
func withSecond(sorted []float64, c *chance, f fit) fit {
	bands := comb(f.period, f.tolerance)
	if len(sorted)-f.on < 2 {
		return f
	}
	best := f
	last := 0.0
	var all [harmonics + 1]band
	copy(all[:], bands[:])
	for i := range candidates {
		x := quantile(sorted, (float64(i)+0.5)/candidates)
		if x == last {
			continue
		}
		last = x
		for _, t := range [...]float64{0.03, 0.1, 0.25} {
			b := band{x*(1-t) - slack, x*(1+t) + slack}
			if overlaps(bands[:], b) || count(sorted, b) < 2 {
				continue
			}
			all[harmonics] = b
			g, on := gain(sorted, c, all[:], best.gain+searchCost+secondCost)
			if g -= searchCost + secondCost; g > best.gain {
				best.gain, best.on, best.second = g, on, x
			}
		}
	}
	return best
}

func overlaps(bands []band, b band) bool {
	return slices.ContainsFunc(bands, func(o band) bool { return b.to >= o.from && b.from <= o.to })
}

// covers says that the intervals in bands fill a good part of the time: a burst's do not, however many they are.
func covers(sorted []float64, bands []band) bool {
	on := 0.0
	for _, b := range bands {
		from := sort.SearchFloat64s(sorted, b.from)
		on += total(sorted[from:max(from, sort.Search(len(sorted), func(i int) bool { return sorted[i] > b.to }))])
	}
	return on >= leastTime*total(sorted)
}
