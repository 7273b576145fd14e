package beacon

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func every(n int, step int64, jitter ...int64) []int64 {
	var out []int64
	at := int64(1_700_000_000)
	for i := range n {
		out = append(out, at)
		at += step
		if len(jitter) > 0 {
			at += jitter[i%len(jitter)]
		}
	}
	return out
}

func TestJudgeOfPlainStarts(t *testing.T) {
	for _, c := range []struct {
		name        string
		starts      []int64
		period      time.Duration
		scored      bool
		least, most float64
		words       string
	}{
		{"none", nil, 0, false, 0, 0, "one session"},
		{"one", every(1, 1), 0, false, 0, 0, "one session"},
		{"three", every(3, 7200), 2 * time.Hour, false, 0, 0, "too few"},
		{"clock", every(40, 7200), 2 * time.Hour, true, 0.99, 1, "about every 2 h"},
		{"jitter", every(40, 7200, -300, 200, 100, -50), 7200 * time.Second, true, 0.95, 1, "about every 2 h"},
		{"wild", every(40, 600, 0, 90000, 5000, 300, 20000, 2200, 41000, 800, 7700, 1500, 12000), 5600 * time.Second, true, 0, 0.45, "without a clear rhythm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Judge(Timeline{Starts: c.starts})
			require.Equal(t, len(c.starts), r.Sessions)
			require.Equal(t, c.scored, r.Scored)
			require.Contains(t, r.Words, c.words)
			require.InDelta(t, c.period.Seconds(), r.Period.Seconds(), 100)
			require.GreaterOrEqual(t, r.Score, c.least)
			require.LessOrEqual(t, r.Score, c.most)
		})
	}
}

func TestJudgeLeavesItsInputAlone(t *testing.T) {
	in := []int64{1, 100, 150, 900}
	Judge(Timeline{Starts: in})
	require.Equal(t, []int64{1, 100, 150, 900}, in)
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{45 * time.Second: "45 s", 20 * time.Minute: "20 min", 2 * time.Hour: "2 h",
		150 * time.Minute: "2.5 h", 72 * time.Hour: "3 d"} {
		require.Equal(t, want, Span(d))
	}
}

func FuzzJudge(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		var starts []int64
		for i, x := range b {
			starts = append(starts, int64(x)<<(i%40))
		}
		r := Judge(Timeline{Starts: starts})
		require.False(t, r.Score < 0 || r.Score > 1)
		require.NotEmpty(t, r.Words)
	})
}
