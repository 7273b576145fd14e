package main

import (
	"math"
	"math/rand/v2"
	"slices"

	"avbeacon/classify/beacon"
)

// Seconds.
const (
	minute = 60.0
	hour   = 3600.0
	day    = 86400.0
)

// timeline is what a sensor would see of one host and vendor, and the truth about it.
type timeline struct {
	conns      []conn
	active     beacon.Hours
	lookups    bool
	noActivity bool // the judge does not get active
	ttl        uint32
	end        int64     // of what the sensor saw, seconds since 1970
	periods    []float64 // true periods, seconds
}

// maker builds a timeline.
type maker struct {
	rng    *rand.Rand
	t      timeline
	start  float64 // seconds since 1970
	length float64 // seconds
	awake  []period
	size   func() float64 // bytes of the next connection
}

// period is a time in which the host is awake, seconds since 1970.
type period struct{ from, to float64 }

// newMaker begins a timeline of a number of days at a random second.
func newMaker(rng *rand.Rand, days float64) *maker {
	m := &maker{rng: rng, start: 1.7e9 + rng.Float64()*300*day, length: days * day}
	m.awake = []period{{m.start, m.start + m.length}}
	m.size = func() float64 { return 400 + rng.ExpFloat64()*3000 }
	return m
}

func (m *maker) between(low, high float64) float64 { return low + m.rng.Float64()*(high-low) }

// logBetween draws from a distribution that is uniform in the logarithm.
func (m *maker) logBetween(low, high float64) float64 {
	return math.Exp(m.between(math.Log(low), math.Log(high)))
}

func (m *maker) end() float64 { return m.start + m.length }

// isAwake reports whether the host is awake and, if not, when it wakes next.
func (m *maker) isAwake(at float64) (bool, float64) {
	for _, p := range m.awake {
		if at < p.from {
			return false, p.from
		}
		if at < p.to {
			return true, at
		}
	}
	return false, math.Inf(1)
}

// connect adds a connection if the host is awake and the sensor is watching.
func (m *maker) connect(at float64) {
	if ok, _ := m.isAwake(at); ok && at >= m.start && at < m.end() {
		m.t.conns = append(m.t.conns, conn{At: int64(at), Bytes: int64(m.size())})
	}
}

// finish sorts the connections and fills in the hours in which the host was active.
func (m *maker) finish() timeline {
	slices.SortStableFunc(m.t.conns, func(a, b conn) int { return int(a.At - b.At) })
	for _, p := range m.awake {
		for at := p.from; at < p.to; at += hour {
			m.t.active.Set(int64(at))
		}
		m.t.active.Set(int64(p.to))
	}
	m.t.end = int64(m.end())
	return m.t
}

// office makes the host sleep at night, on most weekends and sometimes by day, in a random time zone.
func (m *maker) office() { m.officeAt(m.between(0, day)) }

// officeAt is office where the day begins zone seconds after midnight UTC.
func (m *maker) officeAt(zone float64) {
	m.awake = nil
	for d := math.Floor(m.start/day) - 1; d*day < m.end(); d++ {
		if weekend := math.Mod(d, 7) >= 5; weekend && m.rng.Float64() < 0.8 {
			continue
		}
		from := d*day + zone + m.between(7.5, 9.5)*hour
		stop := from + m.between(7, 11)*hour
		for from < stop {
			to := min(stop, from+m.between(1.5, 8)*hour)
			m.wakes(from, to)
			from = to + m.between(0.2, 1.5)*hour
		}
		if m.rng.Float64() < 0.4 {
			evening := stop + m.between(1.5, 3)*hour
			m.wakes(evening, evening+m.between(0.5, 3)*hour)
		}
	}
}

func (m *maker) wakes(from, to float64) {
	if from, to = max(from, m.start), min(to, m.end()); from < to {
		m.awake = append(m.awake, period{from, to})
	}
}
