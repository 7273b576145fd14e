package beacon

import (
	"math"
	"math/bits"
)

// HoursKept is how many hours Hours remembers: a week.
const HoursKept = 168

const hour = 3600 // seconds

// Hours is a bitmap of the hours in which something happened, over the 168 up to the newest. The zero value is empty.
type Hours struct {
	newest int64 // hour since 1970 of bit 0
	bits   [3]uint64
	any    bool
}

// HoursOf makes Hours of a bitmap: bit 0 is the hour newest (since 1970), bit 1 the hour before it, and so on.
func HoursOf(newest int64, bitmap [3]uint64) Hours {
	bitmap[2] &= 1<<(HoursKept-128) - 1
	return Hours{newest: newest, bits: bitmap, any: bitmap != [3]uint64{}}
}

// Newest returns the newest hour, since 1970, in which something happened; false if nothing ever did.
func (h *Hours) Newest() (n int64, any bool) { return h.newest, h.any }

// Bitmap returns the hours as HoursOf takes them.
func (h *Hours) Bitmap() [3]uint64 { return h.bits }

// Set marks the hour of at, seconds since 1970. An hour older than those kept is ignored.
func (h *Hours) Set(at int64) {
	n := floor(at, hour)
	if !h.any {
		*h = Hours{newest: n, any: true}
	}
	if n > h.newest {
		h.shift(n - h.newest)
		h.newest = n
	}
	if back := h.newest - n; back < HoursKept {
		h.bits[back/64] |= 1 << (back % 64)
	}
}

func (h *Hours) shift(n int64) {
	if n < 0 || n >= HoursKept {
		h.bits = [3]uint64{}
		return
	}
	for ; n >= 64; n -= 64 {
		h.bits = [3]uint64{0, h.bits[0], h.bits[1]}
	}
	if n > 0 {
		h.bits[2] = h.bits[2]<<n | h.bits[1]>>(64-n)
		h.bits[1] = h.bits[1]<<n | h.bits[0]>>(64-n)
		h.bits[0] <<= n
	}
	h.bits[2] &= 1<<(HoursKept-128) - 1
}

// Has reports whether something happened in hour n since 1970.
func (h *Hours) Has(n int64) bool {
	back := h.newest - n
	return h.any && n <= h.newest && back >= 0 && back < HoursKept && h.bits[back/64]&(1<<(back%64)) != 0
}

// Count returns in how many of the hours kept something happened.
func (h *Hours) Count() int {
	return bits.OnesCount64(h.bits[0]) + bits.OnesCount64(h.bits[1]) + bits.OnesCount64(h.bits[2])
}

// night returns in how many of the hours kept between 02:00 and 05:00 UTC something happened.
func (h *Hours) night() int {
	n := 0
	for back := int64(0); back < HoursKept; back++ {
		of := ofDay(h.newest - back)
		if of >= 2 && of < 5 && h.Has(h.newest-back) {
			n++
		}
	}
	return n
}

// Clock returns in how many of the hours kept something happened, and at how many of the day's 24.
func (h *Hours) Clock() (n, of int) {
	day := uint32(0)
	for back := range int64(HoursKept) {
		if h.Has(h.newest - back) {
			n++
			day |= 1 << ofDay(h.newest-back)
		}
	}
	return n, bits.OnesCount32(day)
}

// Between returns in how many hours between from and to, seconds since 1970, something happened, without the hours of from and
// to.
func (h *Hours) Between(from, to int64) int { return h.within(floor(from, hour)+1, floor(to, hour)-1) }

// Back returns the n-th newest hour, since 1970, in which something happened; the earliest possible if there are fewer.
func (h *Hours) Back(n int) int64 {
	if n > h.Count() {
		return math.MinInt64
	}
	for back := range int64(HoursKept) {
		if h.Has(h.newest - back) {
			if n--; n <= 0 {
				return h.newest - back
			}
		}
	}
	return math.MinInt64
}

// within counts the hours from first to last, both included.
func (h *Hours) within(first, last int64) int {
	n := 0
	for at := max(first, h.newest-HoursKept+1); at <= min(last, h.newest); at++ {
		if h.Has(at) {
			n++
		}
	}
	return n
}

// silent reports whether there is an hour between two times, seconds since 1970, in which nothing happened. Hours that are no
// longer kept count as busy.
func (h *Hours) silent(from, to int64) bool {
	for n := max(floor(from, hour)+1, h.newest-HoursKept+1); n < floor(to, hour) && n <= h.newest; n++ {
		if !h.Has(n) {
			return true
		}
	}
	return false
}

// ofDay is the hour of the day, UTC.
func ofDay(hour int64) int64 { return ((hour % 24) + 24) % 24 }

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
