package daemon

import (
	"time"

	"avbeacon/capture"
	"avbeacon/internal/store"
)

// longSecond is the most time since the last call that counts as watched on a live tap. The source reports once a second
// that it still listens, so in a longer gap the process was not running.
const longSecond = 5 * time.Second

// coverage reports to the store what was seen since the last call.
type coverage struct {
	packets, bytes, drops uint64
	at                    time.Time     // packet clock; zero before the first packet
	began                 bool          // there were packets
	rest                  time.Duration // seen and not yet reported: the store counts whole seconds
}

// add adds packets and time watched to the hours of the packet clock. Packets count for the hour in which add is called.
func (c *coverage) add(s *store.Store, now time.Time, inputs []capture.Input, live bool) {
	if now.IsZero() {
		return
	}
	var packets, bytes, drops uint64
	for i := range inputs {
		packets += inputs[i].Packets
		bytes += inputs[i].Bytes
		drops += inputs[i].Drops
		if at := time.Unix(0, inputs[i].First); inputs[i].Packets > 0 && !c.began && (c.at.IsZero() || at.Before(c.at)) {
			c.at = at
		}
	}
	c.began = packets > 0
	// One piece for each hour that the time since the last call touches: a source that was silent may have skipped several.
	for from := c.at; !from.IsZero() && from.Before(now); {
		to := from.Truncate(time.Hour).Add(time.Hour)
		if to.After(now) {
			to = now
		}
		if !live || now.Sub(c.at) <= longSecond {
			c.rest += to.Sub(from)
			seen := c.rest.Truncate(time.Second)
			s.AddCoverage(from, store.Coverage{Seen: seen})
			c.rest -= seen
		}
		from = to
	}
	s.AddCoverage(now, store.Coverage{Packets: packets - c.packets, Bytes: bytes - c.bytes, KernelDrops: drops - c.drops})
	c.packets, c.bytes, c.drops, c.at = packets, bytes, drops, now
}
