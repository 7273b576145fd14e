package beacon

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Several machines behind one address beat with the same period and drift apart. The intervals between their sessions say little,
// but many sessions have another one a period later (a link), and between the two lie linked sessions of the other machines.
// One machine produces such links too, if it beats faster, comes in a pattern, or calls at random beside its beat. The
// differences: other orders of its intervals produce as many links; sessions between linked ones are linked by chance only;
// and the gaps between its sessions do not drift. The constants were set with cmd/bench-beacon.
const (
	runLength    = 180  // seconds from the first start of a run to its last, if pauses cut it into sessions
	leastRuns    = 8    // runs needed at all
	leastLinks   = 5    // sessions with another one a period later
	leastLinked  = 0.55 // of the sessions that could have one
	leastLag     = 1.2  // mean of how many sessions the second of a pair comes after the first
	leastCross   = 0.3  // of the links: those that lie across others
	leastWithin  = 0.6  // of the sessions between two linked ones: linked themselves
	sureWithin   = 0.85 // the same, if nothing drifts
	leastApart   = 11   // links that are not part of one burst
	leastChance  = 5.0  // standard deviations by which links across others exceed chance
	aloneChance  = 4.0  // and all links, if one machine beats among other calls
	leastWander  = 1.2  // needed if hardly more than two machines beat
	steadyWander = 2.1  // needed if two intervals explain all
	leastPart    = 0.3  // of the sessions that could have another one a part of the period later: those that do
	mostParts    = 0.75 // of the linked sessions
	sureWander   = 1.4  // below it, one machine that beats faster is an explanation
)

// several reports whether the starts are those of several machines with one beat, and about how many. f is the best
// explanation by one machine.
func several(starts []int64, f fit) (int, bool) {
	var room [MaxStarts]int64
	runs := room[:0]
	for i, at := range starts {
		if i == 0 || at-runs[len(runs)-1] > runLength {
			runs = append(runs, at)
		}
	}
	if len(runs) < leastRuns || steady(f, len(starts)) {
		return 0, false
	}
	var p pile
	p.fill(runs)
	n, alone := 0, 0.0
	p.each(func(t top) bool {
		var l links
		l.link(runs, t.period, t.half)
		if l.n < leastLinks || l.n < leastLinked*l.could {
			return true
		}
		l.measure()
		if l.lag < leastLag {
			return true
		}
		switch {
		case l.crossed() < leastCross*l.n || l.within < leastWithin:
			if alone == 0 && l.within < leastWithin && l.beyondChance(false) >= aloneChance {
				alone = l.middle
			}
		case !l.one(f, t.half, alone):
			n = max(2, int(l.lag+0.5))
		}
		return n == 0
	})
	return n, n > 0
}

// steady reports whether one exact beat explains all intervals, or a beat so short explains nearly all that merging runs would
// change it.
func steady(f fit, starts int) bool {
	if f.second == 0 && f.tolerance <= 0.025 && f.on == f.n && f.n > starts/2 {
		return true
	}
	return f.period < 3*runLength && float64(f.on) > 0.9*float64(f.n)
}

// multiple reports whether a period is a whole multiple of another, from 2 to most.
func multiple(period, of, most float64) bool {
	if of <= 0 || period < 1.5*of || period > most*of {
		return false
	}
	k := period / of
	return math.Abs(k-math.Round(k)) < 0.03*k
}

// one reports whether one machine explains the links as well. alone is the beat of one machine among other calls, 0 if none.
func (l *links) one(f fit, half, alone float64) bool {
	wander, apart := l.wander(), l.apart()
	switch {
	case apart < leastApart/2, l.lag < 2.5 && wander < leastWander, l.within < sureWithin && wander < 2:
		return true
	case wander < steadyWander && f.pattern(), l.faster(f):
		return true
	}
	beyond := l.beyondChance(true)
	if beyond < leastChance {
		return true
	}
	plain := l.within >= 0.94 && l.n >= 0.75*l.could && beyond >= 2*leastChance
	if !plain && multiple(l.middle, alone, 4.5) {
		return true
	}
	if (!plain || wander < 2 || l.lag > 6) && (apart < leastApart || l.explained(f, half, beyond)) {
		return true
	}
	return l.parted(f, half)
}

// pattern reports whether two intervals explain all, as of one machine that comes twice a period.
func (f fit) pattern() bool { return f.tolerance <= 0.025 && float64(f.on) >= 0.95*float64(f.n) }

// partShare is the share of intervals that must be about a part of the period for that part to be a beat.
const partShare = 0.3

// faster reports whether one machine that beats at a part of the period explains the links: many intervals are about that part,
// and they do not drift.
func (l *links) faster(f fit) bool {
	for k := 2.0; k <= 8; k++ {
		if l.beats(l.middle / k) {
			return true
		}
	}
	return f.period > runLength && f.period < l.middle/1.5 && l.beats(f.period)
}

func (l *links) beats(period float64) bool {
	n := 0.0
	for i := range len(l.starts) - 1 {
		if gap := float64(l.starts[i+1] - l.starts[i]); gap > 0.6*period && gap < 1.4*period {
			n++
		}
	}
	if n < partShare*float64(len(l.starts)-1) {
		return false
	}
	var wide links
	wide.link(l.starts, l.middle, 0.4*period)
	wide.measure()
	return wide.wander() < sureWander
}

// explained reports whether a faster beat of one machine explains most intervals, and the links are not so many, so sharp and so
// far beyond chance that they need another explanation.
func (l *links) explained(f fit, half, beyond float64) bool {
	if f.strength() < 2.5 || l.middle < 1.5*f.period {
		return false
	}
	if l.lag > 6 && f.strength() > 6 && float64(f.on) > 0.85*float64(f.n) {
		return true
	}
	if f.tolerance <= 0.025 && multiple(l.middle, f.period, 5.5) {
		return true
	}
	n := float64(len(l.starts))
	loose := f.second == 0 || f.tolerance >= 0.16 && f.strength() > 4
	if !loose || float64(f.on) < 0.75*float64(f.n) || float64(f.n) < 0.6*n {
		return false
	}
	if beyond >= 9.5 && l.middle < 3.5*f.period {
		return false
	}
	var wide links
	wide.link(l.starts, l.middle, 3*half)
	wide.measure()
	return beyond < 8 || l.n < 0.86*n || wide.spread > half
}

// parted reports whether parts of the period link most of the sessions too, beyond chance: one machine beats at them.
func (l *links) parted(f fit, half float64) bool {
	var in [MaxStarts]bool
	sure := false
	for k := 2.0; k <= 4; k++ {
		var part links
		part.link(l.starts, l.middle/k, min(half, 3*l.spread))
		for i := range l.starts {
			in[i] = in[i] || part.to[i] >= 0
		}
		if sure || part.n < leastPart*part.could {
			continue
		}
		need := leastChance
		if math.Abs(f.period*k/l.middle-1) < 0.03 && f.strength() > 2 {
			need = 2
		}
		part.measure()
		sure = part.beyondChance(false) >= need
	}
	n := 0.0
	for i := range l.starts {
		if in[i] && l.to[i] >= 0 {
			n++
		}
	}
	return sure && n >= mostParts*l.n
}

// links holds which sessions have another one a period later.
type links struct {
	starts []int64
	to     [MaxStarts]int8 // index of the session a period after each one; -1 if there is none
	n      float64         // sessions that have one
	could  float64         // that could have one: some session is about a period later
	lag    float64         // mean of how many sessions the later one comes after the earlier
	within float64         // share of the sessions between two linked ones that are linked themselves
	middle float64         // median of the differences, seconds
	spread float64         // their standard deviation, by the median
}

// about is how far from a period later a session may be for a link to count as possible, seconds.
const about = 1800

// link links each session with the one nearest to a period later, within half of it.
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

// linked marks the sessions at both ends of links.
func (l *links) linked() (is [MaxStarts]bool) {
	for i := range l.starts {
		if j := l.to[i]; j >= 0 {
			is[i], is[j] = true, true
		}
	}
	return is
}

// measure sets lag, within, middle and spread.
func (l *links) measure() {
	var room [MaxStarts]float64
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

// normal converts a median deviation to a standard deviation, for a normal distribution.
const normal = 1.48

// crossed counts the links across others: those where at least half of the sessions in between are linked themselves.
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

// apart counts links that begin at least an eighth of a period after one another: a burst of sessions makes many links, which show
// no more than one.
func (l *links) apart() int {
	n, last := 0, 0
	for i, at := range l.starts {
		if l.to[i] >= 0 && (n == 0 || float64(at-l.starts[last]) > l.middle/8) {
			n, last = n+1, i
		}
	}
	return n
}

// wander compares how much the gaps between sessions change in the long run with how much they change from one period to the
// next: the variance of gaps of one size over half the mean square of a gap's change. It is about 1 for one machine, however
// often it comes in a period, and more for machines that drift apart; 0 if too little is seen.
func (l *links) wander() float64 {
	var room, spare [MaxStarts]float64
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
	// One machine's gaps have no more sizes than it has sessions in a period.
	hole := holes[max(0, len(holes)-1-int(l.lag+0.5))]
	return within(gaps, max(4*math.Sqrt(changes), hole)) / (changes / 2)
}

// within is the variance of sorted numbers about the means of the groups that holes divide them into.
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

// beyondChance is by how many standard deviations there are more links at the middle than other orders of the same intervals
// make: of all links, or only of those across others.
func (l *links) beyondChance(across bool) float64 {
	half := 2*l.spread + 5
	var other links
	other.link(l.starts, l.middle, half)
	n, chance, could := other.count(across), 0.0, 0.0
	rng := rand.New(rand.NewPCG(1, 2)) // fixed: the same times score the same
	var gaps, room [MaxStarts]int64
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

// The differences between all pairs of sessions, in bins of equal ratio. If several machines beat, they pile up at the period.
const (
	pairLag    = 32    // the most sessions that a pair may be apart
	pairStep   = 0.01  // width of a bin of differences, as a share
	pairBins   = 437   // from leastPair to 13 h
	leastPair  = 600.0 // seconds
	leastSigma = 3.5   // standard deviations by which a pile must exceed its neighbours
	leastHalf  = 75.0  // seconds: runs have different lengths
)

// pile counts differences by bin.
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

// binOf returns the bin of a difference in seconds; -1 if it is too small.
func binOf(seconds float64) int {
	if seconds < leastPair {
		return -1
	}
	return int(math.Log(seconds/leastPair) / pairStep)
}

// top is a period at which the differences pile up.
type top struct {
	period, half float64 // seconds
	sigma        float64 // standard deviations by which they exceed the neighbours
}

// pileWidths are the widths tried, in bins.
func pileWidths() [4]int { return [4]int{2, 4, 8, 16} }

// each calls show for the significant piles, shorter periods first, each at the width at which it is most significant, until show
// returns false.
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

// at returns the pile that begins at a bin; one with sigma 0 if none exceeds its neighbours.
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
