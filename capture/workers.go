package capture

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"avbeacon/internal/flow"
)

const blocksInFlight = 8

// item is one packet, or one tick, on its way to a worker.
type item struct {
	d    Decoded
	pl   place
	at   uint64
	tick int64 // time to sweep at, 0 for a packet
}

// work is one block, decoded and dealt out to the workers.
type work struct {
	block Block
	lists [][]item
	in    Interest
	last  bool  // no packets: the input is at its end
	now   int64 // the clock; valid iff last or idle
	idle  bool  // no packets: the input is silent
	at    uint64
	left  atomic.Int32
}

// reply is a part of a worker's answer to one block.
type reply struct {
	batch
	text []byte
	ends []int // of each Observation's text
	end  bool  // the last one for its block
	idle int64 // the clock, where its block has no packets; else 0
}

// crew is the machinery of one run: a reader, n workers and, in the caller's goroutine, the fan-in.
type crew struct {
	opt    Options
	sink   Sink
	free   chan *work
	todo   []chan *work
	answer []chan *reply
	spare  chan *reply
	done   chan struct{}
	dec    *Decoder
	seed   flow.Seed
	err    error // of the reader; valid after done
	stats  []ObserverStats
}

func observeSideBySide(ctx context.Context, src Source, opt Options, sink Sink) (Stats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newCrew(opt, sink)
	go c.read(ctx, src)
	for w := range c.todo {
		go c.work(w)
	}
	err := c.merge()
	cancel()
	c.drain()
	<-c.done
	if err == nil {
		err = c.err
	}
	st := Stats{Decode: c.dec.Stats()}
	for i := range c.stats {
		st.Observer.add(&c.stats[i])
	}
	return st, err
}

func newCrew(opt Options, sink Sink) *crew {
	opt.Observer.fill()
	n := min(opt.Workers, flow.Shards)
	c := &crew{
		opt: opt, sink: sink, seed: opt.Observer.Seed, dec: NewDecoder(opt.Decoder), stats: make([]ObserverStats, n),
		free: make(chan *work, blocksInFlight), spare: make(chan *reply, 8*n), done: make(chan struct{}),
	}
	for range blocksInFlight {
		c.free <- &work{lists: make([][]item, n)}
	}
	for range n {
		c.todo = append(c.todo, make(chan *work, blocksInFlight))
		c.answer = append(c.answer, make(chan *reply, 4))
	}
	return c
}

// read cuts blocks, decodes them and deals the packets out, until the input's end or ctx is done.
func (c *crew) read(ctx context.Context, src Source) {
	defer close(c.done)
	defer func() {
		for _, t := range c.todo {
			close(t)
		}
	}()
	var clk clock
	for {
		k := <-c.free
		err := src.Next(ctx, &k.block)
		if err != nil && !errors.Is(err, io.EOF) {
			c.err = err
			return
		}
		k.last, k.idle = err != nil, err == nil && len(k.block.Packets) == 0 && k.block.Now != 0
		k.in = c.opt.Observer.Interest
		if c.opt.Interest != nil {
			k.in = c.opt.Interest()
		}
		for w := range k.lists {
			k.lists[w] = k.lists[w][:0]
		}
		if k.last {
			c.dec.Flush(math.MaxInt64, func(d *Decoded) { c.put(k, d, clk.number()) })
			k.now, k.at = clk.now, clk.number()
		} else {
			c.deal(k, &clk)
			k.now = clk.now
		}
		k.left.Store(int32(len(c.todo)))
		for _, t := range c.todo {
			t <- k
		}
		if k.last {
			return
		}
	}
}

func (c *crew) deal(k *work, clk *clock) {
	if k.idle {
		c.pass(k, clk, k.block.Now)
	}
	for i := range k.block.Packets {
		p := &k.block.Packets[i]
		c.pass(k, clk, p.Time)
		at := clk.number()
		var d Decoded
		if c.dec.Decode(p, &d) == LayerNone {
			continue
		}
		c.put(k, &d, at)
	}
}

// pass moves the clock to the packet time t; where it is time to sweep, all workers shall.
func (c *crew) pass(k *work, clk *clock, t int64) {
	if !clk.pass(t) {
		return
	}
	c.dec.Flush(clk.now, func(d *Decoded) { c.put(k, d, clk.number()) })
	at := clk.number()
	for w := range k.lists {
		k.lists[w] = append(k.lists[w], item{tick: clk.now, at: at})
	}
}

// put gives a packet to the worker that has its flow.
func (c *crew) put(k *work, d *Decoded, at uint64) {
	pl := locate(d, &c.seed)
	w := workerOf(pl, len(k.lists))
	k.lists[w] = append(k.lists[w], item{d: *d, pl: pl, at: at})
}

// work is worker w: it answers each block in order.
func (c *crew) work(w int) {
	n := len(c.todo)
	o := newObserver(c.opt.Observer, func(shard int) bool { return shard%n == w })
	defer close(c.answer[w])
	defer func() { c.stats[w] = o.Stats() }()
	o.flush = func() { c.send(w, o, reply{}) }
	for k := range c.todo[w] {
		o.in = k.in
		for i := range k.lists[w] {
			if i%groupSize == 0 {
				o.warmItems(k.lists[w][i:min(i+groupSize, len(k.lists[w]))])
			}
			if it := &k.lists[w][i]; it.tick != 0 {
				o.sweep(it.tick, false, it.at)
			} else {
				o.packet(&it.d, it.pl, it.at)
			}
		}
		if k.last {
			o.sweep(k.now, true, k.at)
		}
		answer := reply{end: true}
		if k.idle {
			answer.idle = k.now
		}
		if k.left.Add(-1) == 0 {
			k.block.done()
			c.free <- k
		}
		c.send(w, o, answer)
	}
}

func (o *observer) warmItems(items []item) {
	var places [groupSize]place
	for i := range items {
		places[i] = items[i].pl
	}
	o.warm(places[:len(items)])
}

// send gives what worker w has to the fan-in, with what mark says of the block, and takes an empty reply for it.
func (c *crew) send(w int, o *observer, mark reply) {
	p := &reply{}
	select {
	case p = <-c.spare:
	default:
		p.batch = newBatch()
	}
	p.batch, o.out = o.out, p.batch
	o.out.reset()
	p.text, p.ends, p.end, p.idle = p.text[:0], p.ends[:0], mark.end, mark.idle
	if c.sink.Encode != nil {
		for i := range p.obs {
			p.text = c.sink.Encode(p.text, &p.obs[i])
			p.ends = append(p.ends, len(p.text))
		}
	}
	c.answer[w] <- p
}

// cursor is how far the fan-in is in a worker's answer.
type cursor struct {
	p *reply
	i int
}

// merge takes each block's answers from all workers and hands them on in order.
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

// next moves a cursor to the worker's next reply. false: there is none.
func (c *crew) next(w int, k *cursor) bool {
	p, ok := <-c.answer[w]
	*k = cursor{p: p}
	return ok
}

// mergeBlock hands on one block's Observations: by packet, and those of one tick by their flows' first frames.
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
	idle := cur[0].p.idle
	for w := range cur {
		c.recycle(cur[w].p)
	}
	if idle != 0 {
		return c.sink.tick(idle)
	}
	return nil
}

// settle makes sure that a cursor stands at an Observation. false: the worker's answer to this block is at its end.
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

// hand gives the Observation at a cursor to the sink.
func (c *crew) hand(k *cursor) error {
	i := k.i
	k.i++
	if c.sink.Encode == nil {
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

// drain lets the workers come to their end after the fan-in stopped.
func (c *crew) drain() {
	var wg sync.WaitGroup
	for _, a := range c.answer {
		wg.Go(func() {
			for range a {
			}
		})
	}
	wg.Wait()
}
