package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"avbeacon/internal/alert"
)

// Each gives every alert that the stream holds and that was stored at since or later, in order, delivered or not: after a
// crash that is what was told. An error of f ends it. An alert that was written again after a crash is given twice.
func (s *Spool) Each(ctx context.Context, since time.Time, f func(*alert.Alert) error) error {
	e, err := s.live()
	if err != nil {
		return fmt.Errorf("read the spool: %w", err)
	}
	if err := e.each(ctx, since, f); err != nil {
		return fmt.Errorf("read the spool: %w", err)
	}
	return nil
}

func (e *engine) each(ctx context.Context, since time.Time, f func(*alert.Alert) error) error {
	stream, err := e.find(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 || since.After(state.LastTime) {
		return nil
	}
	messages, err := e.from(ctx, stream, since)
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextMaxWait(callTime))
		if err != nil {
			return plainEnd(ctx, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		alerts, _ := decode(m.Data()) // what is no alert is told of where it would be delivered
		for _, a := range alerts {
			if err := errors.Join(ctx.Err(), f(a)); err != nil {
				return err
			}
		}
		if meta.Sequence.Stream >= state.LastSeq || meta.NumPending == 0 {
			return nil
		}
	}
}

// plainEnd names the reason why no message came.
func plainEnd(ctx context.Context, err error) error {
	if errors.Is(err, nats.ErrTimeout) {
		return errors.Join(ctx.Err(), errors.New("the stream does not answer"))
	}
	return err
}

func (e *engine) find(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return e.js.Stream(ctx, e.name)
}

// from reads with a consumer that is nobody's and goes away by itself.
func (e *engine) from(ctx context.Context, stream jetstream.Stream, since time.Time) (jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	how := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, InactiveThreshold: time.Minute}
	if !since.IsZero() {
		how.DeliverPolicy, how.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	c, err := stream.OrderedConsumer(ctx, how)
	if err != nil {
		return nil, err
	}
	return c.Messages(jetstream.PullMaxMessages(ahead))
}

// Forget gives up a sink for good: its position, and with it what it did not have. Where it is attached, it is detached.
// Sinks that were taken out of the configuration are in Stats.Left until then, and keep alerts from being purged first.
func (s *Spool) Forget(ctx context.Context, name string) error {
	if err := s.Detach(name); err != nil {
		return fmt.Errorf("forget sink %s: %w", name, err)
	}
	e, err := s.live()
	if err == nil {
		var stream jetstream.Stream
		if stream, err = e.find(ctx); err == nil {
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			err = stream.DeleteConsumer(ctx, name)
		}
	}
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("forget sink %s: %w", name, err)
	}
	return nil
}
