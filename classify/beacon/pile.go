package beacon

import "math"

// The differences between all pairs of sessions, in bins of equal ratio: where several machines beat, they pile up at the
// period.
const (
	pairLag    = 32    // sessions that a pair may at most be apart
	pairStep   = 0.01  // width of a bin of differences, as a share
	pairBins   = 437   // from leastPair to 13 h
	leastPair  = 600.0 // seconds
	leastSigma = 3.5   // by how many standard deviations a pile must stand out beside its surroundings
	leastHalf  = 75.0  // seconds: runs are of different length
)

// pile is the differences in bins.
type pile [pairBins]float64

func (p *pile) fill(starts []int64) {
	for i := range starts {
		for j := i + 1; j < len(starts) && j-i <= pairLag; j++ {
			b := binOf(float64(starts[j] - starts[i]))
			if b >= pairBins {
				break
			}
			if b >= 0 {
				p[b]++
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

// top is where the differences pile up.
type top struct {
	period, half float64 // seconds
	sigma        float64 // by how many standard deviations they are more than beside it
}

// pileWidths are how broad a pile may be, in bins.
func pileWidths() [4]int { return [4]int{2, 4, 8, 16} }

// each shows the piles that stand out, shorter periods first, each at the width at which it stands out most, until it is told
// to stop.
func (p *pile) each(show func(top) bool) {
	var best top
	for b := 1; b < pairBins; b++ {
		t := p.at(b)
		switch {
		case best.sigma > 0 && t.period > best.period+max(best.half, 3*pairStep*best.period):
			if !show(best) {
				return
			}
			best = t
		case t.sigma > best.sigma:
			best = t
		}
	}
	if best.sigma > 0 {
		show(best)
	}
}

// at gives the pile that begins at a bin; none, of no sigma, where nothing stands out.
func (p *pile) at(b int) top {
	var best top
	for _, width := range pileWidths() {
		if b < width || b+2*width > pairBins {
			continue
		}
		n := total(p[b : b+width])
		side := max(1, total(p[b-width:b]), total(p[b+width:b+2*width]))
		sigma := (n - side) / math.Sqrt(side)
		if sigma < leastSigma || sigma <= best.sigma {
			continue
		}
		from, to := leastPair*math.Exp(float64(b)*pairStep), leastPair*math.Exp(float64(b+width)*pairStep)
		best = top{period: (from + to) / 2, half: max(leastHalf, (to-from)/2), sigma: sigma}
	}
	return best
}

func total(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum
}
