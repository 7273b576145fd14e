package beacon

import (
	"math/rand/v2"
	"testing"
)

// ringOf fills a State by intervals that next gives.
func ringOf(n int, next func(*rand.Rand) float64) *State {
	rng := rand.New(rand.NewPCG(7, 7))
	var s State
	at := 1.7e9
	for range n {
		s.Add(int64(at), 100, true)
		at += next(rng)
	}
	return &s
}

func BenchmarkScore(b *testing.B) {
	for _, c := range []struct {
		name string
		next func(*rand.Rand) float64
	}{
		{"beat", func(r *rand.Rand) float64 { return 7200 * (0.9 + 0.2*r.Float64()) }},
		{"random", func(r *rand.Rand) float64 { return 30 + 2000*r.ExpFloat64() }},
	} {
		s := ringOf(200, c.next)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Score(nil)
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	var s State
	at := int64(1_700_000_000)
	b.ReportAllocs()
	for b.Loop() {
		at += 20
		s.Add(at, 100, true)
	}
}
