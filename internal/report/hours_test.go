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
		"The tap was watched for 2.5 h (2026-03-02 08:00 to 15:00 UTC).",
		"In 2 hours in between it was not watched at all: connections are missing.",
		"In 1 hour it was watched for part of the time only.",
		"16.67 % of its packets were dropped (100).",
	}, c.Words)
	require.Len(t, c.Hours, 5)
	var none Coverage
	none.Watched(nil)
	require.Empty(t, none.Words)
}
