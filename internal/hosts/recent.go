package hosts

import (
	"encoding/binary"
	"time"
)

// recent knows which pairs of hardware address and address were looked at within the same ten minutes, while nothing new
// was learnt: another flow of no concern between the same machines tells nothing more. It forgets at any time.
type recent struct {
	pairs   []uint64
	changes uint64 // of what is known of addresses and devices
}

const recentPairs = 1 << 14

func newRecent() recent { return recent{pairs: make([]uint64, recentPairs)} }

// change makes every pair new again.
func (r *recent) change() { r.changes++ }

// known says whether the pair was there, and puts it in.
func (r *recent) known(mac uint64, p *place, vlan uint16, at int64) bool {
	v := (mac ^ uint64(vlan)<<48 ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>29 ^ binary.LittleEndian.Uint64(p[:8])) * 0x94d049bb133111eb
	v = (v ^ v>>31 ^ binary.LittleEndian.Uint64(p[8:])) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>32 ^ uint64(at/int64(10*time.Minute))) * 0x94d049bb133111eb
	v ^= r.changes
	slot := &r.pairs[v>>40%recentPairs]
	if *slot == v {
		return true
	}
	*slot = v
	return false
}
