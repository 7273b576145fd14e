package beacon

import (
	"math"
	"math/rand/v2"
)

// Several machines behind one address beat in the same period and drift apart: the intervals between their sessions say
// little, but many a session has another one a period later, with sessions of the others between the two. So the
// differences of all pairs of sessions pile up at the period, more than a random order of the same intervals would
// make them, and more than at the multiples of one machine's faster beat.
const (
	pairLag     = 32    // sessions that a pair may at most be apart
	pairStep    = 0.01  // width of a bin of differences, as a share
	pairBins    = 437   // from leastPair to 13 h
	leastPair   = 600.0 // seconds
	leastPairs  = 8     // sessions
	leastLag    = 1.75  // mean of how many sessions the second of a pair comes after the first
	leastSigma  = 4.0   // by how many standard deviations a pile must stand out beside its surroundings
	sureSigma   = 2.5   // and beside what else could make it
	leastSpread = 0.75  // of the quarters of a period, that have a pair in them
	aloneShare  = 0.15  // of the starts, that a part of the period follows at once where one machine beats in that part
	mostTries   = 40    // piles looked at closely
	narrow      = 0.015 // of the period, either way, that the final count allows
	leastPart   = 0.4   // of the sessions, that have another one a period later
	mostNext    = 0.25  // of the pairs, that have nothing between them
	runLength   = 180   // seconds from the first start of a run to its last, where pauses cut it into sessions
	shuffles    = 3     // orders of the intervals that are tried
)

// pile is the differences of pairs in bins of equal ratio.
type pile struct {
	pairs, lags, next [pairBins]float64 // pairs, sum of their lags, and pairs with nothing between
}

func (p *pile) fill(starts []int64) {
	for i := range starts {
		after := i + 1 // first start that is no part of i's run
		for after < len(starts) && starts[after]-starts[i] <= runLength {
			after++
		}
		before := i // last start that is no part of j's run
		for j := after; j < len(starts) && j-i <= pairLag; j++ {
			b := binOf(float64(starts[j] - starts[i]))
			if b < 0 {
				continue
			}
			if b >= pairBins {
				break
			}
			for starts[j]-starts[before+1] > runLength {
				before++
			}
			between := max(0, before-after+1)
			p.pairs[b]++
			p.lags[b] += float64(between + 1)
			if between == 0 {
				p.next[b]++
			}
		}
	}
}

// binOf gives the bin of a difference in seconds; -1 where it is too small.
func binOf(seconds float64) int {
	if seconds < leastPair {
		return -1
	}
	return int(math.Log(seconds/leastPair) / pairStep)
}

// top is where the differences pile up most.
type top struct {
	period, half float64 // seconds
	sigma        float64 // by how many standard deviations
	pairs, above float64 // pairs there, and how many more than beside it
	lag          float64 // mean of how many sessions the second of a pair comes after the first
	next         float64 // of pairs, with nothing between
}

// several says whether the starts are those of several machines with one beat, and about how many. f is
// what one machine would explain.
func several(starts []int64, f fit) (int, bool) {
	if len(starts) < leastPairs {
		return 0, false
	}
	var p pile
	p.fill(starts)
	var best top
	tries := 0
	p.each(starts, func(t top) bool {
		if t.lag < leastLag || t.next > mostNext*t.pairs {
			return false
		}
		tries++
		t.sigma = sure(starts, t, f)
		if t.sigma > best.sigma {
			best = t
		}
		return best.sigma >= sureSigma && t.period > best.period*(1+8*pairStep) || tries > mostTries
	})
	return int(best.lag + 0.5), best.sigma >= sureSigma
}

// sure is by how many standard deviations a pile stands out beside what else could make it: another order of the intervals,
// or one machine with a faster beat. 0 where one machine beats in a part of the period.
func sure(starts []int64, t top, f fit) float64 {
	step := t.period / math.Round(t.lag)
	half := min(t.half, 0.4*step, narrow*t.period)
	n, all := near(starts, t.period, half), followed(starts, t.period+half)
	for part := 2.0; part <= 4; part++ {
		if next(starts, t.period/part, half) >= aloneShare*all {
			return 0
		}
	}
	if spreadOut(starts, t.period, half) < leastSpread {
		return 0
	}
	other := 1.0
	for _, d := range [...]float64{step, f.period, f.second} {
		if d > half {
			other = max(other, near(starts, d, half), near(starts, t.period-d, half), near(starts, t.period+d, half))
		}
	}
	if deviations(n, other, all) < sureSigma {
		return 0
	}
	return deviations(n, max(other, shuffled(starts, t.period, half)), all)
}

// deviations is by how many standard deviations n of all is more than other of all.
func deviations(n, other, all float64) float64 {
	return (n - other) / math.Sqrt(other*max(0, 1-other/all)+1)
}

// each shows the piles that stand out and that many of the starts have part in, shorter periods first, until it is told to stop.
func (p *pile) each(starts []int64, show func(top) bool) {
	for b := 1; b < pairBins; b++ {
		for _, width := range [...]int{2, 4, 8} {
			if b < width || b+2*width > pairBins {
				continue
			}
			n := total(p.pairs[b : b+width])
			side := max(1, total(p.pairs[b-width:b]), total(p.pairs[b+width:b+2*width]))
			sigma := (n - side) / math.Sqrt(side)
			if sigma < leastSigma {
				continue
			}
			from, to := leastPair*math.Exp(float64(b)*pairStep), leastPair*math.Exp(float64(b+width)*pairStep)
			if n-side < leastPart*followed(starts, to) {
				continue
			}
			if show(top{period: (from + to) / 2, half: (to - from) / 2, sigma: sigma, pairs: n, above: n - side,
				lag: total(p.lags[b:b+width]) / n, next: total(p.next[b : b+width])}) {
				return
			}
		}
	}
}

func total(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum
}

// followed counts the starts that end early enough for another one a period later; at least 4.
func followed(starts []int64, period float64) float64 {
	n := 0
	for _, at := range starts {
		if float64(at)+period <= float64(starts[len(starts)-1]) {
			n++
		}
	}
	return float64(max(4, n))
}

// near counts the starts that have another one a period later, give or take half.
func near(starts []int64, period, half float64) float64 {
	n, j := 0, 0
	for _, at := range starts {
		for j < len(starts) && float64(starts[j]-at) < period-half {
			j++
		}
		if j < len(starts) && float64(starts[j]-at) <= period+half {
			n++
		}
	}
	return float64(n)
}

// spreadOut is the share of the quarters of a period with starts in them in which one has another a period later. Bursts
// of a person make many such pairs too, but only in a few places.
func spreadOut(starts []int64, period, half float64) float64 {
	used, found, j := 0.0, 0.0, 0
	cell, hit := int64(-1), true
	for _, at := range starts {
		if float64(at)+period > float64(starts[len(starts)-1]) {
			break
		}
		if c := int64(float64(at-starts[0]) / (period / 4)); c != cell {
			cell, hit = c, false
			used++
		}
		for j < len(starts) && float64(starts[j]-at) < period-half {
			j++
		}
		if !hit && j < len(starts) && float64(starts[j]-at) <= period+half {
			hit = true
			found++
		}
	}
	return found / max(1, used)
}

// next counts the starts whose next one, leaving out those of its own run, comes a period later, give or take half.
func next(starts []int64, period, half float64) float64 {
	n, j := 0, 0
	for _, at := range starts {
		for j < len(starts) && starts[j]-at <= runLength {
			j++
		}
		if j < len(starts) && math.Abs(float64(starts[j]-at)-period) <= half {
			n++
		}
	}
	return float64(n)
}

// shuffled is how many pairs about the period other orders of the same intervals make, on average.
func shuffled(starts []int64, period, half float64) float64 {
	rng := rand.New(rand.NewPCG(1, 2)) // the same orders each time
	var gaps, room [RingSize]int64
	n := len(starts) - 1
	for i := range n {
		gaps[i] = starts[i+1] - starts[i]
	}
	sum := 0.0
	for range shuffles {
		rng.Shuffle(n, func(i, j int) { gaps[i], gaps[j] = gaps[j], gaps[i] })
		for i := range n {
			room[i+1] = room[i] + gaps[i]
		}
		sum += near(room[:n+1], period, half)
	}
	return sum / shuffles
}
