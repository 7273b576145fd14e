package capture

import (
	"cmp"
	"slices"
)

// due is a flow whose time has come.
type due struct {
	first uint64 // its first frame: input in the upper 16 bits
	shard uint32
	entry uint32
}

const (
	digitBits = 11
	digits    = 1 << digitBits
)

// sortDues sorts by first, using spare (which may grow) as room; it returns both. Many flows end at once at a capture's end,
// where sorting them digit by digit, the lowest first, costs a quarter of comparing them.
func sortDues(list, spare []due) (sorted, room []due) {
	if len(list) < 2*digits {
		slices.SortFunc(list, func(a, b due) int { return cmp.Compare(a.first, b.first) })
		return list, spare
	}
	if cap(spare) < len(list) {
		spare = make([]due, len(list))
	}
	spare = spare[:len(list)]
	low, high := list[0].first, list[0].first
	for i := range list {
		low, high = min(low, list[i].first), max(high, list[i].first)
	}
	for shift := 0; shift < 64 && (high-low)>>shift > 0; shift += digitBits {
		var at [digits]int
		for i := range list {
			at[(list[i].first-low)>>shift%digits]++
		}
		sum := 0
		for d, n := range at {
			at[d] = sum
			sum += n
		}
		for i := range list {
			d := (list[i].first - low) >> shift % digits
			spare[at[d]] = list[i]
			at[d]++
		}
		list, spare = spare, list
	}
	return list, spare
}
