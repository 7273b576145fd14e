package capture

import (
	"context"
	"errors"
	"io"
	"math"

	"avbeacon/internal/flow"
)

// Options say how to observe.
type Options struct {
	Decoder  DecoderOptions
	Observer ObserverOptions
	// Workers is how many goroutines look at packets. 1 (or less) runs all inline.
	Workers int
	// Interest, where not nil, is asked once a block and takes the place of Observer.Interest.
	Interest func() Interest
}

// Sink takes what was observed, in packet order. Exactly one of Observation and Line is set; Line goes with Encode.
type Sink struct {
	// Observation gets each one. It, and the Flow and the Addrs that it points to, are valid during the call; the other
	// details stay.
	Observation func(*Observation) error
	// Encode appends an Observation's text to dst. It is called by the workers, side by side.
	Encode func(dst []byte, obs *Observation) []byte
	// Line gets each text that is not empty; the bytes are valid during the call.
	Line func([]byte) error
}

// Stats is what a run came to.
type Stats struct {
	Decode   DecodeStats
	Observer ObserverStats
}

// Observe reads src to its end, or until ctx is done, and gives all that was observed to sink. The order is that of the
// packets, whatever the number of workers. An error of sink ends it and is returned as it is.
func Observe(ctx context.Context, src Source, opt Options, sink Sink) (Stats, error) {
	if opt.Workers > 1 {
		return observeSideBySide(ctx, src, opt, sink)
	}
	return observeInline(ctx, src, opt, sink)
}

// clock is the running maximum of packet time. It tells when it is time to look for idle flows.
type clock struct {
	now, next int64
	count     uint64
}

// number gives the next number in the order of all that happens: packets, datagrams that never became whole, sweeps.
func (c *clock) number() uint64 {
	c.count++
	return c.count
}

// pass moves the clock to a packet's time. tick says to sweep before it.
func (c *clock) pass(t int64) (tick bool) {
	if c.count == 0 {
		c.now, c.next = t, t+int64(tickEvery)
	}
	c.now = max(c.now, t)
	if tick = c.now >= c.next; tick {
		c.next = c.now + int64(tickEvery)
	}
	return tick
}

func observeInline(ctx context.Context, src Source, opt Options, sink Sink) (Stats, error) {
	dec := NewDecoder(opt.Decoder)
	o := newObserver(opt.Observer, func(int) bool { return true })
	var failed error
	var text []byte
	o.flush = func() {
		for i := 0; i < len(o.out.obs) && failed == nil; i++ {
			text, failed = sink.take(&o.out.obs[i], text)
		}
		o.out.reset()
	}
	var b Block
	var c clock
	var d Decoded
	for failed == nil {
		err := src.Next(ctx, &b)
		if err != nil && !errors.Is(err, io.EOF) {
			failed = err
			break
		}
		if err != nil {
			dec.Flush(math.MaxInt64, func(d *Decoded) { o.late(d, c.number()) })
			o.sweep(c.now, true, c.number())
			o.flush()
			break
		}
		if opt.Interest != nil {
			o.in = opt.Interest()
		}
		for i := range b.Packets {
			if c.pass(b.Packets[i].Time) {
				dec.Flush(c.now, func(d *Decoded) { o.late(d, c.number()) })
				o.sweep(c.now, false, c.number())
			}
			at := c.number()
			if dec.Decode(&b.Packets[i], &d) == LayerNone {
				continue
			}
			o.packet(&d, locate(&d, &o.opt.Seed), at)
		}
		o.flush()
		b.done()
	}
	return Stats{Decode: dec.Stats(), Observer: o.Stats()}, failed
}

// late looks at the beginning of a datagram that never became whole.
func (o *observer) late(d *Decoded, at uint64) {
	o.packet(d, locate(d, &o.opt.Seed), at)
}

func (b *Block) done() {
	if b.Release != nil {
		b.Release()
		b.Release = nil
	}
}

func (s *Sink) take(obs *Observation, text []byte) ([]byte, error) {
	if s.Encode == nil {
		return text, s.Observation(obs)
	}
	text = s.Encode(text[:0], obs)
	if len(text) == 0 {
		return text, nil
	}
	return text, s.Line(text)
}

// workerOf tells which of n workers a packet belongs to.
func workerOf(pl place, n int) int {
	if pl.kind == placeNone {
		return 0
	}
	return flow.Shard(pl.hash) % n
}
