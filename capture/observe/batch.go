package observe

import (
	"net/netip"

	"avbeacon/capture"
)

// batch is a run of Observations, with the memory of those details that are valid only during delivery.
type batch struct {
	obs   []capture.Observation
	keys  []order // of each Observation: what the fan-in merges by
	flows []capture.FlowRecord
	addrs []netip.Addr
}

func newBatch(size int) batch {
	return batch{
		obs: make([]capture.Observation, 0, size), keys: make([]order, 0, size),
		flows: make([]capture.FlowRecord, 0, size), addrs: make([]netip.Addr, 0, 4*size),
	}
}

// reset empties b for reuse.
func (b *batch) reset() {
	b.obs, b.keys, b.flows, b.addrs = b.obs[:0], b.keys[:0], b.flows[:0], b.addrs[:0]
}

// flow returns room for a flow record; each Observation has one at most.
func (b *batch) flow() *capture.FlowRecord {
	b.flows = b.flows[:len(b.flows)+1]
	return &b.flows[len(b.flows)-1]
}

// keep copies addresses into b or, if they do not fit, into memory of their own.
func (b *batch) keep(a []netip.Addr) []netip.Addr {
	if len(b.addrs)+len(a) > cap(b.addrs) {
		return append([]netip.Addr(nil), a...)
	}
	n := len(b.addrs)
	b.addrs = append(b.addrs, a...)
	return b.addrs[n:len(b.addrs):len(b.addrs)]
}
