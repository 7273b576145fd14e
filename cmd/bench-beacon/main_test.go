package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Seeds that nothing was chosen by: every class must reach its floor, and none be worse than the reference.
func TestClassesReachTheirFloors(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-n", "80", "-seed", "77", "-held-out", "78"}, nil, &out, &out), "%s", &out)
	require.Contains(t, out.String(), "held out")
}

func TestBadArgumentsAreErrors(t *testing.T) {
	require.Error(t, run(t.Context(), []string{"-n", "0"}, nil, io.Discard, io.Discard))
}

func TestTimelinesAreTheSameEachTime(t *testing.T) {
	for _, c := range classes() {
		draw := func() timeline { return c.make(rand.New(rand.NewPCG(3, 4))) }
		require.Equal(t, draw(), draw(), c.name)
		require.NotEmpty(t, draw().conns, c.name)
	}
}

func TestUpdaterKeepsItsSchedule(t *testing.T) {
	m := newMaker(rand.New(rand.NewPCG(1, 1)), 7)
	m.updates(documented())
	runs, last := 0, int64(0)
	for _, c := range m.finish().conns {
		if c.At-last > 10*minute {
			runs++
		}
		last = c.At
	}
	require.InDelta(t, 7*86400/7270, runs, 2)
}
