package hosts

import (
	"encoding/binary"
	"time"
)

// recent knows which pairs of hardware address and address were looked at within the same ten minutes, while nothing new
// was learnt: another flow of no concern between the same machines tells nothing more. It forgets at any time.
type recent struct {
	sets    []recentSet
	changes uint64 // of what is known of addresses and devices
}

// recentSet is the pairs with one hash, the newest first: a line of the cache.
type recentSet [8]uint64

// recentSets is how many sets there are, in 512 KiB: room for the machines of a large site.
const recentSets = 1 << 13

func newRecent() recent { return recent{sets: make([]recentSet, recentSets)} }

// change makes every pair new again.
func (r *recent) change() { r.changes++ }

// known says whether the pair was there, and puts it in.
func (r *recent) known(mac uint64, p *place, vlan uint16, at int64) bool {
	v := r.hash(mac, p, vlan, at)
	set := r.set(v)
	for i := range set {
		if set[i] == v {
			return true
		}
	}
	copy(set[1:], set[:])
	set[0] = v
	return false
}

func (r *recent) set(hash uint64) *recentSet { return &r.sets[hash>>32%recentSets] }

func (r *recent) hash(mac uint64, p *place, vlan uint16, at int64) uint64 {
	v := (mac ^ uint64(vlan)<<48 ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>29 ^ binary.LittleEndian.Uint64(p[:8])) * 0x94d049bb133111eb
	v = (v ^ v>>31 ^ binary.LittleEndian.Uint64(p[8:])) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>32 ^ uint64(at/int64(10*time.Minute))) * 0x94d049bb133111eb
	return v ^ r.changes
}
