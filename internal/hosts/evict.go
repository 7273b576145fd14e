package hosts

// sample is how many entries eviction looks at.
const sample = 32

// evict takes the longest unseen of a sample out of a map. Which entries are looked at is up to the map, so that beyond
// the limit two runs may remember different ones.
func evict[K comparable, V any](m map[K]V, last func(V) int64) {
	var worst K
	var when int64
	n := 0
	for k, v := range m {
		if at := last(v); n == 0 || at < when {
			worst, when = k, at
		}
		if n++; n >= sample {
			break
		}
	}
	delete(m, worst)
}
