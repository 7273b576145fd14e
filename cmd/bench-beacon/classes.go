package main

import (
	"math"
	"math/rand/v2"
)

// group is what a class of timelines should come out as.
type group int

const (
	beat    group = iota // must score
	chance               // must not score
	regular              // beats by time, though no antivirus does: which vendor it is decides, not the time; counts neither way
	several              // must be called several machines
	cache                // must be called a cache's
)

func (g group) String() string {
	return [...]string{"beat", "chance", "regular, no antivirus", "several machines", "cache"}[g]
}

// class is a kind of timeline.
type class struct {
	name string
	group
	antivirus bool
	floor     float64 // least recall at 1 % false positives, or share that comes out as its group; 0 where none is set
	make      func(m *rand.Rand) timeline
}

// classes are all kinds, in the order in which they are shown.
func classes() []class {
	return []class{
		{"periodic, jitter 0-10 %, 20 % missing", beat, false, 0.95, periodic(0, 0.1, false)},
		{"periodic, jitter 10-20 %, 20 % missing", beat, false, 0.95, periodic(0.1, 0.2, false)},
		{"periodic, jitter 20-30 %, 20 % missing", beat, false, 0.95, periodic(0.2, 0.3, false)},
		{"fixed grid, jitter 0-15 %, 20 % missing", beat, false, 0.95, periodic(0, 0.15, true)},
		{"fixed grid, jitter 15-30 %, 20 % missing", beat, false, 0.95, periodic(0.15, 0.3, true)},
		{"antivirus 2 h, desktop", beat, true, 0.95, antivirus(0, false)},
		{"antivirus 2 h, 10-30 % of runs fail", beat, true, 0.95, antivirus(0.2, false)},
		{"antivirus 2 h, 30-60 % of runs fail", beat, true, 0.95, antivirus(0.45, false)},
		{"antivirus 2 h, every run fails once", beat, true, 0.9, patterned(func(u *updater) { u.failsOnce = true })},
		{"antivirus 2 h, runs of up to 10 min", beat, true, 0.95, patterned(func(u *updater) { u.longest = 10 * minute })},
		{"antivirus 2 h, another visit 25 min later", beat, true, 0.9, patterned(func(u *updater) { u.again = 25 * minute })},
		{"antivirus every 2 h and every 3 h", beat, true, 0, twoBeats},
		{"antivirus 2 h, laptop, 7 days", beat, true, 0.9, antivirus(0, true)},
		{"antivirus 2 h, laptop with failures, 7 days", beat, true, 0.9, antivirus(0.15, true)},
		{"antivirus 2 h, laptop, activity not known", beat, true, 0.9, unknown(antivirus(0, true))},
		{"antivirus 1-12 h, jitter to 15 %, 20 % missing", beat, true, 0.95, otherUpdater},
		{"antivirus daily, 10-14 days", beat, true, 0.9, dailyUpdater},
		{"antivirus 2 h mixed with look-ups by day", beat, true, 0, mixed},
		{"antivirus 2 h seen as DNS, TTL 300", beat, true, 0.95, updaterDNS},
		{"clock jumps in a 2 h beat", beat, true, 0.95, jumping},
		{"C2 60 s, jitter to 30 %", beat, false, 0.95, implant(60, 0.3)},
		{"C2 300 s, jitter to 50 %", beat, false, 0, implant(300, 0.5)},
		{"C2 1 h, jitter to 20 %", beat, false, 0.95, implant(3600, 0.2)},
		{"NTP-like 64-1024 s", regular, false, 0, ntp},
		{"CDN polling by day", regular, false, 0, polling},
		{"human, one site", chance, false, 0, human},
		{"random", chance, false, 0, random},
		{"random by day", chance, false, 0, randomByDay},
		{"irregular, lognormal intervals", chance, false, 0, irregular},
		{"KSN look-ups as flows", chance, false, 0, ksnFlows},
		{"KSN look-ups as DNS, slow (under 4/h)", chance, false, 0, ksnDNS(1, 4, 300, 300)},
		{"KSN look-ups 30-120/h as DNS, TTL 300", cache, false, 0.95, ksnDNS(30, 120, 300, 300)},
		{"KSN look-ups 30-120/h as DNS, TTL 60-1800", cache, false, 0.95, ksnDNS(30, 120, 60, 1800)},
		{"NAT of 2-3 updaters", several, true, 0.9, nat(2, 3, 0)},
		{"NAT of 5 updaters", several, true, 0.95, nat(5, 5, 0)},
		{"NAT of 20 updaters", several, true, 0.95, nat(20, 20, 0)},
		{"NAT of 2-3 updaters, 20 % of runs fail", several, true, 0.92, nat(2, 3, 0.2)},
		{"NAT of 5 updaters, 20 % of runs fail", several, true, 0.95, nat(5, 5, 0.2)},
		{"NAT of 2-5, 1-6 h, jitter to 10 %", several, true, 0.85, natOfOthers},
		{"NAT of a desktop and 2 laptops", several, true, 0.9, natOfBoth},
		{"NAT of 5 laptops", several, true, 0.85, natOfLaptops},
	}
}

// leastBeats is how many beats a timeline has at least, before some go missing.
const leastBeats = 12

func periodic(low, high float64, fixed bool) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, 0)
		s := schedule{period: m.logBetween(5*minute, 24*hour), jitter: m.between(low, high), missing: 0.2, fixed: fixed}
		days := m.logBetween(max(1, leastBeats*s.period/day), 14)
		m = newMaker(rng, days)
		m.beats(s)
		return m.finish()
	}
}

func antivirus(failing float64, laptop bool) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		days := 7.0
		if !laptop {
			days = 1.2 + 12.8*rng.Float64()*rng.Float64()
		}
		m := newMaker(rng, days)
		if laptop {
			m.office()
		}
		u := documented()
		u.failing = failing * m.between(0.5, 1.5)
		if failing > 0.4 {
			u.failing = m.between(0.3, 0.6)
		}
		m.updates(u)
		return m.finish()
	}
}

// unknown hides when the host was active.
func unknown(draw func(*rand.Rand) timeline) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		t := draw(rng)
		t.noActivity = true
		return t
	}
}

func otherUpdater(rng *rand.Rand) timeline {
	m := newMaker(rng, 0)
	u := updater{period: m.logBetween(hour, 12*hour), jitter: m.between(0, 0.15), longest: 130, missing: 0.2, failing: m.between(0, 0.15)}
	u.retry = u.period / m.between(4, 12)
	m = newMaker(rng, m.between(max(1, leastBeats*u.period/day), 14))
	m.updates(u)
	return m.finish()
}

func dailyUpdater(rng *rand.Rand) timeline {
	m := newMaker(rng, 10+4*rng.Float64())
	m.beats(schedule{period: day, jitter: m.between(0, 0.05), missing: 0.1, fixed: rng.IntN(2) == 0})
	return m.finish()
}

func mixed(rng *rand.Rand) timeline {
	m := newMaker(rng, 2+5*rng.Float64())
	m.updates(documented())
	all := m.awake
	m.office()
	m.events(m.between(0.3, 2))
	m.awake = all
	return m.finish()
}

func updaterDNS(rng *rand.Rand) timeline {
	m := newMaker(rng, 2+5*rng.Float64())
	m.updates(documented())
	m.throughCache(300)
	return m.finish()
}

func jumping(rng *rand.Rand) timeline {
	m := newMaker(rng, 2+5*rng.Float64())
	m.updates(documented())
	m.jumps(1 + rng.IntN(3))
	return m.finish()
}

func implant(period, jitter float64) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, 1+2*rng.Float64())
		bytes := m.between(300, 1500)
		m.size = func() float64 { return bytes * (1 + 0.02*rng.Float64()) }
		m.beats(schedule{period: period, jitter: jitter * rng.Float64()})
		return m.finish()
	}
}

func ntp(rng *rand.Rand) timeline {
	m := newMaker(rng, fewDays(rng))
	m.size = func() float64 { return 76 }
	m.beats(schedule{period: float64(int(64) << rng.IntN(5)), jitter: 0.02})
	return m.finish()
}

func fewDays(rng *rand.Rand) float64 { return 1 + 6*rng.Float64() }

func polling(rng *rand.Rand) timeline {
	m := newMaker(rng, fewDays(rng))
	m.office()
	m.beats(schedule{period: m.logBetween(40, 900), jitter: m.between(0, 0.1)})
	return m.finish()
}

func human(rng *rand.Rand) timeline {
	m := newMaker(rng, 1+13*rng.Float64())
	m.office()
	m.browse(m.logBetween(0.2, 4), m.logBetween(20, 120), m.between(0.8, 1.4))
	return m.finish()
}

func random(rng *rand.Rand) timeline {
	m := newMaker(rng, 1+13*rng.Float64())
	m.evenly(m.logBetween(0.1, 30))
	return m.finish()
}

func randomByDay(rng *rand.Rand) timeline {
	m := newMaker(rng, 1+13*rng.Float64())
	m.office()
	m.evenly(m.logBetween(0.3, 30))
	return m.finish()
}

// irregular has intervals about a middle, but broadly: from a half to twice of it in two of three.
func irregular(rng *rand.Rand) timeline {
	m := newMaker(rng, 1+13*rng.Float64())
	if rng.IntN(2) == 0 {
		m.office()
	}
	middle, spread := m.logBetween(5*minute, 5*hour), m.between(0.7, 1.5)
	for at := m.start; at < m.end(); at += middle * math.Exp(rng.NormFloat64()*spread) {
		m.connect(at)
	}
	return m.finish()
}

func ksnFlows(rng *rand.Rand) timeline {
	m := newMaker(rng, fewDays(rng))
	if rng.IntN(3) > 0 {
		m.office()
	}
	m.events(m.logBetween(2, 60))
	return m.finish()
}

func ksnDNS(low, high, shortest, longest float64) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, fewDays(rng))
		if rng.IntN(2) > 0 {
			m.office()
		}
		ttl := m.logBetween(shortest, longest)
		m.events(m.logBetween(low, high) * 300 / ttl)
		m.throughCache(ttl)
		return m.finish()
	}
}

func nat(low, high int, failing float64) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, fewDays(rng))
		u := documented()
		u.failing = failing
		for range low + rng.IntN(high-low+1) {
			m.updates(u)
		}
		return m.finish()
	}
}

func natOfLaptops(rng *rand.Rand) timeline {
	m := newMaker(rng, fewDays(rng))
	zone := m.between(0, day)
	for range 5 {
		m.officeAt(zone)
		m.updates(documented())
	}
	m.awake = []period{{m.start, m.end()}}
	return m.finish()
}

// patterned is an updater on a desktop that differs from the documented one.
func patterned(change func(*updater)) func(*rand.Rand) timeline {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, fewDays(rng))
		u := documented()
		change(&u)
		m.updates(u)
		return m.finish()
	}
}

// twoBeats is one machine that calls in two beats.
func twoBeats(rng *rand.Rand) timeline {
	m := newMaker(rng, fewDays(rng))
	u := documented()
	m.updates(u)
	u.period = 3 * hour
	m.updates(u)
	return m.finish()
}

func natOfOthers(rng *rand.Rand) timeline {
	m := newMaker(rng, 0)
	u := updater{period: m.logBetween(hour, 6*hour), jitter: m.between(0, 0.1), longest: 130, missing: 0.1 * m.rng.Float64()}
	u.retry = u.period / 6
	m = newMaker(rng, m.between(max(1, leastBeats*u.period/day), 7))
	for range 2 + rng.IntN(4) {
		m.updates(u)
	}
	return m.finish()
}

func natOfBoth(rng *rand.Rand) timeline {
	m := newMaker(rng, fewDays(rng))
	m.updates(documented())
	zone := m.between(0, day)
	all := m.awake
	for range 2 {
		m.officeAt(zone)
		m.updates(documented())
	}
	m.awake = all
	return m.finish()
}
