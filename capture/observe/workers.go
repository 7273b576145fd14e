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

// item is one packet, or one tick, on its way to a worker.
type item struct {
	pl   place
	at   uint64
	tick int64  // time to sweep at, 0 for a packet
	n    uint32 // place of the packet among the block's decoded ones
	due  shardSet
}

// work is one block, decoded and dealt out to the workers.
type work struct {
	block   capture.Block
	decoded []decode.Headers // where the workers read them too: a copy of what was just written would wait for all stores before it
	lists   [][]item
	in      capture.Interest
	last    bool           // no packets: the input is at its end
	now     int64          // the clock
	told    *capture.Stats // of the reader; not nil: the sink is to be told how far it came
	at      uint64
	left    atomic.Int32
}

// reply is a part of a worker's answer to one block.
type reply struct {
	batch
	text []byte
	ends []int                  // of each Observation's text
	end  bool                   // the last one for its block
	now  int64                  // the clock; valid iff told is set
	told *capture.Stats         // as the work's
	seen *capture.ObserverStats // of this worker so far; valid iff told is set
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
	dec    *decode.Decoder
	seed   flow.Seed
	guard  guard
	beat   beat  // of Sink.Tick; the reader's
	err    error // of the reader; valid after done
	stats  []capture.ObserverStats
	worker [flow.Shards]uint8 // that has each shard
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
		opt: opt, sink: sink, guard: guard{told: opt.Panicked}, seed: opt.Observer.Seed, dec: decode.New(opt.Decoder), stats: make([]capture.ObserverStats, n),
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

// read cuts blocks, decodes them and deals the packets out, until the input's end or ctx is done.
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
		k.last, k.told = err != nil, nil
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
			c.tell(k)
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

// tell notes that the sink is to be told of this block, if it is time.
func (c *crew) tell(k *work) {
	silent := len(k.block.Packets) == 0 && k.block.Now != 0
	if c.sink.Tick == nil || !c.beat.due(silent, k.now) {
		return
	}
	k.told = &capture.Stats{Decode: c.dec.Stats(), Panics: c.guard.count.Load()}
}

func (c *crew) deal(k *work, clk *clock) {
	if len(k.block.Packets) == 0 && k.block.Now != 0 {
		c.pass(k, clk, k.block.Now)
	}
	for i := 0; i < len(k.block.Packets); {
		i = c.dealFrom(k, clk, i)
	}
}

// dealFrom goes on from a packet to the block's end, or behind the one that makes us panic.
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

// pass moves the clock to the packet time t; where it is time to sweep, the workers of those shards shall.
func (c *crew) pass(k *work, clk *clock, t int64) {
	due := clk.pass(t)
	if due == 0 {
		return
	}
	c.flush(k, clk, clk.now)
	at := clk.number()
	for w := range k.lists {
		k.lists[w] = append(k.lists[w], item{tick: clk.now, due: due, at: at})
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

// put gives the packet at next to the worker that has its flow.
func (c *crew) put(k *work, at uint64) {
	n := len(k.decoded)
	k.decoded = k.decoded[:n+1]
	pl := locate(&k.decoded[n], &c.seed)
	list := &k.lists[c.worker[pl.shard()]]
	*list = longer(*list)
	it := &(*list)[len(*list)-1]
	it.pl, it.at, it.n, it.tick, it.due = pl, at, uint32(n), 0, 0
}

// empty makes k ready for another block.
func (k *work) empty() {
	k.decoded = k.decoded[:0]
	for w := range k.lists {
		k.lists[w] = k.lists[w][:0]
	}
}

// next is where the next packet is to be decoded; put makes it one of the block's.
func (k *work) next() *decode.Headers {
	n := len(k.decoded)
	k.decoded = longer(k.decoded)[:n]
	return &k.decoded[:n+1][n]
}

// work is worker w: it answers each block in order.
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
		answer := reply{end: true, now: k.now, told: k.told}
		if k.told != nil {
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

// look goes on from an item to the list's end, or behind the one that makes us panic.
func (c *crew) look(k *work, o *observer, list []item, i int) (next int) {
	defer func() {
		if next == 0 {
			c.guard.note(recover(), k.packet(&k.decoded[list[i].n]))
			o.renew(list[i].pl.shard())
			next = i + 1
		}
	}()
	for ; i < len(list); i++ {
		if i%groupSize == 0 {
			o.warmItems(list[i:min(i+groupSize, len(list))])
		}
		if it := &list[i]; it.tick != 0 {
			c.sweep(o, it.tick, it.due, false, it.at)
		} else {
			o.packet(&k.decoded[it.n], it.pl, it.at)
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

// packet finds the record that something was decoded from; nil where it is not in this block, as the first piece of a
// datagram that never became whole.
func (k *work) packet(d *decode.Headers) *capture.Packet {
	for i := range k.block.Packets {
		if p := &k.block.Packets[i]; p.Frame == d.Frame && p.Input == d.Input {
			return p
		}
	}
	return nil
}

func (o *observer) warmItems(items []item) {
	var places [groupSize]place
	for i := range items {
		places[i] = items[i].pl
	}
	o.warm(places[:len(items)])
	for i := range items {
		items[i].pl.peeked = places[i].peeked
	}
}

// send gives what worker w has to the fan-in, with what mark says of the block, and takes an empty reply for it.
func (c *crew) send(w int, o *observer, mark reply) {
	p := &reply{}
	select {
	case p = <-c.spare:
	default:
		p.batch = newBatch(batchSize)
	}
	p.batch, o.out = o.out, p.batch
	o.out.reset()
	p.text, p.ends, p.end, p.now, p.told, p.seen = p.text[:0], p.ends[:0], mark.end, mark.now, mark.told, mark.seen
	if c.sink.Encode != nil {
		for i := range p.obs {
			p.text = c.sink.Encode(p.text, &p.obs[i])
			p.ends = append(p.ends, len(p.text))
		}
	}
	c.answer[w] <- p
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

// longer gives s one element more, of any content, to be written in place: a literal would be made elsewhere and copied.
func longer[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}
