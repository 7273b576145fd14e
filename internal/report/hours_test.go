package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatATapDidNotSeeIsSaid(t *testing.T) {
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	hour := func(at int, seen time.Duration, drops uint64) Hour {
		return NewHour(start.Add(time.Duration(at)*time.Hour), seen, 100, 10000, drops, 0)
	}
	var c Coverage
	c.Watched([]Hour{hour(0, 20*time.Minute, 0), hour(1, time.Hour, 0), hour(2, 10*time.Minute, 100), hour(5, time.Hour, 0), hour(6, time.Minute, 0)})
	require.Equal(t, []string{
		"The tap was read for 2.5 hours between 2026-03-02 08:00Z and 2026-03-02 15:00Z.",
		"In 2 hours between them it was not read at all: what called home then is missing.",
		"In 1 hour it was read in part only.",
		"16.67 % of its packets were lost before they could be looked at (100).",
	}, c.Words)
	require.Len(t, c.Hours, 5)
	var none Coverage
	none.Watched(nil)
	require.Empty(t, none.Words)
}
