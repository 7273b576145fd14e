package hosts

// sample is how many entries eviction looks at.
const sample = 32

// ring is a bounded map that can be walked in an order which depends on nothing but what was put in and taken out, so that
// two runs over the same packets remember the same, beyond the limit too. The order of a map of Go's is another each time.
type ring[K comparable, V any] struct {
	entries map[K]V
	keys    []K
	hand    int
}

func newRing[K comparable, V any]() ring[K, V] { return ring[K, V]{entries: map[K]V{}} }

// get gives an entry, the zero value where there is none.
func (r *ring[K, V]) get(k K) V { return r.entries[k] }

func (r *ring[K, V]) len() int { return len(r.keys) }

// add puts an entry in that is not there yet. Where most are there already, the longest unseen of those next in turn goes.
// It says how many went.
func (r *ring[K, V]) add(k K, v V, most int, last func(V) int64) (evicted uint64) {
	if len(r.keys) >= most {
		r.evict(last)
		evicted++
	}
	r.keys = append(r.keys, k)
	r.entries[k] = v
	return evicted
}

// evict takes out the longest unseen of a sample; of several, the first in turn.
func (r *ring[K, V]) evict(last func(V) int64) {
	worst, when := -1, int64(0)
	for range min(sample, len(r.keys)) {
		r.hand = (r.hand + 1) % len(r.keys)
		if at := last(r.entries[r.keys[r.hand]]); worst < 0 || at < when {
			worst, when = r.hand, at
		}
	}
	end := len(r.keys) - 1
	delete(r.entries, r.keys[worst])
	r.keys[worst] = r.keys[end]
	r.keys = r.keys[:end]
}
