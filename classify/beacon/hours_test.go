package beacon

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHours(t *testing.T) {
	var h Hours
	_, any := h.Newest()
	require.False(t, any)
	for i := range int64(300) {
		h.Set(monday + i*hour)
	}
	require.Equal(t, HoursKept, h.Count())
	n, of := h.Clock()
	require.Equal(t, []int{HoursKept, 24}, []int{n, of})
	h = Hours{}
	h.Set(monday)
	h.Set(monday + 70*hour)
	h.Set(monday + 10*hour) // late
	require.Equal(t, 3, h.Count())
	n, of = h.Clock()
	require.Equal(t, []int{3, 3}, []int{n, of})
	require.Equal(t, 1, h.Between(monday, monday+70*hour))
	newest, _ := h.Newest()
	require.Equal(t, h, HoursOf(newest, h.Bitmap()))
	h.Set(monday + 1000*hour)
	require.Equal(t, 1, h.Count())
	h.Set(monday) // too old
	require.Equal(t, 1, h.Count())
	h = Hours{}
	h.Set(-10)
	h.Set(10)
	require.Equal(t, 2, h.Count())
}

func TestHoursBack(t *testing.T) {
	var h Hours
	require.Equal(t, int64(math.MinInt64), h.Back(1))
	for i := range int64(30) {
		h.Set(monday + 2*i*hour)
	}
	require.Equal(t, monday/hour+58, h.Back(1))
	require.Equal(t, monday/hour+12, h.Back(24))
	require.Equal(t, int64(math.MinInt64), h.Back(31))
}
