package classify

import "avbeacon/capture"

// aheadMost is how many Observations Ahead looks at.
const aheadMost = 16

// Ahead reads the memory of the hosts that these Observations speak of, side by side, so that Observe need not wait for
// each. It changes nothing that can be seen.
func (c *Classifier) Ahead(list []capture.Observation) {
	list = list[:min(len(list), aheadMost)]
	var hosts [aheadMost]*host
	touched := int64(0)
	for i := range list {
		if obs := &list[i]; obs.Kind == capture.Contact && obs.Src.IsValid() {
			touched += c.hosts.byAddr.touch(obs.Src.Addr())
		}
	}
	for i := range list {
		if obs := &list[i]; obs.Kind == capture.Contact && obs.Src.IsValid() {
			hosts[i] = c.hosts.byAddr.get(obs.Src.Addr())
		}
	}
	for i := range list {
		if h := hosts[i]; h != nil {
			touched += h.newest + int64(h.addr.BitLen())
			if list[i].Transport == capture.UDP {
				touched += h.did.flowStream.second
			}
		}
	}
	c.touched = touched
}
