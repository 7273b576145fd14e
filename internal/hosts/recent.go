package hosts

import (
	"net/netip"
	"time"

	"avbeacon/capture"
)

// recent caches which pairs of MAC address and address were checked within the same ten minutes, since when nothing new was learned,
// and whether the MAC address was a router's: another plain flow record of the same pair adds nothing. It may forget at any time.
// Addresses with a known machine are not in it. It earns about 10 % of the CPU time of analyze on short flows, over two lookups in Go's
// maps, because Ahead can fetch its sets before they are needed.
type recent struct {
	sets    []recentSet
	changes uint64 // of what is known of addresses and devices
	touched uint64 // what Ahead read, so that it is not optimised away
}

// recentSet is the pairs with one hash, the newest first: a line of the cache.
type recentSet [8]uint64

// recentSets is how many sets there are, in 512 KiB: room for the machines of a large site.
const recentSets = 1 << 13

func newRecent() recent { return recent{sets: make([]recentSet, recentSets)} }

// change invalidates every pair.
func (r *recent) change() { r.changes++ }

// look reports whether a pair is there, and whether its MAC address was a router's. pair is what hash gave.
func (r *recent) look(pair uint64) (router, ok bool) {
	set := r.set(pair)
	for i := range set {
		if set[i]&^1 == pair {
			return set[i]&1 != 0, true
		}
	}
	return false, false
}

// note adds a pair.
func (r *recent) note(pair uint64, router bool) {
	if router {
		pair |= 1
	}
	set := r.set(pair)
	copy(set[1:], set[:])
	set[0] = pair
}

func (r *recent) set(hash uint64) *recentSet { return &r.sets[hash>>32%recentSets] }

// hash makes a pair and the ten minutes one even number.
func (r *recent) hash(mac uint64, a netip.Addr, vlan uint16, at int64) uint64 {
	first, second := capture.AddrWords(a)
	v := (mac ^ uint64(vlan)<<48 ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>29 ^ first) * 0x94d049bb133111eb
	v = (v ^ v>>31 ^ second) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>32 ^ uint64(at/int64(10*time.Minute))) * 0x94d049bb133111eb
	return (v ^ r.changes<<1) &^ 1
}

// Ahead fetches what Stamp will need for these Observations into the cache, in parallel. It has no other effect.
func (h *Hosts) Ahead(list []capture.Observation) {
	touched := uint64(0)
	for i := range list {
		obs := &list[i]
		if who := &obs.Host; obs.Marks&capture.Plain != 0 && obs.Kind == capture.Contact && who.Addr.IsValid() {
			touched += h.recent.set(h.recent.hash(macOf(who), who.Addr, who.VLAN, obs.Time.UnixNano()))[0]
		}
	}
	h.recent.touched = touched
}

// sample is how many entries eviction looks at.
const sample = 32

// ring is a bounded map with an order that depends only on what was added and removed, so that two runs over the same packets evict
// the same entries. The order of Go's maps changes from run to run.
type ring[K comparable, V any] struct {
	entries map[K]V
	keys    []K
	hand    int
}

func newRing[K comparable, V any]() ring[K, V] { return ring[K, V]{entries: map[K]V{}} }

// get returns an entry, the zero value if there is none.
func (r *ring[K, V]) get(k K) V { return r.entries[k] }

func (r *ring[K, V]) len() int { return len(r.keys) }

// add adds a new entry. If there are most already, the longest unseen of a sample goes. It returns how many were evicted.
func (r *ring[K, V]) add(k K, v V, most int, last func(V) int64) (evicted uint64) {
	if len(r.keys) >= most {
		r.evict(last)
		evicted++
	}
	r.keys = append(r.keys, k)
	r.entries[k] = v
	return evicted
}

// evict removes the longest unseen of the next entries in turn; of several, the first.
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
