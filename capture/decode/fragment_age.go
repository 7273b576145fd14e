package decode

import "slices"

// expire gives up datagrams that began more than maxAge before now.
func (t *fragmentTable) expire(now int64) {
	for len(t.queue) > 0 {
		g := t.queue[0]
		if !g.ended && g.begun >= now-t.maxAge {
			return
		}
		t.queue = t.queue[1:]
		if !g.ended {
			t.stats.TimedOut++
			t.giveUp(g)
		}
	}
	t.queue = nil
}

// shrink gives up the oldest until the limit holds: orphans first, which nothing can complete any more, and g, whose piece
// has just come, last.
func (t *fragmentTable) shrink(g *datagram) {
	for t.memory > t.limit && len(t.orphans) > 0 {
		t.memory -= t.orphans[0].memory
		t.orphans = t.orphans[1:]
	}
	for t.memory > t.limit && len(t.queue) > 0 {
		oldest := t.queue[0]
		t.queue = t.queue[1:]
		if oldest.ended {
			continue
		}
		t.stats.Dropped++
		t.forget(oldest)
	}
	// Completed datagrams stay in the queue until they reach its head. Behind one that waits for long they could pile up.
	if len(t.queue) > 64 && len(t.queue) > 4*len(t.pending) {
		t.queue = slices.DeleteFunc(t.queue, func(g *datagram) bool { return g.ended })
	}
}

// giveUp forgets g, but keeps it for Flush if its first fragment is there.
func (t *fragmentTable) giveUp(g *datagram) {
	if !g.begins {
		t.forget(g)
		return
	}
	delete(t.pending, g.key)
	g.ended = true
	t.orphans = append(t.orphans, g)
}

// takeOrphans returns the datagrams given up since the last call.
func (t *fragmentTable) takeOrphans() []*datagram {
	taken := t.orphans
	for _, g := range taken {
		t.memory -= g.memory
	}
	t.orphans = nil
	return taken
}
