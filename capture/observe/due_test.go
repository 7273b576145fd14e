package observe

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSortDues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var spare []ending
	for _, n := range []int{0, 1, 2, 100, 2*digits - 1, 2 * digits, 30_000} {
		for _, most := range []uint64{1, 1000, 1 << 22, 1 << 50} {
			list := make([]ending, n)
			for i := range list {
				list[i] = ending{first: r.Uint64N(most), entry: uint32(i)}
			}
			want := slices.Clone(list)
			slices.SortStableFunc(want, func(a, b ending) int { return int(int64(a.first) - int64(b.first)) })
			list, spare = sortDues(list, spare)
			require.Len(t, list, n)
			for i := range list {
				require.Equal(t, want[i].first, list[i].first)
			}
			slices.SortFunc(list, func(a, b ending) int { return int(a.entry) - int(b.entry) })
			for i := range list {
				require.EqualValues(t, i, list[i].entry, "each once")
			}
		}
	}
}
