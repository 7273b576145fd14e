package classify

import "avbeacon/capture"

// aheadMost is how many Observations Ahead looks at.
const aheadMost = 16

// Ahead reads the memory of the hosts that these Observations speak of, side by side, so that Observe need not wait for
// each. It changes nothing that can be seen.
func (c *Classifier) Ahead(list []capture.Observation) {
	list = list[:min(len(list), aheadMost)]
	x := &c.hosts.byAddr
	var homes [aheadMost]uint64
	var taken [aheadMost]bool
	for i := range list { // nothing here may branch on what is fetched: a wrong guess would wait for it
		if obs := &list[i]; obs.Kind == capture.Contact && obs.Src.IsValid() {
			homes[i] = x.home(obs.Src.Addr())
			taken[i] = x.slots[homes[i]].host != nil
		}
	}
	var hosts [aheadMost]*host
	for i := range list {
		if taken[i] {
			hosts[i] = x.slots[x.findFrom(homes[i], list[i].Src.Addr())].host
		}
	}
	touched := int64(0)
	for i := range list {
		if h := hosts[i]; h != nil {
			hour, _ := h.active.Newest()
			touched += hour + h.newest
			if list[i].Transport == capture.UDP {
				touched += h.did.flowStream.second
			}
		}
	}
	c.touched = touched
}
