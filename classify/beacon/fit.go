package beacon

import (
	"math"
	"slices"
	"sort"
)

// A beat is a period with a tolerance; a list of intervals is explained by it as far as they are the period, or 2 to 4 times it
// (missed beats), or one second interval (retries). How much that says is a log likelihood ratio against chance, in nats: the
// least of three models of intervals without a beat. What the search itself gains on chance is subtracted, and so is each
// further view of the same times.

// fit is the beat that explains a list of intervals best.
type fit struct {
	period    float64 // seconds
	tolerance float64 // share of period by which an interval may be off
	second    float64 // another interval that recurs, such as the one after a failure; 0 if there is none
	gain      float64 // log likelihood ratio against chance, nats, less the cost of the search
	n         int     // intervals
	on        int     // of n: at the period, a small multiple of it or the second interval
}

// better reports whether f is the stronger beat.
func (f fit) better(g fit) bool { return f.strength() > g.strength() }

// strength is the gain over the square root of the number of intervals, at least 0. The gain alone grows with the number of
// intervals, however little each of them says.
func (f fit) strength() float64 {
	if f.n == 0 {
		return 0
	}
	return max(0, f.gain/math.Sqrt(float64(f.n)))
}

const (
	harmonics  = 4   // missed beats leave intervals of 2, 3 and 4 periods
	candidates = 24  // periods tried
	searchCost = 4.0 // nats that the best of all periods and tolerances gains on times without a beat
	secondCost = 4.0
	leastShare = 0.2  // of the intervals: at the period itself
	leastOn    = 3    // intervals there
	leastTime  = 0.15 // of the time: filled by intervals on the beat
)

// tolerances are the half widths tried, as a share of the period.
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

// centered moves a period to the mean of the intervals near it.
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

// slack is added to a band's half width, seconds: times are whole seconds, and runs have a length.
const slack = 1.5

// comb returns the bands around a period and its multiples. Jitter adds up like a random walk, so the k-th is wider by the
// square root of k.
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

// tryPeriod returns a period's gain; minus infinity if it cannot exceed best.
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

// gain returns the log likelihood ratio of the counts in bands against the model of chance that expects them most, and how many
// intervals are in the bands. It stops early at a model that leaves no more than enough.
func gain(sorted []float64, c *chance, bands []band, enough float64) (float64, int) {
	var counts [harmonics + 1]int
	on := 0
	for i, b := range bands {
		counts[i] = count(sorted, b)
		on += counts[i]
	}
	least := math.Inf(1)
	for model := range chances {
		if least = min(least, c.surprise(model, bands, counts[:], float64(len(sorted)))); least <= enough {
			break
		}
	}
	return least, on
}

// surprise is the log likelihood ratio against one model of chance. Bands with no more intervals than chance expects are counted
// with the rest.
func (c *chance) surprise(model int, bands []band, counts []int, n float64) float64 {
	sum, rest, restShare := 0.0, n, 1.0
	for i, b := range bands {
		k := float64(counts[i])
		if k == 0 {
			continue
		}
		q := max(c.above(model, b.from)-c.above(model, b.to), 1e-12)
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

// withSecond looks for a second interval that recurs beside the beat.
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

// covers reports whether the intervals in bands fill a good part of the time. Those of a burst do not, however many they are.
func covers(sorted []float64, bands []band) bool {
	on := 0.0
	for _, b := range bands {
		from := sort.SearchFloat64s(sorted, b.from)
		on += total(sorted[from:max(from, sort.Search(len(sorted), func(i int) bool { return sorted[i] > b.to }))])
	}
	return on >= leastTime*total(sorted)
}

// chance holds three models of intervals without a beat: random events (one exponential), bursts with pauses between them (two
// exponentials) and a broad hump (a lognormal). No interval is shorter than the gap that merging or a cache leaves. Counts are
// surprising only as far as the model that expects them most is surprised.
type chance struct {
	gap                float64 // no interval is shorter, seconds
	mean               float64 // of the single exponential, above gap
	share, short, long float64 // of two exponentials: share of the shorter one, and both means
	center, width      float64 // of the logarithm of the lognormal
}

// humpWidth is the least width of the lognormal, as a standard deviation of the logarithm: 1.0 is a factor of 2.7 either way.
// Narrower humps are beats, not chance.
const humpWidth = 1.0

// chanceOf fits the models to intervals sorted by length.
func chanceOf(sorted []float64, gap float64) chance {
	n := float64(len(sorted))
	c := chance{gap: gap}
	logs, squares := 0.0, 0.0
	for _, x := range sorted {
		c.mean += max(x-gap, 1) / n
		l := math.Log(max(x, 1))
		logs += l / n
		squares += l * l / n
	}
	c.center = math.Log(max(1, middle(sorted)))
	c.width = max(humpWidth, math.Sqrt(max(0, squares-logs*logs)))
	c.bursts(sorted)
	return c
}

// bursts fits two exponentials by expectation maximization, starting from the two halves of the list.
func (c *chance) bursts(sorted []float64) {
	half := (len(sorted) + 1) / 2
	c.share, c.short, c.long = 0.5, c.meanOf(sorted[:half]), c.meanOf(sorted[half:])
	for range 8 {
		share, short, long := 0.0, 0.0, 0.0
		for _, x := range sorted {
			y := max(x-c.gap, 1)
			a := c.share / c.short * math.Exp(-y/c.short)
			b := (1 - c.share) / c.long * math.Exp(-y/c.long)
			p := 0.5
			if a+b > 0 {
				p = a / (a + b)
			}
			share += p
			short += p * y
			long += (1 - p) * y
		}
		n := float64(len(sorted))
		if share < 0.5 || n-share < 0.5 {
			return
		}
		c.share, c.short, c.long = share/n, max(1, short/share), max(1, long/(n-share))
	}
}

func (c *chance) meanOf(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += max(x-c.gap, 1)
	}
	return max(1, sum/float64(max(1, len(list))))
}

// chances is the number of models.
const chances = 3

// above returns the probability, by one model, of an interval longer than x seconds.
func (c *chance) above(model int, x float64) float64 {
	y := max(0, x-c.gap)
	switch model {
	case 0:
		return math.Exp(-y / c.mean)
	case 1:
		return c.share*math.Exp(-y/c.short) + (1-c.share)*math.Exp(-y/c.long)
	}
	return 0.5 * math.Erfc((math.Log(max(x, 1))-c.center)/(c.width*math.Sqrt2))
}

const day = 86400 // seconds

// coarser are gaps, in seconds, at which sessions are merged again: one run of an updater may pause for longer than Gap.
func coarser() [3]int64 { return [3]int64{Gap, 120, 300} }

// runShare is how many times the merging gap a beat must be.
const runShare = 6

// bestFit looks at a timeline in several views and returns the strongest beat: all of it and its last day, with and without the
// intervals in which the host was silent, and with runs merged more coarsely.
func bestFit(t *Timeline, starts []int64) fit {
	var best fit
	last := 0
	for _, gap := range coarser() {
		var room [MaxStarts]int64
		list := starts
		if gap > Gap {
			list = merged(room[:0], starts, gap)
		}
		if len(list) < MinSessions || len(list) == last {
			continue
		}
		last = len(list)
		f := fitWindows(t, list, float64(gap))
		if gap > Gap {
			f.gain -= viewCost
		}
		if gap > Gap && f.period < runShare*float64(gap) {
			continue
		}
		if f.better(best) {
			best = f
		}
	}
	return best
}

// viewCost is what each further view costs, nats.
const viewCost = 2.0

func fitWindows(t *Timeline, starts []int64, gap float64) fit {
	best := fitAwake(t, starts, gap)
	end := starts[len(starts)-1]
	i := len(starts) - 1
	for i > 0 && starts[i-1] >= end-day {
		i--
	}
	if recent := starts[i:]; i > 0 && len(recent) >= MinSessions && end-starts[0] > 2*day && span(end-recent[0]) >= MinWindow {
		f := fitAwake(t, recent, gap)
		if f.gain -= viewCost; f.better(best) {
			best = f
		}
	}
	return best
}

// fitAwake fits all intervals, and those alone in which the host was never silent for an hour, and returns the better beat.
func fitAwake(t *Timeline, starts []int64, gap float64) fit {
	if t.Lookups {
		gap = max(gap, float64(t.TTL))
	}
	var room [MaxStarts]float64
	best := fitBeat(gapsOf(room[:0], starts), gap)
	if t.Active == nil || !informative(t, starts) {
		return best
	}
	awake := room[:0]
	for i := 1; i < len(starts); i++ {
		if !t.Active.silent(starts[i-1], starts[i]) {
			awake = append(awake, float64(starts[i]-starts[i-1]))
		}
	}
	if n := len(awake); n >= MinSessions-1 && n < len(starts)-1 {
		f := fitBeat(awake, gap)
		if f.gain -= viewCost; f.better(best) {
			best = f
		}
	}
	return best
}

// informative reports whether the activity shows more than the contact itself. If not, every interval looks silent.
func informative(t *Timeline, starts []int64) bool {
	first, last := floor(starts[0], hour), floor(starts[len(starts)-1], hour)
	contact := 0
	for i, at := range starts {
		if i == 0 || floor(at, hour) != floor(starts[i-1], hour) {
			contact++
		}
	}
	return t.Active.within(first, last) > contact
}
