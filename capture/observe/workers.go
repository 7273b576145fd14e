package observe

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/flow"
)

const blocksInFlight = 8

// What keeps the result the same for any number of workers: all state belongs to one of flow.Shards shards, a shard to one
// worker, and a worker handles its packets in their order. Sweeps are queued among the packets, so each worker meets them at
// the same place. Start reading at observeSideBySide, then read, work and merge (merge.go), which run side by side.

// item is one packet, or one sweep, on its way to a worker.
type item struct {
	ref     flowRef
	at      uint64 // number of the packet or sweep in the run: the first key of order
	sweepAt int64  // packet time to sweep at, 0 for a packet
	n       uint32 // index of the packet among the decoded ones of its block
	due     shardSet
}

// work is one block, decoded and dealt out to the workers.
type work struct {
	block   capture.Block
	decoded []decode.Headers // the workers read them in place: a copy would wait for all stores that have just been made
	lists   [][]item
	in      capture.Interest
	last    bool           // no packets: the input has ended
	now     int64          // the clock
	tick    *capture.Stats // the reader's counters; not nil: Sink.Tick is due after this block
	at      uint64
	left    atomic.Int32
}

// reply is a part of a worker's answer to one block.
type reply struct {
	batch
	text []byte
	ends []int                  // of each Observation's text
	end  bool                   // the last part for its block
	now  int64                  // the clock; valid iff tick is set
	tick *capture.Stats         // as the work's
	seen *capture.ObserverStats // of this worker so far; valid iff tick is set
}

// crew is the machinery of one run with several workers: a reader, n workers and, in the caller's goroutine, the fan-in.
// Blocks (work) circulate between reader and workers, replies between workers and fan-in; both sets are bounded.
//
// Nothing can block for ever: the fan-in takes answers until it fails, and then drain takes them; workers wait only for the
// fan-in, and the reader only for workers and its source, which ends with ctx.
type crew struct {
	opt    Options
	sink   Sink
	free   chan *work
	todo   []chan *work
	answer []chan *reply
	spare  chan *reply
	done   chan struct{}
	dec    *decode.Decoder
	seed   flow.Seed
	guard  guard
	beat   beat  // of Sink.Tick; the reader's
	err    error // of the reader; valid after done
	stats  []capture.ObserverStats
	worker [flow.Shards]uint8 // index of the worker that has each shard
}

func observeSideBySide(ctx context.Context, src capture.Source, opt Options, sink Sink) (capture.Stats, error) {
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
	st := capture.Stats{Decode: c.dec.Stats(), Panics: c.guard.count.Load()}
	for i := range c.stats {
		st.Observer.Add(&c.stats[i])
	}
	return st, err
}

func newCrew(opt Options, sink Sink) *crew {
	opt.Observer.fill()
	n := min(opt.Workers, flow.Shards)
	c := &crew{
		opt: opt, sink: sink, guard: guard{report: opt.Panicked}, seed: opt.Observer.Seed, dec: decode.New(opt.Decoder), stats: make([]capture.ObserverStats, n),
		free: make(chan *work, blocksInFlight), spare: make(chan *reply, 8*n), done: make(chan struct{}),
	}
	for range blocksInFlight {
		c.free <- &work{lists: make([][]item, n)}
	}
	for i := range c.worker {
		c.worker[i] = uint8(i % n)
	}
	for range n {
		c.todo = append(c.todo, make(chan *work, blocksInFlight))
		c.answer = append(c.answer, make(chan *reply, 4))
	}
	return c
}

// read reads blocks, decodes them and deals the packets out, until the input's end or until ctx is done.
func (c *crew) read(ctx context.Context, src capture.Source) {
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
		k.last, k.tick = err != nil, nil
		k.in = c.opt.Observer.Interest
		if c.opt.Interest != nil {
			k.in = c.opt.Interest()
		}
		k.empty()
		if k.last {
			c.flush(k, &clk, math.MaxInt64)
			k.now, k.at = clk.now, clk.number()
		} else {
			c.deal(k, &clk)
			k.now = clk.now
			c.markTick(k)
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

// markTick attaches the reader's counters to a block after which Sink.Tick is due.
func (c *crew) markTick(k *work) {
	silent := len(k.block.Packets) == 0 && k.block.Now != 0
	if c.sink.Tick == nil || !c.beat.due(silent, k.now) {
		return
	}
	k.tick = &capture.Stats{Decode: c.dec.Stats(), Panics: c.guard.count.Load()}
}

// deal decodes a block's packets and deals them out.
func (c *crew) deal(k *work, clk *clock) {
	if len(k.block.Packets) == 0 && k.block.Now != 0 {
		c.pass(k, clk, k.block.Now)
	}
	for i := 0; i < len(k.block.Packets); {
		i = c.dealFrom(k, clk, i)
	}
}

// dealFrom continues from packet i to the block's end, or past the one that panics, and returns where to go on.
func (c *crew) dealFrom(k *work, clk *clock, i int) (next int) {
	defer func() {
		if next == 0 {
			c.guard.note(recover(), &k.block.Packets[i])
			c.dec.Forget()
			next = i + 1
		}
	}()
	for ; i < len(k.block.Packets); i++ {
		p := &k.block.Packets[i]
		c.pass(k, clk, p.Time)
		at := clk.number()
		d := k.next()
		if c.dec.Decode(p, d) != decode.LayerNone {
			c.put(k, at)
		}
	}
	return len(k.block.Packets)
}

// pass moves the clock to packet time t. If a sweep is due, it is queued for all workers.
func (c *crew) pass(k *work, clk *clock, t int64) {
	due := clk.pass(t)
	if due == 0 {
		return
	}
	c.flush(k, clk, clk.now)
	at := clk.number()
	for w := range k.lists {
		k.lists[w] = append(k.lists[w], item{sweepAt: clk.now, due: due, at: at})
	}
}

// flush gives up fragments that have waited too long.
func (c *crew) flush(k *work, clk *clock, now int64) {
	v, ok := try(func() {
		c.dec.Flush(now, func(d *decode.Headers) {
			*k.next() = *d
			c.put(k, clk.number())
		})
	})
	if !ok {
		c.guard.note(v, nil)
		c.dec.Forget()
	}
}

// put deals the packet that was decoded last to the worker that has its flow.
func (c *crew) put(k *work, at uint64) {
	n := len(k.decoded)
	k.decoded = k.decoded[:n+1]
	ref := locate(&k.decoded[n], &c.seed)
	list := &k.lists[c.worker[ref.shard()]]
	*list = longer(*list)
	it := &(*list)[len(*list)-1]
	it.ref, it.at, it.n, it.sweepAt, it.due = ref, at, uint32(n), 0, 0
}

// empty makes k ready for another block.
func (k *work) empty() {
	k.decoded = k.decoded[:0]
	for w := range k.lists {
		k.lists[w] = k.lists[w][:0]
	}
}

// next is where the next packet is decoded to; put makes it one of the block's.
func (k *work) next() *decode.Headers {
	n := len(k.decoded)
	k.decoded = longer(k.decoded)[:n]
	return &k.decoded[:n+1][n]
}

// work is worker w's loop: it answers each block, in order.
func (c *crew) work(w int) {
	n := len(c.todo)
	o := newObserver(c.opt.Observer, batchSize, func(shard int) bool { return shard%n == w })
	defer close(c.answer[w])
	defer func() { c.stats[w] = o.Stats() }()
	o.flush = func() { c.send(w, o, reply{}) }
	for k := range c.todo[w] {
		o.use(k.in)
		for i := 0; i < len(k.lists[w]); {
			i = c.look(k, o, k.lists[w], i)
		}
		if k.last {
			c.sweep(o, k.now, allShards, true, k.at)
		}
		answer := reply{end: true, now: k.now, tick: k.tick}
		if k.tick != nil {
			seen := o.Stats()
			answer.seen = &seen
		}
		if k.left.Add(-1) == 0 {
			k.block.Done()
			c.free <- k
		}
		c.send(w, o, answer)
	}
}

// look reads items from i to the list's end, or past the one that panics, and returns where to go on.
func (c *crew) look(k *work, o *observer, list []item, i int) (next int) {
	defer func() {
		if next == 0 {
			c.guard.note(recover(), k.packet(&k.decoded[list[i].n]))
			o.renew(list[i].ref.shard())
			next = i + 1
		}
	}()
	for ; i < len(list); i++ {
		if i%groupSize == 0 {
			o.warmItems(list[i:min(i+groupSize, len(list))])
		}
		if it := &list[i]; it.sweepAt != 0 {
			c.sweep(o, it.sweepAt, it.due, false, it.at)
		} else {
			o.packet(&k.decoded[it.n], it.ref, it.at)
		}
	}
	return len(list)
}

func (c *crew) sweep(o *observer, now int64, due shardSet, all bool, at uint64) {
	if v, ok := try(func() { o.sweep(now, due, all, at) }); !ok {
		c.guard.note(v, nil)
		o.renewAll()
	}
}

// packet finds the record that d was decoded from; nil if it is not in this block, as for the first piece of a datagram
// that never became whole.
func (k *work) packet(d *decode.Headers) *capture.Packet {
	for i := range k.block.Packets {
		if p := &k.block.Packets[i]; p.Frame == d.Frame && p.Input == d.Input {
			return p
		}
	}
	return nil
}

func (o *observer) warmItems(items []item) {
	var refs [groupSize]flowRef
	for i := range items {
		refs[i] = items[i].ref
	}
	o.warm(refs[:len(items)])
	for i := range items {
		items[i].ref.peeked = refs[i].peeked
	}
}

// send passes what worker w has to the fan-in, with mark's facts about the block, and gets an empty reply for it.
func (c *crew) send(w int, o *observer, mark reply) {
	p := &reply{}
	select {
	case p = <-c.spare:
	default:
		p.batch = newBatch(batchSize)
	}
	p.batch, o.out = o.out, p.batch
	o.out.reset()
	p.text, p.ends, p.end, p.now, p.tick, p.seen = p.text[:0], p.ends[:0], mark.end, mark.now, mark.tick, mark.seen
	if c.sink.Encode != nil {
		for i := range p.obs {
			p.text = c.sink.Encode(p.text, &p.obs[i])
			p.ends = append(p.ends, len(p.text))
		}
	}
	c.answer[w] <- p
}

// drain lets the workers finish after the fan-in stopped.
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

// longer returns s with one more element, of any content, to be written in place. A literal would be built elsewhere and
// copied.
func longer[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}
