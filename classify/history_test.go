package classify

import (
	"testing"
	"time"

	"avbeacon/capture"

	"github.com/stretchr/testify/require"
)

func TestAttempts(t *testing.T) {
	var a, none attempts
	first := hourOf(day)
	a.add(day, worked)
	for i := 1; i <= 23; i++ {
		a.add(day.Add(time.Duration(i)*time.Hour), missed)
	}
	require.False(t, blocked(&a, &none, first, true), "one of the last 24 hours had a success")
	require.True(t, blocked(&a, &none, first+1, true), "the success is older than the last active hours")
	a.add(day.Add(30*time.Hour), missed)
	require.True(t, blocked(&a, &none, first, true))
	a.add(day, worked) // older than those kept
	require.True(t, blocked(&a, &none, first, true))
	a.add(day.Add(3*time.Hour), worked) // late, but kept
	require.False(t, blocked(&a, &none, first, true))
	var few attempts
	few.add(day, missed)
	few.add(day, missed)
	require.False(t, blocked(&few, &none, first, true))
	few.add(day, missed)
	require.True(t, blocked(&few, &none, first, true))
	require.True(t, blocked(&few, &none, first+100, true), "failures count however long ago they were")
	require.True(t, blocked(&none, &few, first, true), "DNS queries alone, all refused")
	few.add(day, worked)
	require.False(t, blocked(&none, &few, first, true), "some were answered")
	few.add(day.Add(time.Hour), missed)
	require.False(t, blocked(&few, &none, first+1, true), "those before the success do not count")
}

// A DNS query without an answer fails where an answer would have been seen.
func TestSilenceFailsWhereAnswersWouldBeSeen(t *testing.T) {
	var a, none attempts
	for range 3 {
		a.add(day, silent)
	}
	require.True(t, blocked(&none, &a, hourOf(day), true))
	require.False(t, blocked(&none, &a, hourOf(day), false))
}

func TestStreamOfQuestions(t *testing.T) {
	at := day.Unix()
	ask := func(counts ...int) bool {
		var s stream
		for i, n := range append(counts, 1) {
			for range n {
				s.ask(at + int64(i))
			}
		}
		return s.even
	}
	require.True(t, ask(20, 20, 20, 20, 20, 20, 20, 20, 20, 20))
	require.True(t, ask(13, 21, 25, 18, 24, 19, 20, 22, 6), "by chance, cut at both ends")
	require.False(t, ask(60, 90, 15, 12, 11, 30, 14, 12, 10, 11), "a browser that opens many pages at once")
	require.False(t, ask(20, 20, 20, 20, 3, 20, 20, 20, 20), "with pauses")
	require.False(t, ask(200), "a burst")
	var port stream
	port.flow(&capture.FlowRecord{First: day, Last: day.Add(3 * time.Second), Lookups: 60})
	require.True(t, port.even)
	port = stream{}
	port.flow(&capture.FlowRecord{First: day, Last: day.Add(time.Minute), Lookups: 60})
	port.flow(&capture.FlowRecord{First: day, Last: day, Lookups: 2})
	require.False(t, port.even)
}
