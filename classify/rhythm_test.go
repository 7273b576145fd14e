package classify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture/wire"
	"avbeacon/classify/beacon"
)

// beating returns a beat of n starts, a step of seconds apart.
func beating(n int, step int64, flows bool) *beat {
	at := int64(1_700_000_000)
	b := &beat{starts: []int64{at}, last: at, since: at, flows: flows}
	for range n - 1 {
		at += step
		b.start(at, flows)
	}
	return b
}

func TestRhythmOfFlows(t *testing.T) {
	b := beating(120, 7200, true)
	var h host
	r := h.rhythm(b)
	require.True(t, r.Scored)
	require.Greater(t, r.Score, 0.95)
	require.Equal(t, 2*time.Hour, r.Period)
	require.Equal(t, 120, r.Sessions, "those that are no longer held count")
	require.Equal(t, 119*2*time.Hour, r.Window)
}

func TestRhythmOfACache(t *testing.T) {
	b := beating(80, 310, false)
	var h host
	b.ttl = 300
	require.Equal(t, beacon.Cache, h.rhythm(b).Reason)
	b = beating(80, 7200, false)
	b.ttl = 300
	require.Equal(t, beacon.None, h.rhythm(b).Reason)
	require.NotContains(t, beatWords(b, h.rhythm(b)), "cache", "its answers' lifetime is known to be shorter")
	b.ttl = 0
	require.Contains(t, beatWords(b, h.rhythm(b)), "a cache can shape")
}

func TestRhythmIsJudgedAgainAfterAStart(t *testing.T) {
	b := beating(10, 7200, true)
	var h host
	h.active.Set(b.last)
	require.Equal(t, 10, h.rhythm(b).Sessions)
	b.start(b.last+7200, false)
	require.True(t, b.judged, "DNS queries say nothing where flows are seen")
	b.start(b.last+7200, true)
	require.Equal(t, 11, h.rhythm(b).Sessions)
	before := h.rhythm(b).Active
	h.active.Set(b.last + 3*3600)
	require.Greater(t, h.rhythm(b).Active, before, "the host was active since")
}

func TestLifetimeIsTheShortest(t *testing.T) {
	require.Zero(t, lifetime(nil))
	require.EqualValues(t, 60, lifetime([]wire.DNSRecord{{TTL: 3600}, {TTL: 60}, {TTL: 300}}))
}
