package beacon

import (
	"math"
	"math/bits"
)

// HoursKept is how many hours Hours remembers: a week.
const HoursKept = 168

const hour = 3600 // seconds

// Hours remembers in which of the last 168 hours something happened. The zero value is empty.
type Hours struct {
	newest int64 // hour since 1970 of bit 0
	bits   [3]uint64
	any    bool
}

// HoursOf makes Hours of a bitmap whose bit 0 is the hour newest since 1970, bit 1 the hour before it, and so on.
func HoursOf(newest int64, bitmap [3]uint64) Hours {
	bitmap[2] &= 1<<(HoursKept-128) - 1
	return Hours{newest: newest, bits: bitmap, any: bitmap != [3]uint64{}}
}

// Newest gives the newest hour, since 1970, in which something happened; false where nothing ever did.
func (h *Hours) Newest() (n int64, any bool) { return h.newest, h.any }

// Bitmap gives the hours as HoursOf takes them.
func (h *Hours) Bitmap() [3]uint64 { return h.bits }

// Set marks the hour of at, seconds since 1970. One that is older than those kept is left out.
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

// Has says whether something happened in the hour n since 1970.
func (h *Hours) Has(n int64) bool {
	back := h.newest - n
	return h.any && n <= h.newest && back >= 0 && back < HoursKept && h.bits[back/64]&(1<<(back%64)) != 0
}

// Count says in how many of the hours kept something happened.
func (h *Hours) Count() int {
	return bits.OnesCount64(h.bits[0]) + bits.OnesCount64(h.bits[1]) + bits.OnesCount64(h.bits[2])
}

// Night says in how many of the hours kept between 02:00 and 05:00 something happened, for clocks that are offset
// seconds ahead of UTC.
func (h *Hours) Night(offset int64) int {
	n := 0
	for back := int64(0); back < HoursKept; back++ {
		of := mod(h.newest-back+floor(offset, hour), 24)
		if of >= 2 && of < 5 && h.Has(h.newest-back) {
			n++
		}
	}
	return n
}

// Clock says in how many of the hours kept something happened, and at how many of the day's 24.
func (h *Hours) Clock() (n, of int) {
	day := uint32(0)
	for back := range int64(HoursKept) {
		if h.Has(h.newest - back) {
			n++
			day |= 1 << mod(h.newest-back, 24)
		}
	}
	return n, bits.OnesCount32(day)
}

// Between says in how many hours after from and before to, seconds since 1970, something happened; both ends' own hours are
// left out.
func (h *Hours) Between(from, to int64) int { return h.within(floor(from, hour)+1, floor(to, hour)-1) }

// Back gives the hour since 1970 of the n-th newest in which something happened; of fewer, the earliest there is.
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

// within counts the hours from first to last, both of them too.
func (h *Hours) within(first, last int64) int {
	n := 0
	for at := max(first, h.newest-HoursKept+1); at <= min(last, h.newest); at++ {
		if h.Has(at) {
			n++
		}
	}
	return n
}

// silent says that there is an hour between the two times, seconds since 1970, in which nothing happened. Hours that
// are no longer kept are taken for busy.
func (h *Hours) silent(from, to int64) bool {
	for n := max(floor(from, hour)+1, h.newest-HoursKept+1); n < floor(to, hour) && n <= h.newest; n++ {
		if !h.Has(n) {
			return true
		}
	}
	return false
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
