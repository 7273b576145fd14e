package classify

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Point is a place on the globe, in degrees: north and east are positive.
type Point struct{ Lat, Lon float64 }

// Valid reports whether there is such a point.
func (p Point) Valid() bool {
	return math.Abs(p.Lat) <= 90 && math.Abs(p.Lon) <= 180 // false for NaN
}

// leastRTT is the shortest round trip that is believed. Less than that is no way across a network: it is a clock that ticks
// in coarser steps, or an answer made where the tap is.
const leastRTT = 50 * time.Microsecond

// maxReach bounds the addresses whose shortest round trip is remembered; those that come later are not.
const maxReach = 1 << 16

// reach remembers the shortest SYN to SYN-ACK time of each destination, whichever host called it. That time bounds the
// distance from the tap to what answered, wherever the tap is between client and server.
type reach map[netip.Addr]time.Duration

// note takes one completed handshake into account.
func (r reach) note(a netip.Addr, rtt time.Duration) {
	least, known := r[a]
	if rtt < leastRTT || known && least <= rtt || !known && len(r) >= maxReach {
		return
	}
	r[a] = rtt
}

// noteReach takes a flow's round trip into account. A proxy answers in the server's place, so that its time says nothing of
// the server; and so may a firewall that then refuses, which is why a flow that failed does not count.
func (c *Classifier) noteReach(server netip.Addr, rtt time.Duration, f *flow, ok bool) {
	if c.opt.SensorAt != nil && ok && !f.proxy && rtt > 0 {
		c.reach.note(server, rtt)
	}
}

// placed gives where a destination is, as far as round trips do not refute it.
func (c *Classifier) placed(d *Destination) Place {
	p := c.opt.Locate(d.Address)
	if at := c.opt.SensorAt; at != nil && !d.Proxy {
		p = p.Refute(c.reach[d.Address], at.Lat, at.Lon)
	}
	return p
}

// refutedReason says in one sentence that destinations are not where the databases say; "" where none is refuted.
func refutedReason(list []Destination) string {
	var n int
	var least *Destination
	for i := range list {
		if d := &list[i]; d.Place.Refuted != nil {
			n++
			if least == nil || d.Place.Refuted.RTT < least.Place.Refuted.RTT {
				least = d
			}
		}
	}
	if n == 0 {
		return ""
	}
	r := least.Place.Refuted
	return fmt.Sprintf("%d of %d destinations cannot be where the databases say: what answered as %s did so in %.1f ms and is within %.0f km of the sensor, "+
		"unless a proxy or middlebox near the sensor answered in its place.", n, len(list), least.Address, float64(r.RTT)/float64(time.Millisecond), r.MaxKM)
}
