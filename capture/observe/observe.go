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

// Options says how to observe.
type Options struct {
	Decoder  decode.Options
	Observer ObserverOptions
	// Workers is how many goroutines read packets. With 1 or less everything runs in the caller's goroutine.
	Workers int
	// Interest, if not nil, is called once per block; its result replaces Observer.Interest, so that a daemon can exchange it.
	// If the result has a method HeaderNames() []string, those replace Observer.Headers.
	Interest func() capture.Interest
	// Panicked, if not nil, gets each packet whose reading panicked; they are counted in any case. Any goroutine may call it.
	Panicked func(*Panic)
}

// Sink takes what was observed, in packet order. Exactly one of Observation and Line is set; Line needs Encode.
type Sink struct {
	// Observation gets each one. It, and the Flow and the Addrs that it points to, are valid during the call; the other
	// details may be kept.
	Observation func(*capture.Observation) error
	// Ahead, if not nil, sees up to 16 of the next Observations before the first of them is delivered, so that the memory
	// that they need can be fetched in parallel. It is only a hint: it may see one twice or not at all.
	Ahead func([]capture.Observation)
	// Encode appends an Observation's text to dst. The workers call it in parallel.
	Encode func(dst []byte, obs *capture.Observation) []byte
	// Line gets each text that is not empty; the bytes are valid during the call.
	Line func([]byte) error
	// Tick, if not nil, gets the packet clock (nanoseconds since 1970) after everything observed before it: at the end of a
	// block that moved the clock on by a second or more since the last call, of each empty block of a silent Source, and of
	// one block in 64 even if the clock does not move, as after a packet with a time in the future. The callee owns the Stats.
	Tick func(now int64, st capture.Stats) error
}

// Run reads src to its end, or until ctx is done, and delivers all that was observed to sink, in packet order, whatever the
// number of workers. An error of sink ends the run and is returned as it is.
func Run(ctx context.Context, src capture.Source, opt Options, sink Sink) (capture.Stats, error) {
	if opt.Workers > 1 {
		return observeSideBySide(ctx, src, opt, sink)
	}
	return observeInline(ctx, src, opt, sink)
}

// clock is the running maximum of packet time. It says when to look for idle flows.
type clock struct {
	now, next int64
	turn      int // the shard to sweep next
	count     uint64
}

// shardSet has one bit per shard.
type shardSet uint16

const (
	allShards  shardSet = 1<<flow.Shards - 1
	sweepEvery          = int64(tickEvery) / flow.Shards
)

// number returns the next number in the order of all events: packets, datagrams that never became whole, sweeps.
func (c *clock) number() uint64 {
	c.count++
	return c.count
}

// pass moves the clock to a packet's time and returns the shards to sweep before that packet. Shards take turns, so that
// each is swept every tickEvery and flows that end do not all come at once.
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
		guard: guard{report: opt.Panicked}, sink: &sink,
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

// groupSize is how many packets are decoded before the first of them is read further, so that the memory of all their flows
// is fetched in parallel rather than one after the other.
const groupSize = 16

// inline observes in the caller's goroutine, without channels.
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
	pos     int              // index of the packet after the one that is being decoded
	group   [groupSize]decode.Headers
	refs    [groupSize]flowRef
	at      [groupSize]uint64
	from    [groupSize]*capture.Packet
	n       int  // packets in the group
	looked  int  // how many of them were read; valid iff looking
	looking bool // reading the group, not decoding
}

func (r *inline) stats() capture.Stats {
	return capture.Stats{Decode: r.dec.Stats(), Observer: r.o.Stats(), Panics: r.guard.count.Load()}
}

// flush delivers what was observed.
func (r *inline) flush() {
	out := &r.o.out
	for i := 0; i < len(out.obs) && r.failed == nil; i++ {
		r.sink.ahead(out.obs, i)
		r.text, r.failed = r.sink.take(&out.obs[i], r.text)
	}
	out.reset()
}

// take reads a block and delivers what was observed in it.
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

// decode continues with the block's packets, to the end or to one whose reading panics. In that case it returns false, and
// pos is after that packet.
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
		r.refs[r.n], r.at[r.n], r.from[r.n] = locate(d, &r.o.opt.Seed), at, p
		if r.n++; r.n == groupSize {
			r.look()
		}
	}
	r.look()
	return true
}

// look hands the packets of the group to the observer.
func (r *inline) look() {
	r.looking = true
	r.o.warm(r.refs[r.looked:r.n])
	for r.looked < r.n {
		i := r.looked
		r.o.packet(&r.group[i], r.refs[i], r.at[i])
		r.looked++
	}
	r.n, r.looked, r.looking = 0, 0, false
}

// contain recovers from a panic: the packet is left out, and the rest of the group is read when decode continues.
func (r *inline) contain(v any) {
	if !r.looking {
		r.guard.note(v, &r.packets[r.pos-1])
		r.dec.Forget()
		return
	}
	r.guard.note(v, r.from[r.looked])
	r.o.renew(r.refs[r.looked].shard())
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

// late reads the beginning of a datagram that never became whole.
func (o *observer) late(d *decode.Headers, at uint64) {
	o.packet(d, locate(d, &o.opt.Seed), at)
}

// ahead shows Ahead the next Observations in list before the first of each group is delivered.
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

// shard is the shard that a packet belongs to; packets without a flow belong to the first one.
func (ref flowRef) shard() int {
	if ref.kind == refNone {
		return 0
	}
	return flow.Shard(ref.hash)
}
