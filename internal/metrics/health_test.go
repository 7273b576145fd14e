package metrics

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tap is a Snapshot of one interface.
func tap(seconds float64, packets, lost uint64) *Snapshot {
	return &Snapshot{Time: at(seconds), Interfaces: []Interface{{Name: "eth0", Up: true, Packets: packets, Kernel: lost}}}
}

func history0() *history { return &history{began: at(0)} }

func codes(list []Reason) (out []string) {
	for _, r := range list {
		out = append(out, r.Reason)
	}
	return out
}

func TestReady(t *testing.T) {
	terms := Terms{Silent: 5 * time.Minute, Drops: 0.01}
	for name, c := range map[string]struct {
		change func(*Snapshot)
		after  float64 // seconds from the Snapshot to the question
		terms  Terms
		want   []string
	}{
		"all is well":                 {terms: terms, after: 1},
		"nothing is asked":            {terms: Terms{Drops: -1}, after: 1},
		"one interface of two is up":  {change: func(s *Snapshot) { s.Interfaces = append(s.Interfaces, Interface{}) }, terms: terms},
		"no interface is up":          {change: func(s *Snapshot) { s.Interfaces[0].Up = false }, terms: terms, want: []string{"interfaces_down"}},
		"there are no interfaces":     {change: func(s *Snapshot) { s.Interfaces = nil }, terms: terms},
		"the store fails":             {change: func(s *Snapshot) { s.StoreErr = "disk full" }, terms: terms, want: []string{"store"}},
		"the spool fails":             {change: func(s *Snapshot) { s.SpoolErr = "disk full" }, terms: terms, want: []string{"spool"}},
		"it ends":                     {change: func(s *Snapshot) { s.Draining = true }, terms: terms, want: []string{"draining"}},
		"it is stuck":                 {after: 31, terms: terms, want: []string{"stuck"}},
		"it is stuck and was so long": {after: 400, terms: terms, want: []string{"stuck", "silent"}},
		"several at once": {change: func(s *Snapshot) { s.Interfaces[0].Up, s.SpoolErr = false, "x" }, after: 31, terms: terms,
			want: []string{"stuck", "interfaces_down", "spool"}},
	} {
		h, s := history0(), tap(0, 10, 0)
		if c.change != nil {
			c.change(s)
		}
		h.add(s)
		require.Equal(t, c.want, codes(h.unready(s, c.terms, at(c.after))), name)
	}
	require.Equal(t, []string{"starting"}, codes(history0().unready(nil, terms, at(1))))
}

func TestSilence(t *testing.T) {
	terms, h := Terms{Silent: 5 * time.Minute, Drops: -1}, history0()
	var s *Snapshot
	silent := func() bool { return len(h.unready(s, terms, s.Time)) > 0 }
	for i := range 301 {
		s = tap(float64(i), 0, 0)
		h.add(s)
		require.False(t, silent(), "second %d: the beginning counts as a packet", i)
	}
	s = tap(301, 0, 0)
	h.add(s)
	require.True(t, silent())
	require.Equal(t, "no packet arrived for 5m1s", h.unready(s, terms, s.Time)[0].Text)
	s = tap(302, 1, 0)
	h.add(s)
	require.False(t, silent())
}

func TestDropsAreThoseOfTheLastMinute(t *testing.T) {
	terms, h := Terms{Drops: 0.01}, history0()
	var packets, lost uint64
	ready := map[int]bool{}
	for i := range 200 {
		packets += 990
		if i >= 50 && i < 60 {
			lost += 100 // 1,000 of then 60,000 packets
		}
		s := tap(float64(i), packets, lost)
		h.add(s)
		ready[i] = len(h.unready(s, terms, s.Time)) == 0
		require.LessOrEqual(t, len(h.marks), 62)
	}
	require.True(t, ready[49])
	require.True(t, ready[54], "500 of 54,000 are less than 1 %%")
	require.False(t, ready[60])
	require.False(t, ready[100])
	require.True(t, ready[130], "what was lost a minute ago does not count")
}

func TestDropsEdges(t *testing.T) {
	h := history0()
	for i := range 100 { // ten a second
		h.add(tap(float64(i)/10, uint64(i), 0))
	}
	require.LessOrEqual(t, len(h.marks), 12)
	share, lost := h.drops()
	require.Zero(t, share)
	require.Zero(t, lost)

	h.add(tap(20, 5, 0)) // an interface was reopened
	require.Len(t, h.marks, 1)
	h.add(tap(21, 5, 5))
	share, lost = h.drops()
	require.Equal(t, 1.0, share, "all was lost")
	require.Equal(t, uint64(5), lost)
	h.add(tap(10, 6, 6)) // the clock was set back
	require.Len(t, h.marks, 1)
	require.Equal(t, []string{"drops"}, codes((&history{moved: at(0), marks: []mark{{at: at(0)}, {at: at(1), packets: 5, lost: 1}}}).
		unready(tap(1, 5, 1), Terms{Drops: 0}, at(1))), "no loss at all is allowed")
}
