package beacon

const day = 86400 // seconds

// coarser are gaps in seconds at which sessions are merged again: a run of an updater may pause for longer than Gap.
func coarser() [3]int64 { return [3]int64{Gap, 120, 300} }

// runShare is how long a beat must at least be beside the gap at which its runs were merged.
const runShare = 6

// bestFit looks at a timeline in several ways and gives the beat that explains most: all of it and its last day, with
// and without the intervals in which the host was silent, and with runs merged more coarsely.
func bestFit(t *Timeline, starts []int64) fit {
	var best fit
	last := 0
	for _, gap := range coarser() {
		var room [RingSize]int64
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

// viewCost is what a further look costs, in nats.
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

// fitAwake takes the better of all intervals and of those in which the host was never silent for an hour.
func fitAwake(t *Timeline, starts []int64, gap float64) fit {
	if t.Lookups {
		gap = max(gap, float64(t.TTL))
	}
	var room [RingSize]float64
	best := fitBeat(gapsOf(room[:0], starts), gap)
	if t.Active == nil || !tells(t, starts) {
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

// tells says that the activity is known from more than the contact itself: otherwise every interval looks silent.
func tells(t *Timeline, starts []int64) bool {
	first, last := floor(starts[0], hour), floor(starts[len(starts)-1], hour)
	contact := 0
	for i, at := range starts {
		if i == 0 || floor(at, hour) != floor(starts[i-1], hour) {
			contact++
		}
	}
	return t.Active.within(first, last) > contact
}

// presence counts the hours with contact and those in which the host was active.
func (r *Result) presence(t *Timeline, starts []int64) {
	contact := t.Contact
	if contact == nil {
		contact = &Hours{}
		for _, at := range starts {
			contact.Set(at)
		}
	}
	r.Contact, r.Night = contact.Count(), contact.Night(int64(t.Ahead))
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

// What makes times look made by a cache: an answer is asked for again when its lifetime is over, at the next need.
const (
	cacheSlack = 2.0  // seconds: clocks and whole seconds
	cacheFloor = 0.9  // share of intervals that are no shorter than the lifetime
	cacheShare = 0.33 // share of intervals between the lifetime and half as much again
)

// cached says that a cache that keeps answers for ttl seconds makes these intervals.
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
