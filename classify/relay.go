package classify

import "time"

// relay pairs the flows that a host takes from inside the site with those that it opens to the outside: a proxy that says
// nothing of itself opens one upstream flow for each client's, at once.
type relay struct {
	in, out     starts
	taken, made uint32 // flows from inside, flows to the outside
	paired      uint32
}

// starts keeps when the newest flows without a partner began, in nanoseconds since 1970. 0 is an empty place.
type starts struct {
	at   [16]int64
	next uint8
}

func (s *starts) put(at int64) {
	s.at[s.next] = at
	s.next = (s.next + 1) % uint8(len(s.at))
}

// take takes out the start that is nearest to at, between from and to; false where there is none.
func (s *starts) take(from, to, at int64) bool {
	best := -1
	for i, x := range s.at {
		if x != 0 && x >= from && x <= to && (best < 0 || abs(x-at) < abs(s.at[best]-at)) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	s.at[best] = 0
	return true
}

// What makes a proxy by its flows alone: how soon the upstream flow follows the client's, how many pairs there are, and
// which shares of both sides they are at least. An upstream flow may seem to begin a little before, as clocks of two taps do.
const (
	relayDelay = int64(time.Second)
	relayEarly = int64(20 * time.Millisecond)
	leastPairs = 8
)

func (r *relay) takes(at int64) {
	r.taken++
	if r.out.take(at-relayEarly, at+relayDelay, at) {
		r.paired++
		return
	}
	r.in.put(at)
}

func (r *relay) opens(at int64) {
	r.made++
	if r.in.take(at-relayDelay, at+relayEarly, at) {
		r.paired++
		return
	}
	r.out.put(at)
}

// proxies says that most of what comes in goes out again, and little else does. nil is a host without flows of both sorts.
func (r *relay) proxies() bool {
	return r != nil && r.paired >= leastPairs && 4*r.paired >= 3*r.taken && 2*r.paired >= r.made
}

// noteRelay takes a flow that the host took from inside the site, or opened to the outside.
func (d *habits) noteRelay(takes bool, at time.Time) {
	if d.relay == nil {
		if d.accepted == 0 || d.opened == 0 {
			return
		}
		d.relay = &relay{}
	}
	if takes {
		d.relay.takes(at.UnixNano())
		return
	}
	d.relay.opens(at.UnixNano())
}
