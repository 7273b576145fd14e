package classify

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHours(t *testing.T) {
	var h hours
	for i := range 300 {
		h.set(day.Add(time.Duration(i) * time.Hour))
	}
	require.Equal(t, hoursKept, h.count())
	n, of := h.clock()
	require.Equal(t, []int{hoursKept, 24}, []int{n, of})
	h = hours{}
	h.set(day)
	h.set(day.Add(70 * time.Hour))
	h.set(day.Add(10 * time.Hour)) // late
	require.Equal(t, 3, h.count())
	n, of = h.clock()
	require.Equal(t, []int{3, 3}, []int{n, of})
	require.Equal(t, 1, h.between(day, day.Add(70*time.Hour)))
	h.set(day.Add(1000 * time.Hour))
	require.Equal(t, 1, h.count())
	h.set(day) // too old
	require.Equal(t, 1, h.count())
}

func TestHoursBefore1970(t *testing.T) {
	var h hours
	h.set(time.Unix(-10, 0))
	h.set(time.Unix(10, 0))
	require.Equal(t, 2, h.count())
}

func TestHoursBack(t *testing.T) {
	var h hours
	require.Equal(t, int64(math.MinInt64), h.back(1))
	for i := range 30 {
		h.set(day.Add(time.Duration(2*i) * time.Hour))
	}
	require.Equal(t, hourOf(day)+58, h.back(1))
	require.Equal(t, hourOf(day)+12, h.back(24))
	require.Equal(t, int64(math.MinInt64), h.back(31))
}

func TestAttempts(t *testing.T) {
	var a, none attempts
	first := hourOf(day)
	a.add(day, true)
	for i := 1; i <= 23; i++ {
		a.add(day.Add(time.Duration(i)*time.Hour), false)
	}
	require.False(t, blocked(&a, &none, first), "one of the last 24 hours had a success")
	require.True(t, blocked(&a, &none, first+1), "the success is older than the last active hours")
	a.add(day.Add(30*time.Hour), false)
	require.True(t, blocked(&a, &none, first))
	a.add(day, true) // older than those kept
	require.True(t, blocked(&a, &none, first))
	a.add(day.Add(3*time.Hour), true) // late, but kept
	require.False(t, blocked(&a, &none, first))
	var few attempts
	few.add(day, false)
	few.add(day, false)
	require.False(t, blocked(&few, &none, first))
	few.add(day, false)
	require.True(t, blocked(&few, &none, first))
	require.True(t, blocked(&few, &none, first+100), "failures count however long ago they were")
	require.True(t, blocked(&none, &few, first), "look-ups alone, all refused")
	few.add(day, true)
	require.False(t, blocked(&none, &few, first), "some were answered")
	few.add(day.Add(time.Hour), false)
	require.False(t, blocked(&few, &none, first+1), "those before the success do not count")
}
