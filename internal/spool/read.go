package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// position is how far a sink is. The durable consumer of the stream bears its name and keeps done across restarts.
type position struct {
	done    uint64 // messages up to this one are done with
	known   bool   // done is
	partial uint64 // a message after done, of which a part is done with
	upTo    int    // so many of its alerts that pass
}

// message is one of the stream, less what the sink's filter leaves out and what was done with before.
type message struct {
	msg    jetstream.Msg
	seq    uint64
	stored time.Time
	alerts []*alert.Alert
	upTo   int // of the alerts that pass, so many are done with and not in alerts any more
}

// ackWait is how long the server waits before it sends a message once more; we say three times as often that it is held.
const ackWait = time.Minute

// ahead is how many messages are read ahead.
const ahead = 16

// reader reads the stream in order for one sink.
type reader struct {
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	last     uint64 // consumer sequence of the last message; 0 before the first
}

// open finds or makes the sink's consumer, sets it to the first message that is not done with, and begins to read. What
// a process before us, or a connection before this one, was given and did not acknowledge comes again at once, in order.
func (k *sink) open(ctx context.Context, e *engine) (*reader, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*callTime)
	defer cancel()
	if err := e.ensureOnce(ctx); err != nil {
		return nil, fmt.Errorf("make the stream: %w", err)
	}
	stream, err := e.js.Stream(ctx, e.name)
	if err != nil {
		return nil, fmt.Errorf("find the stream: %w", err)
	}
	if k.done > stream.CachedInfo().State.LastSeq { // another stream than the one we read
		k.position = position{}
	}
	consumer, err := k.consumer(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("find the sink's position: %w", err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(ahead))
	if err != nil {
		return nil, fmt.Errorf("read the stream: %w", err)
	}
	return &reader{consumer: consumer, messages: messages}, nil
}

func (k *sink) consumer(ctx context.Context, stream jetstream.Stream) (jetstream.Consumer, error) {
	c, err := stream.Consumer(ctx, k.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		c, err = stream.CreateConsumer(ctx, k.config(jetstream.DeliverAllPolicy, 0))
	}
	if err != nil {
		return nil, err
	}
	info := c.CachedInfo()
	if !k.known {
		k.done, k.known = info.AckFloor.Stream, true
	}
	if info.NumAckPending == 0 && info.Delivered.Stream == k.done {
		return c, nil
	}
	if _, err = stream.ResetConsumerToSequence(ctx, k.name, k.done+1); err == nil {
		return stream.Consumer(ctx, k.name)
	}
	k.log.Debug("this server cannot reset a consumer: it is made anew", zap.Error(err)) // NATS before 2.14
	if err = stream.DeleteConsumer(ctx, k.name); err != nil {
		return nil, err
	}
	return stream.CreateConsumer(ctx, k.config(jetstream.DeliverByStartSequencePolicy, k.done+1))
}

func (k *sink) config(from jetstream.DeliverPolicy, seq uint64) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{Durable: k.name, Description: "a sink of avbeacon", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: k.spool.opt.ackWait, MaxDeliver: -1, MaxAckPending: 10_000, DeliverPolicy: from, OptStartSeq: seq}
}

// next gives the next message; nil where none came: until ctx is done, or, with quick, at once.
func (in *reader) next(ctx context.Context, quick bool) (jetstream.Msg, error) {
	how := jetstream.NextContext(ctx)
	switch {
	case quick:
		how = jetstream.NextMaxWait(time.Millisecond)
	case ctx.Err() != nil:
		how = jetstream.NextMaxWait(50 * time.Millisecond)
	}
	m, err := in.messages.Next(how)
	if errors.Is(err, nats.ErrTimeout) || err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil, nil
	}
	return m, err
}

var errGap = errors.New("a message of the stream was lost on its way")

// number gives the place of a message in the stream, and an error where one before it did not come.
func (in *reader) number(m jetstream.Msg) (*jetstream.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	if in.last != 0 && meta.Sequence.Consumer != in.last+1 {
		return nil, errGap
	}
	in.last = meta.Sequence.Consumer
	return meta, nil
}

// left is how many messages the sink has not done with, with those that are on their way.
func (in *reader) left(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	info, err := in.consumer.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask how far the sink is: %w", err)
	}
	return info.NumPending + uint64(info.NumAckPending), nil
}

func (in *reader) stop() { in.messages.Stop() }

// session reads and delivers from the position on. nil says that the sink is to end.
func (k *sink) session(r *lifetime, pause *backoff) error {
	e, err := k.spool.live()
	if err != nil {
		return err
	}
	in, err := k.open(r.hard, e)
	if err != nil {
		return err
	}
	defer in.stop()
	defer k.letGo()
	for {
		more, err := k.gather(r, in)
		if err != nil || !more {
			return err
		}
		pause.reset()
		if more, err = k.deliver(r); err != nil || !more {
			return err
		}
	}
}

// letGo forgets what is held; it is read again, less what is done of it.
func (k *sink) letGo() {
	if len(k.held) > 0 {
		k.partial, k.upTo = k.held[0].seq, k.held[0].upTo
	}
	k.held = nil
	k.count.hold(time.Time{})
}

// gather waits for alerts, and takes as many as are there, up to a batch. false says that none will come.
func (k *sink) gather(r *lifetime, in *reader) (bool, error) {
	for n := 0; n < k.most; {
		m, err := in.next(r.soft, n > 0)
		switch {
		case r.hard.Err() != nil:
			return false, nil
		case err != nil:
			return false, err
		case m == nil && n > 0:
			return true, nil
		case m == nil:
			if r.soft.Err() == nil {
				continue
			}
			if ended, err := k.caughtUp(r, in); ended || err != nil {
				return false, err
			}
		default:
			got, err := k.take(in, m)
			if err != nil {
				return false, err
			}
			n += got
		}
	}
	return true, nil
}

// caughtUp says, once the last alert was written, whether the sink has them all.
func (k *sink) caughtUp(r *lifetime, in *reader) (bool, error) {
	select {
	case <-k.spool.flushed:
	default:
		return false, nil
	}
	left, err := in.left(r.hard)
	return left == 0, err
}

// take holds a message; how many alerts it has for the sink, at least 1 so that nothing is held without end.
func (k *sink) take(in *reader, m jetstream.Msg) (int, error) {
	meta, err := in.number(m)
	if err != nil {
		return 0, err
	}
	seq := meta.Sequence.Stream
	if seq <= k.done || len(k.held) > 0 && seq <= k.held[len(k.held)-1].seq {
		_ = m.Ack() // it came twice, because an acknowledgement was late
		return 0, nil
	}
	alerts, bad := decode(m.Data())
	for _, line := range bad {
		k.log.Error("a line of the stream is no alert", zap.Uint64("message", seq), zap.Int("bytes", len(line)))
		k.count.bad()
	}
	h := &message{msg: m, seq: seq, stored: meta.Timestamp}
	for _, a := range alerts {
		if k.pass(a) {
			h.alerts = append(h.alerts, a)
		}
	}
	k.count.skip(len(alerts) - len(h.alerts))
	if seq == k.partial {
		h.upTo = min(k.upTo, len(h.alerts))
		h.alerts = h.alerts[h.upTo:]
	}
	if k.held = append(k.held, h); len(k.held) == 1 {
		k.count.hold(h.stored)
	}
	return max(1, len(h.alerts)), nil
}
