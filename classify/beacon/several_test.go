package beacon

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// calls says how often timelines of a kind come out as those of several machines.
func calls(draw func(*rand.Rand) []int64) float64 {
	const n = 60
	called := 0.0
	for seed := range uint64(n) {
		if Judge(Timeline{Starts: draw(seeded(seed))}).Reason == Several {
			called++
		}
	}
	return called / n
}

// joined is the sessions of updaters that begin anywhere in a period, each a number of runs long.
func joined(rng *rand.Rand, machines, runs int, failing float64) []int64 {
	var all []int64
	for range machines {
		shift := int64(7200 * rng.Float64())
		for _, at := range updates(rng, runs, failing) {
			all = append(all, at+shift)
		}
	}
	slices.Sort(all)
	return sessionsOf(all)
}

func TestMachinesThatBeatSideBySideAreSeveral(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) []int64{
		"two for four days":     func(r *rand.Rand) []int64 { return joined(r, 2, 45, 0) },
		"three for a day":       func(r *rand.Rand) []int64 { return joined(r, 3, 14, 0) },
		"three that fail often": func(r *rand.Rand) []int64 { return joined(r, 3, 30, 0.2) },
		"four laptops": func(r *rand.Rand) []int64 {
			var all []int64
			for range 4 {
				for d := monday; d < monday+3*day; d += day {
					at := d + 8*hour + int64(5400*r.Float64())
					for until := at + 5*hour + int64(4*hour*r.Float64()); at < until; at += 7210 + int64(120*r.Float64()) {
						all = append(all, at)
					}
				}
			}
			slices.Sort(all)
			return sessionsOf(all)
		},
	} {
		require.GreaterOrEqual(t, calls(draw), 0.85, name)
	}
}

func TestOneMachineThatLooksLikeMoreIsOne(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) []int64{
		"fails now and then": func(r *rand.Rand) []int64 { return updates(r, 80, 0.4) },
		"each run fails once": func(r *rand.Rand) []int64 {
			return renewed(80, func(i int) float64 { return [...]float64{1200, 7200}[i%2] + 120*r.Float64() })
		},
		"visits in a pattern of three": func(r *rand.Rand) []int64 {
			return renewed(80, func(i int) float64 { return [...]float64{900, 2500, 3800}[i%3] + 60*r.Float64() })
		},
		"a faster beat": func(r *rand.Rand) []int64 {
			return renewed(80, func(int) float64 { return 3600 * (0.9 + 0.2*r.Float64()) })
		},
		"on a grid": func(r *rand.Rand) []int64 {
			var all []int64
			for i := range 90 {
				if r.Float64() < 0.8 {
					all = append(all, monday+int64(i)*hour+int64(900*(2*r.Float64()-1)))
				}
			}
			return all
		},
		"random": func(r *rand.Rand) []int64 { return renewed(90, func(int) float64 { return 30 + 1500*r.ExpFloat64() }) },
		"people": func(r *rand.Rand) []int64 {
			var all []int64
			for at := float64(monday); len(all) < 120; at += 5400 * r.ExpFloat64() {
				for range 1 + r.IntN(8) {
					at += 31 + 60*r.ExpFloat64()
					all = append(all, int64(at))
				}
			}
			return all
		},
	} {
		require.LessOrEqual(t, calls(draw), 0.05, name)
	}
}

// A burst of a person is many intervals of a minute within hours of nothing.
func TestABurstIsNoBeat(t *testing.T) {
	rng := seeded(4)
	var all []int64
	for d := monday; d < monday+6*day; d += day {
		at := d + 9*hour + int64(20000*rng.Float64())
		for range 14 {
			all = append(all, at)
			at += 60 + int64(8*rng.Float64())
		}
	}
	r := Judge(Timeline{Starts: all})
	require.False(t, r.Score >= leastScore && r.Period < time.Hour, r.Words)
}
