package beacon

// RingSize is how many session starts a State holds: a week of an update every two hours.
const RingSize = 96

// Gap is how close, in seconds, two starts are one session.
const Gap = 30

// maxTime keeps differences of times in an int64; other times are taken for the nearest one within.
const maxTime = 1 << 50

// Sessions merges starts, seconds since 1970 in order, into sessions: a start less than Gap after the one before it
// belongs to that one's session. It gives each session's first start.
func Sessions(starts []int64) []int64 { return merged(make([]int64, 0, len(starts)), starts, Gap) }

// merged appends to dst the starts that come gap or more after the one before.
func merged(dst, starts []int64, gap int64) []int64 {
	for i, at := range starts {
		if i == 0 || at-starts[i-1] >= gap {
			dst = append(dst, at)
		}
	}
	return dst
}

// State is what is remembered of one host and destination, or one host, vendor and role. The zero value is empty. It
// has no pointers, so that millions of them cost a garbage collector nothing.
type State struct {
	base   int64 // seconds since 1970 that ring counts from
	first  int64 // first start of all
	last   int64 // newest start, merged or not
	bytes  uint64
	starts uint64 // connections
	hours  Hours  // with contact
	failed uint32 // of starts
	gone   uint32 // sessions that the ring no longer holds, or did not take because they came too late
	oldest uint8  // where the ring begins
	n      uint8
	ring   [RingSize]uint32 // seconds after base, in order from oldest on
}

// Add notes a connection that opened at a time, seconds since 1970, sent bytes, and came about or not. One that comes
// late is put in its place; if it is older than all of a full ring, it is only counted.
func (s *State) Add(at int64, bytes uint64, ok bool) {
	at = min(max(at, -maxTime), maxTime)
	s.starts++
	s.bytes += bytes
	if !ok {
		s.failed++
	}
	s.hours.Set(at)
	switch {
	case s.starts == 1:
		s.base, s.first, s.last = at, at, at
		s.push(at)
	case at < s.last:
		s.first = min(s.first, at)
		s.late(at)
	case at-s.last < Gap && at-s.last >= 0:
		s.last = at
	default:
		s.last = at
		s.push(at)
	}
}

// push appends a start to the ring.
func (s *State) push(at int64) {
	if s.n == RingSize {
		s.oldest = (s.oldest + 1) % RingSize
		s.n--
		s.gone++
	}
	if at-s.base > 1<<32-1 || at < s.base {
		s.rebase(at)
	}
	s.ring[(int(s.oldest)+int(s.n))%RingSize] = uint32(at - s.base)
	s.n++
}

// rebase counts the ring from its oldest start, or from at and throws the ring away where that is too far off.
func (s *State) rebase(at int64) {
	var kept [RingSize]int64
	list := s.Starts(kept[:0])
	if len(list) == 0 || at-list[0] > 1<<32-1 || at < list[0] {
		s.gone += uint32(s.n)
		s.base, s.n, s.oldest = at, 0, 0
		return
	}
	s.put(list, list[0])
}

// put fills the ring anew.
func (s *State) put(list []int64, base int64) {
	s.base, s.oldest, s.n = base, 0, uint8(len(list))
	for i, at := range list {
		s.ring[i] = uint32(at - base)
	}
}

// late inserts a start that comes out of order, unless it belongs to a session that is there.
func (s *State) late(at int64) {
	var kept [RingSize + 1]int64
	list := s.Starts(kept[:0])
	i := len(list)
	for i > 0 && list[i-1] > at {
		i--
	}
	if i == len(list) || i > 0 && at-list[i-1] < Gap || list[i]-at < Gap {
		return // after the newest session's first start and before its last is within it
	}
	if len(list) == RingSize && i == 0 || list[len(list)-1]-at > 1<<32-1 {
		s.gone++
		return
	}
	list = append(list, 0)
	copy(list[i+1:], list[i:])
	list[i] = at
	if len(list) > RingSize {
		list = list[1:]
		s.gone++
	}
	s.put(list, list[0])
}

// Starts appends the session starts that the ring holds to dst, oldest first, in seconds since 1970.
func (s *State) Starts(dst []int64) []int64 {
	for i := range int(s.n) {
		dst = append(dst, s.base+int64(s.ring[(int(s.oldest)+i)%RingSize]))
	}
	return dst
}

// Sessions says how many sessions there were in all.
func (s *State) Sessions() int { return int(s.n) + int(s.gone) }

// Connections, Failed and Bytes are counts over everything that was added.
func (s *State) Connections() uint64 { return s.starts }

// Failed counts connections that did not come about.
func (s *State) Failed() uint32 { return s.failed }

// Bytes is what was sent.
func (s *State) Bytes() uint64 { return s.bytes }

// Timeline gives what Judge asks for, all but the signs that others know. It keeps nothing of dst.
func (s *State) Timeline(dst []int64, active *Hours) Timeline {
	return Timeline{Starts: s.Starts(dst), Earlier: int(s.gone), Since: s.first, Contact: &s.hours, Active: active}
}

// Score judges the state as flows, with what is known of when the host was active; nil where nothing is.
func (s *State) Score(active *Hours) Result {
	var kept [RingSize]int64
	return Judge(s.Timeline(kept[:0], active))
}
