package observe

import "avbeacon/capture/flow"

// wait keeps an early segment. false: not worth it, or no room.
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

// maxWaitSegments is how many early segments of one direction are waited for before the hole is given up: a sender that
// does not retransmit within that many segments lost them before the tap. A window of 64 KiB holds 45 full segments, or more
// small ones.
const maxWaitSegments = 96

func (o *observer) open(g *segment) uint32 {
	if g.e.Pend[g.dir] == 0 {
		g.e.Pend[g.dir] = g.s.stitch.Open(flow.Owner{Entry: g.index, Dir: uint8(g.dir)})
	}
	return g.e.Pend[g.dir]
}

// relieve drops what has waited longest while more waits than may. keep stays.
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

// giveUp ends the reading of a flow whose unfinished messages are kept by its class.
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

// charge counts memory that a flow's class keeps for messages that are not whole, with what waits in the stitcher.
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
