// Package observe turns packets into Observations. A capture.Source goes in; what hosts were seen to do comes out, in the order of
// the packets: DNS messages, TLS, DTLS and QUIC hellos, certificates, HTTP heads, identities (DHCP, ARP, NetBIOS, ...) and flow
// records. Behind Run there is one reader, which decodes, and with several workers one observer per worker and a fan-in.
//
// Start reading at Run, then observer.packet (observer.go), which is called for each packet. flows.go begins, counts and ends
// flows; stream.go puts TCP segments in order and hands their bytes to a reader per protocol (stream_tls.go, stream_http.go,
// dns.go, stream_smb.go); datagram.go is the same for UDP. workers.go and merge.go spread the work over goroutines; the result
// does not depend on how many there are.
package observe

import (
	"context"
	"errors"
	"io"
	"math"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/flow"
)

// Options say how to observe.
type Options struct {
	Decoder  decode.Options
	Observer ObserverOptions
	// Workers is how many goroutines look at packets. 1 (or less) runs all inline.
	Workers int
	// Interest, where not nil, is asked once a block and takes the place of Observer.Interest. Where what it gives has a method
	// HeaderNames() []string, those take the place of Observer.Headers.
	Interest func() capture.Interest
	// Panicked, where not nil, is told of packets that made us panic; they are counted in any case. Any goroutine calls it.
	Panicked func(*Panic)
}

// Sink takes what was observed, in packet order. Exactly one of Observation and Line is set; Line goes with Encode.
type Sink struct {
	// Observation gets each one. It, and the Flow and the Addrs that it points to, are valid during the call; the other
	// details stay.
	Observation func(*capture.Observation) error
	// Ahead, where not nil, is shown what Observation will get next, up to 16 at a time, so that the memory that they need
	// can be fetched side by side. It may be shown them twice, or nothing.
	Ahead func([]capture.Observation)
	// Encode appends an Observation's text to dst. It is called by the workers, side by side.
	Encode func(dst []byte, obs *capture.Observation) []byte
	// Line gets each text that is not empty; the bytes are valid during the call.
	Line func([]byte) error
	// Tick, where not nil, gets the packet clock, nanoseconds since 1970, at the end of each block that moved it on by a
	// second or more since the last call, or that a silent Source gave, and of one in 64 although the clock stands still, as
	// it does after a packet from the future; after all that was observed before. The Stats are the callee's.
	Tick func(now int64, st capture.Stats) error
}

// Observe reads src to its end, or until ctx is done, and gives all that was observed to sink. The order is that of the
// packets, whatever the number of workers. An error of sink ends it and is returned as it is.
func Run(ctx context.Context, src capture.Source, opt Options, sink Sink) (capture.Stats, error) {
	if opt.Workers > 1 {
		return observeSideBySide(ctx, src, opt, sink)
	}
	return observeInline(ctx, src, opt, sink)
}

// clock is the running maximum of packet time. It tells when it is time to look for idle flows.
type clock struct {
	now, next int64
	turn      int // the shard that comes next
	count     uint64
}

// shardSet has a bit for each shard.
type shardSet uint16

const (
	allShards  shardSet = 1<<flow.Shards - 1
	sweepEvery          = int64(tickEvery) / flow.Shards
)

// number gives the next number in the order of all that happens: packets, datagrams that never became whole, sweeps.
func (c *clock) number() uint64 {
	c.count++
	return c.count
}

// pass moves the clock to a packet's time. due says which shards to sweep before it: they take turns, so that each is swept
// every tickEvery, and the flows that end do not all come at once.
func (c *clock) pass(t int64) (due shardSet) {
	if c.count == 0 {
		c.now, c.next = t, t+sweepEvery
	}
	c.now = max(c.now, t)
	if c.now < c.next {
		return 0
	}
	n := 1 + (c.now-c.next)/sweepEvery
	c.next += n * sweepEvery
	for range min(n, flow.Shards) {
		due |= 1 << c.turn
		c.turn = (c.turn + 1) % flow.Shards
	}
	return due
}

func observeInline(ctx context.Context, src capture.Source, opt Options, sink Sink) (capture.Stats, error) {
	r := inline{
		dec: decode.New(opt.Decoder), o: newObserver(opt.Observer, smallBatch, func(int) bool { return true }),
		guard: guard{told: opt.Panicked}, sink: &sink,
	}
	r.o.flush = r.flush
	var b capture.Block
	for r.failed == nil {
		err := src.Next(ctx, &b)
		if err != nil && !errors.Is(err, io.EOF) {
			r.failed = err
			break
		}
		if err != nil {
			r.sweep(math.MaxInt64, allShards, true)
			r.flush()
			break
		}
		if opt.Interest != nil {
			r.o.use(opt.Interest())
		}
		r.take(&b)
		b.Done()
	}
	return r.stats(), r.failed
}

// groupSize is how many packets are decoded before the first of them is looked at, so that the memory of all their flows
// is fetched at the same time rather than one after the other.
const groupSize = 16

// inline observes in the caller's goroutine.
type inline struct {
	dec    *decode.Decoder
	o      *observer
	c      clock
	beat   beat
	sink   *Sink
	failed error // by the sink or the source
	text   []byte
	guard  guard

	packets []capture.Packet // of the block
	pos     int              // the packet behind the one that is being decoded
	group   [groupSize]decode.Headers
	places  [groupSize]place
	at      [groupSize]uint64
	from    [groupSize]*capture.Packet
	n       int  // in the group
	looked  int  // of them; valid iff looking
	looking bool // at the group, not decoding
}

func (r *inline) stats() capture.Stats {
	return capture.Stats{Decode: r.dec.Stats(), Observer: r.o.Stats(), Panics: r.guard.count.Load()}
}

// flush hands on what was observed.
func (r *inline) flush() {
	out := &r.o.out
	for i := 0; i < len(out.obs) && r.failed == nil; i++ {
		r.sink.ahead(out.obs, i)
		r.text, r.failed = r.sink.take(&out.obs[i], r.text)
	}
	out.reset()
}

// take looks at a block and hands on what it brought.
func (r *inline) take(b *capture.Block) {
	if len(b.Packets) == 0 && b.Now != 0 {
		if due := r.c.pass(b.Now); due != 0 {
			r.sweep(r.c.now, due, false)
		}
	}
	r.packets, r.pos = b.Packets, 0
	for !r.decode() {
	}
	r.flush()
	silent := len(b.Packets) == 0 && b.Now != 0
	if r.sink.Tick != nil && r.failed == nil && r.beat.due(silent, r.c.now) {
		r.failed = r.sink.Tick(r.c.now, r.stats())
	}
}

// decode goes on with the block's packets, to its end or to one that makes us panic: then it is false, and the packet is
// behind us.
func (r *inline) decode() (whole bool) {
	defer func() {
		if !whole {
			r.contain(recover())
		}
	}()
	for i := r.pos; i < len(r.packets); i++ {
		p := &r.packets[i]
		if due := r.c.pass(p.Time); due != 0 {
			r.look()
			r.sweep(r.c.now, due, false)
		}
		r.pos = i + 1
		at := r.c.number()
		d := &r.group[r.n]
		if r.dec.Decode(p, d) == decode.LayerNone {
			continue
		}
		r.places[r.n], r.at[r.n], r.from[r.n] = locate(d, &r.o.opt.Seed), at, p
		if r.n++; r.n == groupSize {
			r.look()
		}
	}
	r.look()
	return true
}

// look gives the packets of the group to the observer.
func (r *inline) look() {
	r.looking = true
	r.o.warm(r.places[r.looked:r.n])
	for r.looked < r.n {
		i := r.looked
		r.o.packet(&r.group[i], r.places[i], r.at[i])
		r.looked++
	}
	r.n, r.looked, r.looking = 0, 0, false
}

// contain makes good for a panic: the packet is left out, the rest of the group is looked at when decode goes on.
func (r *inline) contain(v any) {
	if !r.looking {
		r.guard.note(v, &r.packets[r.pos-1])
		r.dec.Forget()
		return
	}
	r.guard.note(v, r.from[r.looked])
	r.o.renew(r.places[r.looked].shard())
	r.looked++
	if v, ok := try(r.look); !ok {
		r.contain(v)
	}
}

// sweep gives up fragments, and flows of the shards due, that have waited too long at packet time now, or all of them.
func (r *inline) sweep(now int64, due shardSet, all bool) {
	v, ok := try(func() {
		r.dec.Flush(now, func(d *decode.Headers) { r.o.late(d, r.c.number()) })
		r.o.sweep(r.c.now, due, all, r.c.number())
	})
	if !ok {
		r.guard.note(v, nil)
		r.dec.Forget()
		r.o.renewAll()
	}
}

// late looks at the beginning of a datagram that never became whole.
func (o *observer) late(d *decode.Headers, at uint64) {
	o.packet(d, locate(d, &o.opt.Seed), at)
}

// ahead tells of the next Observations in list before the first of each group is taken.
func (s *Sink) ahead(list []capture.Observation, i int) {
	if s.Ahead != nil && i%groupSize == 0 {
		s.Ahead(list[i:min(i+groupSize, len(list))])
	}
}

func (s *Sink) take(obs *capture.Observation, text []byte) ([]byte, error) {
	if s.Encode == nil {
		return text, s.Observation(obs)
	}
	text = s.Encode(text[:0], obs)
	if len(text) == 0 {
		return text, nil
	}
	return text, s.Line(text)
}

// shard is the shard that a packet belongs to; those without a flow are the first one's.
func (pl place) shard() int {
	if pl.kind == placeNone {
		return 0
	}
	return flow.Shard(pl.hash)
}
