package beacon

import "math"

// Several machines behind one address beat in the same period and drift apart: the intervals between their sessions say
// little, but many a session has another one a period later, with sessions of the others between the two that have theirs.
// One machine makes such pairs too, where it beats faster, comes in a pattern, or calls at random beside its beat. What
// tells: other orders of the same intervals would make as many; what lies between is linked by chance alone; and
// the gaps between its sessions do not drift.
const (
	runLength    = 180  // seconds from the first start of a run to its last, where pauses cut it into sessions
	leastRuns    = 8    // that are looked at
	leastLinks   = 5    // sessions with another one a period later
	leastLinked  = 0.55 // of the sessions that could have one
	leastLag     = 1.2  // mean of how many sessions the second of a pair comes after the first
	leastCross   = 0.3  // of the pairs, that lie across others
	leastWithin  = 0.6  // of the sessions between a pair, that have a pair themselves
	sureWithin   = 0.85 // of them, where nothing drifts
	leastApart   = 11   // links that are no part of one burst
	leastChance  = 5.0  // standard deviations that the pairs which lie across are beyond chance
	aloneChance  = 4.0  // and all pairs, where one machine beats among other calls
	leastWander  = 1.2  // where hardly more than two would beat
	steadyWander = 2.1  // where two intervals explain all
	leastPart    = 0.3  // of the sessions that could have another one a part of the period later, that do
	mostParts    = 0.75 // of the linked sessions
	sureWander   = 1.4  // where one that beats faster is an explanation
)

// several says whether the starts are those of several machines with one beat, and about how many. f is what one machine
// would explain.
func several(starts []int64, f fit) (int, bool) {
	var room [RingSize]int64
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

// steady says that one exact beat explains all intervals, or nearly all are one so short that merging runs would make
// another one of it.
func steady(f fit, starts int) bool {
	if f.second == 0 && f.tolerance <= 0.025 && f.on == f.n && f.n > starts/2 {
		return true
	}
	return f.period < 3*runLength && float64(f.on) > 0.9*float64(f.n)
}

// multiple says that a period is twice another or more, up to most times, in whole numbers.
func multiple(period, of, most float64) bool {
	if of <= 0 || period < 1.5*of || period > most*of {
		return false
	}
	k := period / of
	return math.Abs(k-math.Round(k)) < 0.03*k
}

// one says that one machine can make the links as well; alone is the beat of one among other calls, 0 where none was found.
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

// pattern says that two intervals explain all: one machine that comes twice a period would make them.
func (f fit) pattern() bool { return f.tolerance <= 0.025 && float64(f.on) >= 0.95*float64(f.n) }

// partShare is how many of the intervals must be about a part of the period for it to be somebody's beat.
const partShare = 0.3

// faster says that one machine which beats in a part of the period makes the links: many intervals are about that part, and
// they do not drift.
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

// explained says that a faster beat of one machine explains most intervals, and that the links are not so many, so sharp and so
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

// parted says that parts of the period link most of the sessions too, and beyond chance: one machine beats in them.
func (l *links) parted(f fit, half float64) bool {
	var in [RingSize]bool
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
