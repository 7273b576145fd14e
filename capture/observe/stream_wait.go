package observe

import "avbeacon/capture/flow"

// wait keeps an early segment. It returns false if it is not worth keeping or there is no room.
func (o *observer) wait(g *segment, seq, wireLen uint32, b []byte) bool {
	if len(b) == 0 || g.e.Class == classDone {
		return false
	}
	if g.e.Class == classHTTP && o.skipsBody(g, seq-g.e.Next[g.dir]+wireLen) {
		return false
	}
	h := o.open(g)
	if g.s.stitch.Waiting(h) >= maxWaitSegments || !g.s.stitch.Early(h, seq, wireLen, b) {
		return false
	}
	o.relieve(g.s, h)
	return true
}

// maxWaitSegments is how many early segments of one direction are kept before the hole is given up: if the sender has not
// retransmitted by then, the bytes were lost before the tap, not on their way to the receiver. A window of 64 KiB holds 45
// full segments, or more small ones.
const maxWaitSegments = 96

func (o *observer) open(g *segment) uint32 {
	if g.e.Pend[g.dir] == 0 {
		g.e.Pend[g.dir] = g.s.stitch.Open(flow.Owner{Entry: g.index, Dir: uint8(g.dir)})
	}
	return g.e.Pend[g.dir]
}

// relieve drops what has waited longest while too much waits. keep is not dropped.
func (o *observer) relieve(s *shard, keep uint32) {
	for s.stitch.Over() {
		owner, h, ok := s.stitch.Oldest()
		if !ok || h == keep {
			return
		}
		e := s.table.Entry(owner.Entry)
		e.Pend[owner.Dir] = 0
		s.stitch.Evict(h)
		s.giveUp(e)
	}
}

// giveUp stops reading a flow whose class keeps its unfinished messages itself.
func (s *shard) giveUp(e *flow.Entry) {
	var done uint8
	switch e.Class {
	case classQUIC:
		done = classDoneQUIC
	case classDTLS:
		done = classDoneDTLS
	case classHTTP2:
		done = classDoneHTTP2
	default:
		return
	}
	s.release(e)
	e.Class = done
}

// charge counts the memory that a flow's class keeps for incomplete messages together with what waits in the stitcher, so
// that one limit bounds both.
func (o *observer) charge(g *segment, dir, memory int) {
	if memory == 0 {
		g.s.stitch.Close(g.e.Pend[dir])
		g.e.Pend[dir] = 0
		return
	}
	g.dir = dir
	h := o.open(g)
	g.s.stitch.Charge(h, memory)
	o.relieve(g.s, h)
}
