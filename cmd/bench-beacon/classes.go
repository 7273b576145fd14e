package main

import (
	"math/rand/v2"
)

// group is the result that a class of timelines should have.
type group int

const (
	beat    group = iota // must score
	chance               // must not score
	regular              // regular, but not an antivirus: the vendor decides there, not the time. Counts neither way.
	several              // must be called several machines
	cache                // must be called a cache
)

func (g group) String() string {
	return [...]string{"beat", "chance", "regular, no antivirus", "several machines", "cache"}[g]
}

// class is a kind of timeline.
type class struct {
	name string
	group
	antivirus bool
	floor     float64 // least recall at 1 % false positives, or least share called by its group's name; 0: none
	make      draw
}

// draw makes a timeline of a class; the same numbers make the same timeline.
type draw func(*rand.Rand) timeline

// classes returns all kinds, in the order of the tables.
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
		{"antivirus every 2 h and every 3 h", beat, true, 0, over(fewDays, func(m *maker) {
			u := documented()
			m.updates(u)
			u.period = 3 * hour
			m.updates(u)
		})},
		{"antivirus 2 h, laptop, 7 days", beat, true, 0.9, antivirus(0, true)},
		{"antivirus 2 h, laptop with failures, 7 days", beat, true, 0.9, antivirus(0.15, true)},
		{"antivirus 2 h, laptop, activity not known", beat, true, 0.9, unknown(antivirus(0, true))},
		{"antivirus 1-12 h, jitter to 15 %, 20 % missing", beat, true, 0.95, otherUpdater},
		{"antivirus daily, 10-14 days", beat, true, 0.9, over(days(10, 4), func(m *maker) {
			m.beats(schedule{period: day, jitter: m.between(0, 0.05), missing: 0.1, fixed: m.rng.IntN(2) == 0})
		})},
		{"antivirus 2 h mixed with DNS queries by day", beat, true, 0, over(days(2, 5), func(m *maker) {
			m.updates(documented())
			all := m.awake
			m.office()
			m.events(m.between(0.3, 2))
			m.awake = all
		})},
		{"antivirus 2 h seen as DNS, TTL 300", beat, true, 0.95, over(days(2, 5), func(m *maker) { m.updates(documented()); m.throughCache(300) })},
		{"clock jumps in a 2 h beat", beat, true, 0.95, over(days(2, 5), func(m *maker) { m.updates(documented()); m.jumps(1 + m.rng.IntN(3)) })},
		{"C2 60 s, jitter to 30 %", beat, false, 0.95, implant(60, 0.3)},
		{"C2 300 s, jitter to 50 %", beat, false, 0, implant(300, 0.5)},
		{"C2 1 h, jitter to 20 %", beat, false, 0.95, implant(3600, 0.2)},
		{"NTP-like 64-1024 s", regular, false, 0, over(fewDays, func(m *maker) {
			m.size = func() float64 { return 76 }
			m.beats(schedule{period: float64(int(64) << m.rng.IntN(5)), jitter: 0.02})
		})},
		{"CDN polling by day", regular, false, 0, over(fewDays, func(m *maker) {
			m.office()
			m.beats(schedule{period: m.logBetween(40, 900), jitter: m.between(0, 0.1)})
		})},
		{"human, one site", chance, false, 0, over(days(1, 13), func(m *maker) {
			m.office()
			m.browse(m.logBetween(0.2, 4), m.logBetween(20, 120), m.between(0.8, 1.4))
		})},
		{"random", chance, false, 0, over(days(1, 13), func(m *maker) { m.evenly(m.logBetween(0.1, 30)) })},
		{"random by day", chance, false, 0, over(days(1, 13), func(m *maker) { m.office(); m.evenly(m.logBetween(0.3, 30)) })},
		{"irregular, lognormal intervals", chance, false, 0, over(days(1, 13), (*maker).irregular)},
		{"KSN connections", chance, false, 0, over(fewDays, func(m *maker) {
			if m.rng.IntN(3) > 0 {
				m.office()
			}
			m.events(m.logBetween(2, 60))
		})},
		{"KSN queries as DNS, slow (under 4/h)", chance, false, 0, ksnDNS(1, 4, 300, 300)},
		{"KSN queries 30-120/h as DNS, TTL 300", cache, false, 0.95, ksnDNS(30, 120, 300, 300)},
		{"KSN queries 30-120/h as DNS, TTL 60-1800", cache, false, 0.95, ksnDNS(30, 120, 60, 1800)},
		{"NAT of 2-3 updaters", several, true, 0.9, nat(2, 3, 0)},
		{"NAT of 5 updaters", several, true, 0.95, nat(5, 5, 0)},
		{"NAT of 20 updaters", several, true, 0.95, nat(20, 20, 0)},
		{"NAT of 2-3 updaters, 20 % of runs fail", several, true, 0.92, nat(2, 3, 0.2)},
		{"NAT of 5 updaters, 20 % of runs fail", several, true, 0.95, nat(5, 5, 0.2)},
		{"NAT of 2-5, 1-6 h, jitter to 10 %", several, true, 0.85, natOfOthers},
		{"NAT of a desktop and 2 laptops", several, true, 0.9, over(fewDays, func(m *maker) { m.updates(documented()); m.laptops(2) })},
		{"NAT of 5 laptops", several, true, 0.85, over(fewDays, func(m *maker) { m.laptops(5) })},
	}
}

// over makes timelines of a random number of days.
func over(days func(*rand.Rand) float64, fill func(*maker)) draw {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, days(rng))
		fill(m)
		return m.finish()
	}
}

// days is from least to least+more days.
func days(least, more float64) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 { return least + more*rng.Float64() }
}

func fewDays(rng *rand.Rand) float64 { return 1 + 6*rng.Float64() }

// leastBeats is how many beats a timeline has at least, before some go missing.
const leastBeats = 12

// enoughDays is how many days leastBeats of a period take, and one at least.
func enoughDays(period float64) float64 { return max(1, leastBeats*period/day) }

func periodic(low, high float64, fixed bool) draw {
	return func(rng *rand.Rand) timeline {
		m := newMaker(rng, 0)
		s := schedule{period: m.logBetween(5*minute, 24*hour), jitter: m.between(low, high), missing: 0.2, fixed: fixed}
		m = newMaker(rng, m.logBetween(enoughDays(s.period), 14))
		m.beats(s)
		return m.finish()
	}
}

func antivirus(failing float64, laptop bool) draw {
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

// unknown hides in which hours the host was active.
func unknown(of draw) draw {
	return func(rng *rand.Rand) timeline {
		t := of(rng)
		t.noActivity = true
		return t
	}
}

// patterned is an updater on a desktop that differs from the documented one.
func patterned(change func(*updater)) draw {
	return over(fewDays, func(m *maker) {
		u := documented()
		change(&u)
		m.updates(u)
	})
}

func otherUpdater(rng *rand.Rand) timeline {
	m := newMaker(rng, 0)
	u := updater{period: m.logBetween(hour, 12*hour), jitter: m.between(0, 0.15), longest: 130, missing: 0.2, failing: m.between(0, 0.15)}
	u.retry = u.period / m.between(4, 12)
	m = newMaker(rng, m.between(enoughDays(u.period), 14))
	m.updates(u)
	return m.finish()
}

func implant(period, jitter float64) draw {
	return over(days(1, 2), func(m *maker) {
		bytes := m.between(300, 1500)
		m.size = func() float64 { return bytes * (1 + 0.02*m.rng.Float64()) }
		m.beats(schedule{period: period, jitter: jitter * m.rng.Float64()})
	})
}

func ksnDNS(low, high, shortest, longest float64) draw {
	return over(fewDays, func(m *maker) {
		if m.rng.IntN(2) > 0 {
			m.office()
		}
		ttl := m.logBetween(shortest, longest)
		m.events(m.logBetween(low, high) * 300 / ttl)
		m.throughCache(ttl)
	})
}

func nat(low, high int, failing float64) draw {
	return over(fewDays, func(m *maker) {
		u := documented()
		u.failing = failing
		for range low + m.rng.IntN(high-low+1) {
			m.updates(u)
		}
	})
}

func natOfOthers(rng *rand.Rand) timeline {
	m := newMaker(rng, 0)
	u := updater{period: m.logBetween(hour, 6*hour), jitter: m.between(0, 0.1), longest: 130, missing: 0.1 * m.rng.Float64()}
	u.retry = u.period / 6
	m = newMaker(rng, m.between(enoughDays(u.period), 7))
	for range 2 + rng.IntN(4) {
		m.updates(u)
	}
	return m.finish()
}
