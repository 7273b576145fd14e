package beacon

import (
	"math"
	"math/rand/v2"
	"slices"
)

// links says which sessions have another one a period later.
type links struct {
	starts []int64
	to     [RingSize]int8 // place of the session a period after each one; -1 where there is none
	n      float64        // sessions that have one
	could  float64        // that could: somebody was there about a period later
	lag    float64        // mean of how many sessions the later one comes after the earlier
	within float64        // share of the sessions between two linked ones that are linked themselves
	middle float64        // median of the differences, seconds
	spread float64        // their standard deviation, by the median
}

// about is how far from a period later somebody must have been there for a link to be possible, seconds.
const about = 1800

// link links each session with the one that is nearest to a period later, give or take half.
func (l *links) link(starts []int64, period, half float64) {
	l.starts, l.n, l.could = starts, 0, 0
	j := 0
	for i, at := range starts {
		l.to[i] = -1
		for j < len(starts) && float64(starts[j]-at) < period-half-about {
			j++
		}
		first, nearest := max(j, i+1), half
		if first < len(starts) && float64(starts[first]-at) <= period+half+about {
			l.could++
		}
		for k := first; k < len(starts) && float64(starts[k]-at) <= period+half; k++ {
			if off := math.Abs(float64(starts[k]-at) - period); off <= nearest {
				nearest, l.to[i] = off, int8(k)
			}
		}
		if l.to[i] >= 0 {
			l.n++
		}
	}
}

// linked marks the sessions at either end of a link.
func (l *links) linked() (is [RingSize]bool) {
	for i := range l.starts {
		if j := l.to[i]; j >= 0 {
			is[i], is[j] = true, true
		}
	}
	return is
}

// measure says how the links lie among each other.
func (l *links) measure() {
	var room [RingSize]float64
	is, diffs := l.linked(), room[:0]
	lags, between, crossed := 0.0, 0.0, 0.0
	for i := range l.starts {
		j := int(l.to[i])
		if j < 0 {
			continue
		}
		diffs = append(diffs, float64(l.starts[j]-l.starts[i]))
		lags += float64(j - i)
		for k := i + 1; k < j; k++ {
			between++
			if is[k] {
				crossed++
			}
		}
	}
	l.lag, l.within = lags/max(1, l.n), crossed/max(1, between)
	slices.Sort(diffs)
	l.middle = middle(diffs)
	l.spread = normal*spread(diffs, 0, math.Inf(1), l.middle) + 1
}

// normal makes a standard deviation of a median deviation, for a normal distribution.
const normal = 1.48

// crossed counts the links that lie across others: at least half of the sessions between the two are linked themselves.
func (l *links) crossed() float64 {
	is, n := l.linked(), 0.0
	for i := range l.starts {
		j, in := int(l.to[i]), 0
		for k := i + 1; k < j; k++ {
			if is[k] {
				in++
			}
		}
		if j > i+1 && 2*in >= j-i-1 {
			n++
		}
	}
	return n
}

// apart counts the links that begin an eighth of a period after one another or more: a burst of sessions makes many links,
// but they show no more than one does.
func (l *links) apart() int {
	n, last := 0, 0
	for i, at := range l.starts {
		if l.to[i] >= 0 && (n == 0 || float64(at-l.starts[last]) > l.middle/8) {
			n, last = n+1, i
		}
	}
	return n
}

// wander is how much the gaps between sessions change in the long run beside how much they do from one period to the next:
// the variance of gaps of one size over half the mean square of a gap's change. The gaps of one machine, however often it
// comes in a period, give about 1; those between machines that drift apart give more. 0 where too little is seen.
func (l *links) wander() float64 {
	var room, spare [RingSize]float64
	gaps := room[:0]
	changes := 2.0 // of whole seconds
	for i := range len(l.starts) - 1 {
		j, k := l.to[i], l.to[i+1]
		gap := float64(l.starts[i+1] - l.starts[i])
		if j < 0 || k <= j || gap > l.middle {
			continue
		}
		change := float64(l.starts[k]-l.starts[j]) - gap
		gaps, changes = append(gaps, gap), changes+change*change
	}
	if len(gaps) < 4 {
		return 0
	}
	changes /= float64(len(gaps))
	slices.Sort(gaps)
	holes := spare[:0]
	for i := 1; i < len(gaps); i++ {
		holes = append(holes, gaps[i]-gaps[i-1])
	}
	slices.Sort(holes)
	// One machine's gaps are of no more sizes than it comes in a period.
	hole := holes[max(0, len(holes)-1-int(l.lag+0.5))]
	return within(gaps, max(4*math.Sqrt(changes), hole)) / (changes / 2)
}

// within is the variance of numbers in order about the means of the groups that holes divide them into.
func within(sorted []float64, hole float64) float64 {
	sum, free := 0.0, 0.0
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n]-sorted[n-1] <= hole {
			n++
		}
		mean := total(sorted[:n]) / float64(n)
		for _, x := range sorted[:n] {
			sum += (x - mean) * (x - mean)
		}
		free += float64(n - 1)
		sorted = sorted[n:]
	}
	return sum / max(1, free)
}

// shuffles is how many orders of the intervals are tried.
const shuffles = 4

// beyondChance is by how many standard deviations there are more links about the middle than other orders of the same
// intervals make: of all links, or of those alone that lie across others.
func (l *links) beyondChance(across bool) float64 {
	half := 2*l.spread + 5
	var other links
	other.link(l.starts, l.middle, half)
	n, chance, could := other.count(across), 0.0, 0.0
	rng := rand.New(rand.NewPCG(1, 2)) // the same orders each time
	var gaps, room [RingSize]int64
	m := len(l.starts) - 1
	for i := range m {
		gaps[i] = l.starts[i+1] - l.starts[i]
	}
	for range shuffles {
		rng.Shuffle(m, func(i, j int) { gaps[i], gaps[j] = gaps[j], gaps[i] })
		for i := range m {
			room[i+1] = room[i] + gaps[i]
		}
		other.link(room[:m+1], l.middle, half)
		chance += other.count(across) / shuffles
		could += other.could / shuffles
	}
	return (n - chance) / math.Sqrt(chance*max(0, 1-chance/(could+1))+1)
}

func (l *links) count(across bool) float64 {
	if across {
		return l.crossed()
	}
	return l.n
}
