package classify

import "avbeacon/internal/beacon"

// rhythm says how regular a beat of the host is. It is judged anew where there was a start since, or an hour in which the
// host was active.
func (h *host) rhythm(b *beat) beacon.Result {
	nat := natted(&h.did)
	if b.judged && b.judgedFor == h.active.last && (!nat || b.rhythm.Reason == beacon.Several) {
		return b.rhythm
	}
	active := beacon.HoursOf(h.active.last, h.active.bits)
	b.rhythm = beacon.Judge(beacon.Timeline{Starts: b.starts, Earlier: b.earlier, Since: b.since, Active: &active,
		Lookups: !b.flows, TTL: b.ttl, NAT: nat})
	b.judged, b.judgedFor = true, h.active.last
	return b.rhythm
}
