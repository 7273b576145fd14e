package beacon

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const monday = int64(1_700_438_400) // 2023-11-20 00:00 UTC

// renewed is n starts with intervals that draw gives.
func renewed(n int, draw func(i int) float64) []int64 {
	starts := make([]int64, n)
	at := float64(monday)
	for i := range starts {
		starts[i] = int64(at)
		at += draw(i)
	}
	return starts
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// updates is an antivirus that looks for updates 2 h after a success and 20 min after a failure.
func updates(rng *rand.Rand, n int, failing float64) []int64 {
	return renewed(n, func(int) float64 {
		run := 10 + 120*rng.Float64()
		if rng.Float64() < failing {
			return 1200 + run
		}
		return 7200 + run
	})
}

func TestJudge(t *testing.T) {
	rng := seeded(1)
	busy := weekOf(func(int64) bool { return true })
	for _, c := range []struct {
		name        string
		line        Timeline
		reason      Reason
		least, most float64
		period      time.Duration
		words       string
	}{
		{"three sessions", Timeline{Starts: every(3, 9*hour)}, TooFew, 0, 0, 9 * time.Hour, "too few"},
		{"five hours", Timeline{Starts: every(60, 300)}, TooFew, 0, 0, 5 * time.Minute, "too few"},
		{"desktop", Timeline{Starts: updates(rng, 84, 0), Active: busy}, None, 0.95, 1, 7270 * time.Second,
			"about every 2 h, on 84 of 168 active hours, also 02:00-05:00"},
		{"a quarter fails", Timeline{Starts: updates(rng, 90, 0.25)}, None, 0.95, 1, 7270 * time.Second, "about every 2 h (or 2"},
		{"jitter and missing", Timeline{Starts: renewed(60, func(int) float64 { return missing(rng, 3600, 0.3) })}, None, 0.7, 1, time.Hour, "about every"},
		{"random", Timeline{Starts: renewed(90, func(int) float64 { return 30 + 3600*rng.ExpFloat64() })}, None, 0, 0.5, 0, "without a clear rhythm"},
		{"lognormal", Timeline{Starts: renewed(90, func(int) float64 { return 30 + 3600*math.Exp(rng.NormFloat64()) })}, None, 0, 0.5, 0, "without"},
		{"cache", Timeline{Starts: renewed(90, func(int) float64 { return 300 + 60*rng.ExpFloat64() }), Lookups: true, TTL: 300},
			Cache, 0, 0, 0, "a DNS cache of 5 min makes"},
		{"the same as flows", Timeline{Starts: renewed(90, func(int) float64 { return 300 + 60*rng.ExpFloat64() })}, None, 0.5, 1, 0, "about every"},
		{"a beat longer than the lifetime", Timeline{Starts: updates(rng, 84, 0), Lookups: true, TTL: 300}, None, 0.95, 1, 7270 * time.Second, "about every 2 h"},
		{"behind NAT", Timeline{Starts: updates(rng, 84, 0), NAT: true}, Several, 0, 0, 0, "several machines"},
		{"five phases", Timeline{Starts: together(seeded(5), 5)}, Several, 0, 0, 0, "several machines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Judge(c.line)
			require.Equal(t, c.reason, r.Reason)
			require.Equal(t, c.reason == None, r.Scored)
			require.Contains(t, r.Words, c.words)
			require.GreaterOrEqual(t, r.Score, c.least)
			require.LessOrEqual(t, r.Score, c.most)
			if c.period > 0 {
				require.InEpsilon(t, c.period.Seconds(), r.Period.Seconds(), 0.1)
			}
		})
	}
}

func missing(rng *rand.Rand, period, jitter float64) float64 {
	sum := 0.0
	for {
		sum += period * (1 + jitter*(2*rng.Float64()-1))
		if rng.Float64() >= 0.2 {
			return sum
		}
	}
}

// together is the sessions of several updaters behind one address.
func together(rng *rand.Rand, machines int) []int64 {
	var all []int64
	for range machines {
		shift := int64(7200 * rng.Float64())
		for _, at := range updates(rng, 30, 0) {
			all = append(all, at+shift)
		}
	}
	slices.Sort(all)
	return sessionsOf(all)
}

func weekOf(active func(hour int64) bool) *Hours {
	var h Hours
	for n := range int64(HoursKept) {
		if active(n) {
			h.Set(monday + n*hour)
		}
	}
	return &h
}

// A laptop beats hourly while it is awake, which is twice a day, from and for how long it likes.
func TestSilentHoursAreLeftOut(t *testing.T) {
	rng := seeded(2)
	var starts []int64
	var active Hours
	for d := monday; d < monday+7*day; d += day {
		for _, from := range []int64{d + 8*hour, d + 17*hour} {
			from += int64(rng.IntN(7200))
			to := from + 2*hour + int64(rng.IntN(3*hour))
			for at := from; at <= to; at += hour {
				starts = append(starts, at)
				active.Set(at)
			}
			active.Set(to + hour)
		}
	}
	r := Judge(Timeline{Starts: starts, Active: &active})
	require.GreaterOrEqual(t, r.Score, 0.95)
	require.Equal(t, r.Intervals, r.On, "pauses in which the host slept do not speak against the beat")
	require.Less(t, r.Intervals, len(starts)-1)
	require.Equal(t, time.Hour, r.Period)
	require.Equal(t, active.Count(), r.Active)
}

// Where the contact itself is all that is known of the host, its silence between beats says nothing.
func TestActivityOfTheContactAloneIsNone(t *testing.T) {
	starts := every(40, 2*hour)
	var active Hours
	for _, at := range starts {
		active.Set(at)
	}
	require.Equal(t, Judge(Timeline{Starts: starts}).Score, Judge(Timeline{Starts: starts, Active: &active}).Score)
}

func TestNight(t *testing.T) {
	var h Hours
	h.Set(monday + 3*hour)
	h.Set(monday + 14*hour)
	require.Equal(t, 1, h.night())
}

func kinds() map[string]func(*rand.Rand) []int64 {
	return map[string]func(*rand.Rand) []int64{
		"updates": func(r *rand.Rand) []int64 { return updates(r, 20+r.IntN(70), 0.2) },
		"random":  func(r *rand.Rand) []int64 { return renewed(90, func(int) float64 { return 30 + 900*r.ExpFloat64() }) },
		"several": func(r *rand.Rand) []int64 { return together(r, 4) },
	}
}

func TestShiftInTimeChangesNothing(t *testing.T) {
	for name, draw := range kinds() {
		for seed := range uint64(20) {
			starts := draw(seeded(seed))
			moved := slices.Clone(starts)
			for i := range moved {
				moved[i] += 86400*365 + 12345
			}
			a, b := Judge(Timeline{Starts: starts}), Judge(Timeline{Starts: moved})
			require.InDelta(t, a.Score, b.Score, 1e-9, name)
			require.Equal(t, a.Reason, b.Reason, name)
			require.Equal(t, a.Period, b.Period, name)
		}
	}
}

func TestOrderOfStartsChangesNothing(t *testing.T) {
	for _, draw := range kinds() {
		for seed := range uint64(20) {
			rng := seeded(seed)
			starts := draw(rng)
			mixed := slices.Clone(starts)
			rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			before := slices.Clone(mixed)
			require.Equal(t, Judge(Timeline{Starts: starts}), Judge(Timeline{Starts: mixed}))
			require.Equal(t, before, mixed, "the list is the caller's")
		}
	}
}

// mean is the mean score of many timelines.
func mean(draw func(*rand.Rand) []int64) float64 {
	sum := 0.0
	for seed := range uint64(60) {
		sum += Judge(Timeline{Starts: draw(seeded(seed))}).Score
	}
	return sum / 60
}

func TestMoreJitterScoresLower(t *testing.T) {
	last := 1.0
	for _, jitter := range []float64{0, 0.1, 0.2, 0.3, 0.5, 0.9} {
		score := mean(func(r *rand.Rand) []int64 {
			return renewed(20, func(int) float64 { return 7200 * (1 + jitter*(2*r.Float64()-1)) })
		})
		require.LessOrEqual(t, score, last+0.005, "jitter %v", jitter)
		last = score
	}
}

func TestMoreSessionsScoreHigher(t *testing.T) {
	last := 0.0
	for _, n := range []int{5, 8, 12, 20, 40, 90} {
		score := mean(func(r *rand.Rand) []int64 {
			return renewed(n, func(int) float64 { return 7200 * (1 + 0.25*(2*r.Float64()-1)) })
		})
		require.GreaterOrEqual(t, score, last-0.005, "%d sessions", n)
		last = score
	}
}

func TestManyHostsChangeNothing(t *testing.T) {
	starts := updates(seeded(3), 60, 0)
	first := Judge(Timeline{Starts: starts})
	for range 1000 {
		require.Equal(t, first, Judge(Timeline{Starts: starts}), "no score depends on who else beats")
	}
}

func sessionsOf(starts []int64) []int64 { return merged(nil, starts, Gap) }

func TestSessions(t *testing.T) {
	require.Equal(t, []int64{0, 100, 130}, sessionsOf([]int64{0, 29, 58, 100, 130, 131}))
	require.Empty(t, sessionsOf(nil))
}

func FuzzScore(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint32(300), true)
	f.Add(make([]byte, 90), uint32(0), false)
	f.Add([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x00"), uint32(1), true)
	f.Fuzz(func(t *testing.T, b []byte, ttl uint32, lookups bool) {
		var active Hours
		var starts []int64
		for len(b) >= 3 {
			n := min(len(b), 3+int(b[0]%6))
			at := int64(0)
			for _, x := range b[:n] {
				at = at<<8 | int64(x)
			}
			if b[0]&0x40 != 0 {
				at = -at << 15
			}
			b = b[n:]
			starts = append(starts, at)
			active.Set(at)
		}
		line := Timeline{Starts: starts, TTL: ttl, Lookups: lookups}
		known, later := line, line
		known.Active = &active
		later.Earlier, later.Since = int(ttl%1000), -int64(ttl)
		for _, r := range []Result{Judge(line), Judge(known), Judge(later)} {
			require.True(t, r.Score >= 0 && r.Score <= 1, "%v", r.Score)
			require.Equal(t, r.Reason == None, r.Scored)
			require.True(t, r.Scored || r.Score == 0)
			require.GreaterOrEqual(t, r.Period, time.Duration(0))
			require.GreaterOrEqual(t, r.Window, time.Duration(0))
			require.LessOrEqual(t, r.On, r.Intervals)
			require.NotEmpty(t, r.Words)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	for name, next := range map[string]func(*rand.Rand) float64{
		"beat":   func(r *rand.Rand) float64 { return 7200 * (0.9 + 0.2*r.Float64()) },
		"random": func(r *rand.Rand) float64 { return 30 + 2000*r.ExpFloat64() },
	} {
		rng, at := seeded(7), 1.7e9
		var starts []int64
		for range MaxStarts {
			starts = append(starts, int64(at))
			at += next(rng)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Judge(Timeline{Starts: starts})
			}
		})
	}
}
