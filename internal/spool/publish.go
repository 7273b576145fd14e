package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// longestWrite is the longest wait between two tries to write a message.
const longestWrite = 15 * time.Second

// waitForRoom is how often a full disk is looked at.
const waitForRoom = time.Second

// mostFailures is how often in a row a stream may take no message before its server is started anew: once, for a disk that
// is slow for a moment.
const mostFailures = 1

// next is an alert that was taken from the queue and did not fit into the last round, with its line.
type next struct {
	alert *alert.Alert
	line  []byte
}

// publish writes what waits until the queue is closed and empty, or ctx is done. The error says how much was not written.
func (s *Spool) publish(ctx context.Context) error {
	var left *next
	for {
		r := s.round(&left)
		switch {
		case r.size > 0:
			if err := s.write(ctx, r); err != nil {
				queued, _, _ := s.queue.stats()
				return fmt.Errorf("%d alerts were not written to the spool: %w", queued+r.unwritten(), err)
			}
		case s.queue.done():
			return nil
		default:
			select {
			case <-s.queue.ready:
			case <-ctx.Done(): // the queue was closed before that
			}
		}
	}
}

// round packs what waits, as far as it may be written at once.
func (s *Spool) round(left **next) *round {
	r := newRound()
	for {
		n := *left
		if n == nil {
			a := s.queue.take()
			if a == nil {
				return r
			}
			line, err := encode(a)
			if err != nil {
				s.count.lost(level(a), 1)
				s.log.Error("an alert cannot be written", zap.Error(err))
				continue
			}
			s.toCopy(line)
			n = &next{a, line}
		}
		if *left = n; !r.add(n.alert, n.line) {
			return r
		}
		*left = nil
	}
}

// toCopy writes the last copy; where it fails, the stream is still there.
func (s *Spool) toCopy(line []byte) {
	if s.copy == nil {
		return
	}
	if err := s.copy.write(line); err != nil {
		s.count.copyFailed(func() { s.log.Error("the copy of the alerts is not written", zap.Error(err)) })
	}
}

// write brings the messages of a round to the stream, each until it is there or had to give way to graver ones.
func (s *Spool) write(ctx context.Context, r *round) error {
	var group sync.WaitGroup
	var errs [severities]error
	var stored [severities]bool
	for at, p := range r.packs {
		if p != nil {
			group.Go(func() { stored[at], errs[at] = s.persist(ctx, p) })
		}
	}
	group.Wait()
	for at, p := range r.packs {
		if stored[at] {
			s.count.stored.Add(uint64(len(p.alerts)))
			r.packs[at] = nil
			if s.opt.Stored != nil {
				s.opt.Stored(p.alerts)
			}
		} else if p != nil && errs[at] == nil {
			r.packs[at] = nil
		}
	}
	return errors.Join(errs[:]...)
}

func (r *round) unwritten() (n int) {
	for _, p := range r.packs {
		if p != nil {
			n += len(p.alerts)
		}
	}
	return n
}

// persist tries until the message is in the stream; false says that it was dropped for graver ones.
func (s *Spool) persist(ctx context.Context, p *pack) (bool, error) {
	pause := backoff{least: 50 * time.Millisecond, most: longestWrite}
	for {
		err := s.send(ctx, p)
		switch {
		case err == nil:
			s.count.wait(nil)
			return true, nil
		case full(err):
			room, gone := s.giveWay(ctx, p)
			if room {
				continue
			} else if gone == nil {
				return false, nil
			}
			err = gone
		}
		if ctx.Err() != nil {
			return false, err
		}
		if s.count.wait(err) {
			s.log.Error("alerts wait in memory", zap.Error(err))
		}
		if err := s.pause(ctx, &pause, err); err != nil {
			return false, err
		}
	}
}

// pause waits for room or for the server, and mends what can be mended.
func (s *Spool) pause(ctx context.Context, b *backoff, why error) error {
	wait := b.next()
	if errors.Is(why, errNoRoom) {
		wait = waitForRoom
	}
	if !sleep(ctx, wait) {
		return why
	}
	s.mending.Lock() // the messages of a round fail together
	defer s.mending.Unlock()
	if e, _ := s.live(); e != nil && (errors.Is(why, errNoRoom) || full(why) || e.answers(ctx) == nil) {
		return nil
	}
	if err := s.repair(); err != nil && s.count.wait(err) {
		s.log.Error("the spool's server cannot be started", zap.Error(err))
	}
	return nil
}

// answers asks whether the stream takes messages.
func (e *engine) answers(ctx context.Context) error {
	if e.failed.Load() > mostFailures {
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err := e.js.Stream(ctx, e.name)
	return err
}

// send writes a message once and waits until it is on the disk.
func (s *Spool) send(ctx context.Context, p *pack) error {
	if err := s.room(len(p.data)); err != nil {
		return err
	}
	e, err := s.live()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if err := e.ensureOnce(ctx); err != nil {
		return fmt.Errorf("make the stream: %w", err)
	}
	ack, err := e.js.PublishMsg(ctx, e.message(p), jetstream.WithMsgID(p.id()), jetstream.WithExpectStream(e.name))
	if err != nil {
		if !full(err) {
			e.made.Store(false)
			e.failed.Add(1) // a stream with a failed disk answers all but this
		}
		return fmt.Errorf("write to the stream: %w", err)
	}
	e.failed.Store(0)
	s.noteLast(ack.Sequence)
	return nil
}

// ensureOnce makes the stream, once a connection.
func (e *engine) ensureOnce(ctx context.Context) error {
	if e.made.Load() {
		return nil
	}
	err := e.ensure(ctx)
	e.made.Store(err == nil)
	return err
}

func (s *Spool) noteLast(seq uint64) {
	for {
		old := s.lastSeq.Load()
		if seq <= old || s.lastSeq.CompareAndSwap(old, seq) {
			return
		}
	}
}

// giveWay makes room in a full stream. Without an error, false says that the message itself has to go, and counts it.
func (s *Spool) giveWay(ctx context.Context, p *pack) (bool, error) {
	s.mending.Lock() // one at a time: room for one is room for others
	defer s.mending.Unlock()
	e, err := s.live()
	if err != nil {
		return false, err
	}
	out, room, err := e.makeRoom(ctx, p.level, len(p.data))
	if err != nil {
		return false, err
	}
	s.count.aged.Add(out.aged)
	for at, n := range out.alerts {
		s.drop(at, n)
	}
	if !room {
		s.drop(p.level, uint64(len(p.alerts)))
	}
	return room, nil
}

// drop counts and says what a full stream lost.
func (s *Spool) drop(at int, n uint64) {
	if n == 0 {
		return
	}
	s.count.lost(at, n)
	if folded := s.count.sayLoss(s.opt.Now(), n); folded > 0 {
		s.log.Warn("the spool is full: alerts of the lowest severity were dropped that not every sink had",
			zap.String("severity", severity(at)), zap.Uint64("alerts", folded))
	}
}

// sleep waits; false where ctx was done before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flags are what is known of an engine's stream.
type flags struct {
	made   atomic.Bool  // it is there
	failed atomic.Int32 // so many messages in a row it did not take
}
