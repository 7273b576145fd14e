package classify

import "avbeacon/capture"

// aheadMost is how many Observations Ahead looks at.
const aheadMost = 16

// Ahead reads the memory of the hosts that these Observations speak of, side by side, so that Observe need not wait for
// each. It changes nothing that can be seen.
func (c *Classifier) Ahead(list []capture.Observation) {
	list = list[:min(len(list), aheadMost)]
	var hosts [aheadMost]*host
	var taken [aheadMost]bool
	for i := range list { // nothing here may branch on what is fetched: a wrong guess would wait for it
		if obs := &list[i]; obs.Kind == capture.Contact && obs.Src.IsValid() {
			taken[i] = c.hosts.byAddr.taken(obs.Src.Addr())
		}
	}
	for i := range list {
		if taken[i] {
			hosts[i] = c.hosts.byAddr.get(list[i].Src.Addr())
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
