package observe

import (
	"cmp"
	"slices"

	"avbeacon/capture/flow"
)

// ending is a flow that is about to end.
type ending struct {
	first uint64 // its first frame: input in the upper 16 bits
	shard uint32
	entry uint32
}

const (
	digitBits = 11
	digits    = 1 << digitBits
)

// sortDues sorts by first, using spare (which may grow) as room, and returns both. At a capture's end very many flows end
// at once; there a radix sort, lowest digit first, costs a quarter of a comparison sort.
func sortDues(list, spare []ending) (sorted, room []ending) {
	if len(list) < 2*digits {
		slices.SortFunc(list, func(a, b ending) int { return cmp.Compare(a.first, b.first) })
		return list, spare
	}
	if cap(spare) < len(list) {
		spare = make([]ending, len(list))
	}
	spare = spare[:len(list)]
	low, high := list[0].first, list[0].first
	for i := range list {
		low, high = min(low, list[i].first), max(high, list[i].first)
	}
	// Each round sorts by one digit and keeps the order of the rounds before among equals. Digits that are the same in all
	// keys need no round: the keys are taken relative to the lowest.
	for shift := 0; shift < 64 && (high-low)>>shift > 0; shift += digitBits {
		var at [digits]int // first the number of keys by digit, then where the next one goes
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

// sweep ends the flows of the shards due that have been idle too long at time now, or all of them, in the order of their
// first frames. That order does not depend on how flows are spread over workers.
func (o *observer) sweep(now int64, due shardSet, all bool, at uint64) {
	o.dues = o.dues[:0]
	if all {
		o.dues = slices.Grow(o.dues, o.remembered())
	}
	for n, s := range o.shards {
		if s == nil || due&(1<<n) == 0 {
			continue
		}
		s.table.Each(func(i uint32, e *flow.Entry) {
			if all || now-e.Last > int64(idle(e)) {
				o.dues = append(o.dues, ending{uint64(e.FirstInput)<<48 | e.FirstFrame&(1<<48-1), uint32(n), i})
			}
		})
	}
	o.dues, o.spare = sortDues(o.dues, o.spare)
	for i, x := range o.dues {
		if i%groupSize == 0 { // fetch the memory of the next ones in parallel
			for _, y := range o.dues[i:min(i+groupSize, len(o.dues))] {
				o.touched += o.shards[y.shard].table.WarmAll(y.entry)
			}
		}
		o.key = order{at: at, flow: x.first}
		s := o.shards[x.shard]
		o.conclude(s, x.entry, s.table.Entry(x.entry))
		if !all {
			s.table.Remove(x.entry)
		}
	}
	if all {
		for _, s := range o.shards {
			if s != nil {
				s.table.Clear()
			}
		}
	}
}

// remembered is the number of flows in all shards.
func (o *observer) remembered() (n int) {
	for _, s := range o.shards {
		if s != nil {
			n += s.table.Len()
		}
	}
	return n
}
