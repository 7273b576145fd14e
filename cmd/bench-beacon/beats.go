package main

import "math"

// schedule is a beat: one connection or run a period.
type schedule struct {
	period  float64 // seconds
	jitter  float64 // largest share of period that an interval is longer or shorter; uniform
	missing float64 // share of beats that the sensor misses
	fixed   bool    // jitter is around a fixed grid, not added to the previous beat
}

// beats adds a connection at each beat.
func (m *maker) beats(s schedule) {
	m.t.periods = append(m.t.periods, s.period)
	at := m.start + m.rng.Float64()*s.period
	for grid := at; at < m.end(); {
		if m.rng.Float64() >= s.missing {
			m.connect(at)
		}
		off := s.period * s.jitter * m.between(-1, 1)
		grid += s.period
		if s.fixed {
			at = grid + off
		} else {
			at += s.period + off
		}
	}
}

// updater is an antivirus that fetches updates: a period after the end of a successful run, sooner after a failed one.
type updater struct {
	period, retry float64 // seconds
	jitter        float64
	failing       float64 // share of runs that fail
	missing       float64
	wakeDelay     float64 // most seconds after waking until an overdue run begins
	longest       float64 // longest run, seconds
	again         float64 // seconds after a run until another connection; 0: none
	failsOnce     bool    // every other run fails
}

// documented is the schedule in Kaspersky's support article 8595, which updcfg.xml sets: 2 h after a success, 20 min after
// a failure.
func documented() updater {
	return updater{period: 2 * hour, retry: 20 * minute, jitter: 0.005, longest: 130, wakeDelay: 3 * minute}
}

// updates adds runs of 2 to 8 connections within 10 s to u.longest. Failed runs are short.
func (m *maker) updates(u updater) {
	m.t.periods = append(m.t.periods, u.period, u.retry)
	due := m.start + m.rng.Float64()*u.period
	failed := false
	for due < m.end() {
		awake, next := m.isAwake(due)
		if !awake {
			if due = next + m.rng.Float64()*u.wakeDelay; math.IsInf(next, 1) {
				return
			}
		}
		failed = !failed && u.failsOnce || m.rng.Float64() < u.failing
		conns, length := 2+m.rng.IntN(7), m.between(10, u.longest)
		if failed {
			conns, length = 1+m.rng.IntN(2), m.between(1, 21)
		}
		if m.rng.Float64() >= u.missing {
			m.connect(due)
			for range conns - 1 {
				m.connect(due + m.rng.Float64()*length)
			}
			if u.again > 0 {
				m.connect(due + length + u.again*(1+0.02*m.between(-1, 1)))
			}
		}
		wait := u.period
		if failed {
			wait = u.retry
		}
		due += length + wait*(1+u.jitter*m.between(-1, 1))
	}
}

// events adds connections at random moments while the host is awake, on average rate an hour. The rate changes with the
// hour, and about one in three connections is followed by more within a minute.
func (m *maker) events(rate float64) {
	for _, p := range m.awake {
		level := 1.0
		for at, turn := p.from, p.from; ; {
			if at += m.rng.ExpFloat64() * hour / (rate * level); at >= p.to {
				break
			}
			if at > turn {
				level, turn = m.logBetween(0.3, 2), at+m.between(0.3, 2)*hour
			}
			m.connect(at)
			for range m.rng.IntN(3) / 2 * m.rng.IntN(5) {
				m.connect(at + m.rng.Float64()*minute)
			}
		}
	}
}

// evenly adds connections at random, at a constant rate an hour.
func (m *maker) evenly(rate float64) {
	for at := m.start; at < m.end(); at += m.rng.ExpFloat64() * hour / rate {
		m.connect(at)
	}
}

// browse adds a person's visits to a site: each a few pages, each page a burst of connections.
func (m *maker) browse(visits, think, spread float64) {
	for _, p := range m.awake {
		for at := p.from + m.rng.ExpFloat64()*hour/visits; at < p.to; at += m.rng.ExpFloat64() * hour / visits {
			for pages := 1 + int(m.rng.ExpFloat64()*6); pages > 0 && at < p.to; pages-- {
				for range 1 + m.rng.IntN(6) {
					m.connect(at + m.rng.Float64()*5)
				}
				at += think * math.Exp(m.rng.NormFloat64()*spread)
			}
		}
	}
}

// throughCache keeps only the DNS queries that pass a cache which holds answers for ttl seconds.
func (m *maker) throughCache(ttl float64) {
	done := m.finish()
	m.t.conns = m.t.conns[:0]
	until := math.Inf(-1)
	for _, c := range done.conns {
		if float64(c.At) < until {
			continue
		}
		until = float64(c.At) + ttl
		c.Bytes = 70
		m.t.conns = append(m.t.conns, c)
	}
	m.t.lookups, m.t.ttl = true, uint32(ttl)
}

// jumps sets the sensor's clock forward or back, n times, by a leap second or by up to 2 h.
func (m *maker) jumps(n int) {
	for range n {
		from, by := int64(m.start+m.rng.Float64()*m.length), int64(m.between(-2, 2)*hour)
		if m.rng.IntN(2) == 0 {
			by = int64(m.rng.IntN(3)) - 1 // leap seconds
		}
		for i := range m.t.conns {
			if m.t.conns[i].At >= from {
				m.t.conns[i].At += by
			}
		}
	}
}

// irregular adds connections at lognormal intervals: two of three are between half and twice the median.
func (m *maker) irregular() {
	if m.rng.IntN(2) == 0 {
		m.office()
	}
	middle, spread := m.logBetween(5*minute, 5*hour), m.between(0.7, 1.5)
	for at := m.start; at < m.end(); at += middle * math.Exp(m.rng.NormFloat64()*spread) {
		m.connect(at)
	}
}

// laptops adds the updaters of n laptops in one time zone. All share the timeline's hours of activity.
func (m *maker) laptops(n int) {
	zone, all := m.between(0, day), m.awake
	for range n {
		m.officeAt(zone)
		m.updates(documented())
	}
	m.awake = all
}
