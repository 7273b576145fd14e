package daemon

import (
	"time"

	"avbeacon/capture"
	"avbeacon/internal/store"
)

// longSecond is how much of the time since the last look counts as seen on a live tap: the source says once a second that
// it still listens, so that more is time in which the process stood still.
const longSecond = 5 * time.Second

// coverage tells the store what was seen since the last look.
type coverage struct {
	packets, bytes, drops uint64
	at                    time.Time     // packet clock; zero before the first packet
	began                 bool          // there were packets
	rest                  time.Duration // seen and not told yet: the store counts whole seconds
}

// add adds what came to the hours of the packet clock. Packets count for the hour of the look.
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
