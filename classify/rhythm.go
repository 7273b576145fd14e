package classify

import "avbeacon/classify/beacon"

// rhythm says how regular a beat of the host is. It is judged anew where there was a start since, or an hour in which the
// host was active.
func (h *host) rhythm(b *beat) beacon.Result {
	nat := nattedBeside(&h.did)
	newest, _ := h.active.Newest()
	if b.judged && b.judgedFor == newest && (!nat || b.rhythm.Reason == beacon.Several) {
		return b.rhythm
	}
	b.rhythm = beacon.Judge(beacon.Timeline{Starts: b.starts, Earlier: b.earlier, Since: b.since, Active: &h.active,
		Lookups: !b.flows, TTL: b.ttl, NAT: nat})
	b.judged, b.judgedFor = true, newest
	return b.rhythm
}

// clearBeat is the score from which a beat shows one machine.
const clearBeat = 0.8

// countPhases notes how many machines the beats show as they stand. A clear beat takes back what was seen before.
func (h *host) countPhases() {
	if nattedBeside(&h.did) {
		return
	}
	most, clear := 0, false
	for _, t := range h.tracks {
		for i := range t.beats {
			r := &t.beats[i].rhythm
			clear = clear || t.beats[i].judged && r.Scored && r.Score >= clearBeat
			if t.beats[i].judged && r.Reason == beacon.Several {
				most = max(most, r.Machines)
			}
		}
	}
	if most > 0 || clear {
		h.did.phases = uint8(min(most, 255))
	}
}
