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
	// Tick, where not nil, gets the packet clock, nanoseconds since 1970, each time that a silent Source moves it on,
	// after all that was observed before.
	Tick func(now int64) error
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
	r := inline{dec: NewDecoder(opt.Decoder), o: newObserver(opt.Observer, func(int) bool { return true })}
	var failed error
	var text []byte
	r.o.flush = func() {
		out := &r.o.out
		for i := 0; i < len(out.obs) && failed == nil; i++ {
			text, failed = sink.take(&out.obs[i], text)
		}
		out.reset()
	}
	var b Block
	for failed == nil {
		err := src.Next(ctx, &b)
		if err != nil && !errors.Is(err, io.EOF) {
			failed = err
			break
		}
		if err != nil {
			r.tick(math.MaxInt64, true)
			r.o.flush()
			break
		}
		if opt.Interest != nil {
			r.o.in = opt.Interest()
		}
		if len(b.Packets) == 0 {
			r.idle(b.Now)
		}
		r.block(b.Packets)
		r.o.flush()
		if len(b.Packets) == 0 && b.Now != 0 && failed == nil {
			failed = sink.tick(r.c.now)
		}
		b.done()
	}
	return Stats{Decode: r.dec.Stats(), Observer: r.o.Stats()}, failed
}

// groupSize is how many packets are decoded before the first of them is looked at, so that the memory of all their flows
// is fetched at the same time rather than one after the other.
const groupSize = 16

// inline observes in the caller's goroutine.
type inline struct {
	dec    *Decoder
	o      *observer
	c      clock
	group  [groupSize]Decoded
	places [groupSize]place
	at     [groupSize]uint64
	n      int
}

func (r *inline) block(packets []Packet) {
	for i := range packets {
		if r.c.pass(packets[i].Time) {
			r.look()
			r.tick(r.c.now, false)
		}
		at := r.c.number()
		d := &r.group[r.n]
		if r.dec.Decode(&packets[i], d) == LayerNone {
			continue
		}
		r.places[r.n], r.at[r.n] = locate(d, &r.o.opt.Seed), at
		if r.n++; r.n == groupSize {
			r.look()
		}
	}
	r.look()
}

// idle moves the clock on while no packet comes.
func (r *inline) idle(now int64) {
	if now != 0 && r.c.pass(now) {
		r.tick(r.c.now, false)
	}
}

// look gives the packets of the group to the observer.
func (r *inline) look() {
	r.o.warm(r.places[:r.n])
	for i := range r.n {
		r.o.packet(&r.group[i], r.places[i], r.at[i])
	}
	r.n = 0
}

// tick gives up fragments and flows that have waited too long at packet time now, or all of them.
func (r *inline) tick(now int64, all bool) {
	r.dec.Flush(now, func(d *Decoded) { r.o.late(d, r.c.number()) })
	r.o.sweep(r.c.now, all, r.c.number())
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

func (s *Sink) tick(now int64) error {
	if s.Tick == nil {
		return nil
	}
	return s.Tick(now)
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
