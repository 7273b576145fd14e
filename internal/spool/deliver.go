package spool

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// errStopped is for a sink that stops in the middle of a batch and does not say why.
var errStopped = errors.New("the sink stopped without a reason")

// deliver brings what is held to the receiver, however long that takes. While the daemon ends it gives up at the first
// failure, and false says so: what is left stays in the stream.
func (k *sink) deliver(r *lifetime) (bool, error) {
	defer k.stayOn(r.hard)()
	pause := backoff{least: leastPause, most: mostPause}
	for {
		batch := k.batch()
		n, err := k.hand(r, batch)
		if n > 0 || len(batch) == 0 {
			k.advance(r.hard, n)
			pause.reset()
		}
		if err == nil {
			k.count.work()
			if len(k.held) == 0 {
				return true, nil
			}
			continue
		}
		if k.count.fail(err) {
			k.log.Warn("the receiver fails; alerts for it wait in the spool", zap.Error(err))
		}
		if !sleepSoft(r, max(pause.next(), asked(err))) {
			return false, nil
		}
		k.count.try()
	}
}

// batch is what is delivered next.
func (k *sink) batch() []*alert.Alert {
	var out []*alert.Alert
	for _, h := range k.held {
		room := k.most - len(out)
		out = append(out, h.alerts[:min(room, len(h.alerts))]...)
	}
	return out
}

// hand gives a batch to the sink, and what is refused for good to the dead letters. It returns how many are done with.
func (k *sink) hand(r *lifetime, batch []*alert.Alert) (int, error) {
	if len(batch) == 0 {
		return 0, nil
	}
	n, refused, err := k.to.Deliver(r.hard, batch)
	n = min(max(n, 0), len(batch))
	if n == len(batch) {
		err = nil
	} else if err == nil {
		err = errStopped
	}
	var dead []letter
	for _, one := range refused {
		if one.Index >= 0 && one.Index < n {
			dead = append(dead, letter{Time: k.spool.opt.Now().UTC(), Sink: k.name, Reason: one.Reason, Alert: batch[one.Index]})
		}
	}
	if len(dead) > 0 && !k.bury(r, dead) {
		return 0, errors.Join(err, errDead)
	}
	k.count.deliver(n-len(dead), len(dead))
	return n, err
}

// errDead says that dead letters could not be written before the daemon ended: their alerts will be delivered again.
var errDead = errors.New("dead letters could not be written")

// bury writes dead letters, and waits while that fails; false where the daemon ends before.
func (k *sink) bury(r *lifetime, dead []letter) bool {
	pause := backoff{least: leastPause, most: mostPause}
	for {
		err := k.spool.dead.write(dead)
		if err == nil {
			k.log.Warn("the receiver refused alerts for good", zap.Int("alerts", len(dead)), zap.String("reason", dead[0].Reason))
			return true
		}
		if k.count.fail(err) {
			k.log.Error("dead letters cannot be written", zap.Error(err))
		}
		if !sleepSoft(r, pause.next()) {
			return false
		}
	}
}

// advance notes that the first n alerts that are held are done with, and acknowledges the messages that are wholly so.
func (k *sink) advance(ctx context.Context, n int) {
	var whole []*message
	for len(k.held) > 0 {
		h := k.held[0]
		some := min(n, len(h.alerts))
		h.alerts, h.upTo, n = h.alerts[some:], h.upTo+some, n-some
		if len(h.alerts) > 0 {
			break
		}
		whole, k.held, k.done = append(whole, h), k.held[1:], h.seq
	}
	k.acknowledge(ctx, whole)
	if len(k.held) > 0 {
		k.count.hold(k.held[0].stored)
	} else {
		k.count.hold(time.Time{})
	}
}

// acknowledge tells the stream; for the last message it waits until that is known there. What fails comes again, and is
// known again in this process; after a crash it is delivered twice.
func (k *sink) acknowledge(ctx context.Context, whole []*message) {
	for i, h := range whole {
		if i < len(whole)-1 {
			_ = h.msg.Ack()
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, callTime)
		if err := h.msg.DoubleAck(ctx); err != nil {
			k.log.Debug("an acknowledgement failed", zap.Error(err))
		}
		cancel()
	}
}

// stayOn tells the server, until the function that it gives is called, that what is held is being worked on.
func (k *sink) stayOn(ctx context.Context) func() {
	held := append([]*message(nil), k.held...)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for sleep(ctx, k.spool.opt.ackWait/3) {
			for _, h := range held {
				_ = h.msg.InProgress() // an error where it is acknowledged by now
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// sleepSoft waits; false where the daemon ends before.
func sleepSoft(r *lifetime, d time.Duration) bool {
	return sleep(r.soft, d) && r.hard.Err() == nil
}
