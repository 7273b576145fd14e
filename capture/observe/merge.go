package observe

// cursor is the fan-in's position in a worker's answer.
type cursor struct {
	p *reply
	i int
}

// merge takes each block's answers from all workers and delivers them in order. Every worker answers every block, with
// nothing if none of the packets was its own. So the fan-in knows when a block is complete, and a merge of each block's sorted
// answers is the order of the whole run, whatever the number of workers.
func (c *crew) merge() error {
	cur := make([]cursor, len(c.answer))
	for {
		for w := range cur {
			if !c.next(w, &cur[w]) {
				return nil
			}
		}
		if err := c.mergeBlock(cur); err != nil {
			return err
		}
	}
}

// next moves a cursor to the worker's next reply. It returns false if there is none.
func (c *crew) next(w int, k *cursor) bool {
	p, ok := <-c.answer[w]
	*k = cursor{p: p}
	return ok
}

// mergeBlock delivers one block's Observations by packet number, and those of one sweep by their flows' first frames.
func (c *crew) mergeBlock(cur []cursor) error {
	for {
		best := -1
		for w := range cur {
			if !c.settle(w, &cur[w]) {
				continue
			}
			if best < 0 || cur[w].key().before(cur[best].key()) {
				best = w
			}
		}
		if best < 0 {
			break
		}
		if err := c.hand(&cur[best]); err != nil {
			return err
		}
	}
	now, tick := cur[0].p.now, cur[0].p.tick
	for w := range cur {
		if tick != nil && cur[w].p.seen != nil {
			tick.Observer.Add(cur[w].p.seen)
		}
		c.recycle(cur[w].p)
	}
	if tick != nil {
		return c.sink.Tick(now, *tick)
	}
	return nil
}

// settle moves a cursor to an Observation. It returns false at the end of the worker's answer to this block, which comes in
// several parts where a batch got full. It may wait for the worker.
func (c *crew) settle(w int, k *cursor) bool {
	for k.i >= len(k.p.obs) {
		if k.p.end {
			return false
		}
		c.recycle(k.p)
		if !c.next(w, k) {
			k.p = &reply{end: true}
			return false
		}
	}
	return true
}

func (k *cursor) key() order { return k.p.keys[k.i] }

func (a order) before(b order) bool { return a.at < b.at || a.at == b.at && a.flow < b.flow }

// hand delivers the Observation at a cursor.
func (c *crew) hand(k *cursor) error {
	i := k.i
	k.i++
	if c.sink.Encode == nil {
		c.sink.ahead(k.p.obs, i)
		return c.sink.Observation(&k.p.obs[i])
	}
	from := 0
	if i > 0 {
		from = k.p.ends[i-1]
	}
	if from == k.p.ends[i] {
		return nil
	}
	return c.sink.Line(k.p.text[from:k.p.ends[i]])
}

func (c *crew) recycle(p *reply) {
	if cap(p.obs) == 0 {
		return
	}
	select {
	case c.spare <- p:
	default:
	}
}
