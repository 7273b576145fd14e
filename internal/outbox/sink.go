package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// sink is one receiver with its own position, its own goroutine and its own waits.
type sink struct {
	outbox *Outbox
	name   string
	log    *zap.Logger
	to     alert.Sink
	pass   func(*alert.Alert) bool
	most   int   // alerts per delivery
	saved  int64 // position in the store, owned by the saving goroutine; -1: not in the store yet

	mu       sync.Mutex
	position int64 // sequence of the last alert that is done
	now      SinkStats
	oldest   time.Time // when the oldest alert being delivered was stored; zero: none
}

// held is an alert that was read and is not done yet.
type held struct {
	*alert.Alert
	row store.Outgoing
}

// The waits between tries: random, up to a bound that doubles (full jitter).
const (
	leastPause = 500 * time.Millisecond
	mostPause  = 60 * time.Second
	readAgain  = time.Second // after the store could not be read
	mostWait   = time.Hour   // longest Retry-After that is honoured
	mostReason = 1 << 10     // bytes of a dead letter's reason
)

// run reads and delivers in order until the lifetime ends.
func (k *sink) run(r *lifetime) {
	for r.hard.Err() == nil {
		stored, last := k.outbox.store.Stored(), r.soft.Err() != nil // taken before reading, so that no alert is missed in between
		rows, err := k.outbox.store.Outgoing(r.hard, k.at(), k.most)
		switch {
		case err != nil:
			if k.fail(err) {
				k.log.Error("the store cannot be read; alerts wait", zap.Error(err))
			}
			if !sleep(r.soft, readAgain) {
				return
			}
		case len(rows) > 0:
			if !k.deliver(r, k.filter(rows), rows[len(rows)-1].Sequence) {
				return
			}
		case last:
			return
		default:
			select {
			case <-stored:
			case <-r.soft.Done():
			}
		}
	}
}

// filter decodes rows and drops those that the sink's filter excludes.
func (k *sink) filter(rows []store.Outgoing) []held {
	out := make([]held, 0, len(rows))
	var filtered, damaged uint64
	for _, row := range rows {
		a, inMemory := row.Value.(*alert.Alert)
		var err error
		if !inMemory {
			a = new(alert.Alert)
			err = json.Unmarshal(row.Body, a)
		}
		if err != nil {
			k.log.Error("a row of the store holds no alert", zap.Int64("sequence", row.Sequence), zap.Error(err))
			damaged++
		} else if k.pass(a) {
			out = append(out, held{a, row})
		} else {
			filtered++
		}
	}
	k.change(func(s *SinkStats) { s.Filtered += filtered; s.Damaged += damaged })
	return out
}

// errStopped replaces the missing error of a sink that stops within a batch.
var errStopped = errors.New("the sink stopped without a reason")

// deliver sends a batch to the receiver, however long that takes, and then moves the position to last, behind filtered rows too.
// The soft end interrupts a pause for one more try, as the receiver may be back; the first failure of a try that begins after it
// returns false, and the rest stays in the store.
func (k *sink) deliver(r *lifetime, batch []held, last int64) bool {
	pause := backoff{least: leastPause, most: mostPause}
	for len(batch) > 0 {
		k.hold(batch[0].row.Stored)
		ending := r.soft.Err() != nil
		n, err := k.hand(r, batch)
		if n > 0 {
			k.advance(batch[n-1].row.Sequence)
			batch = batch[n:]
			pause.bound = 0
		}
		if err == nil {
			k.change(func(s *SinkStats) { s.Circuit, s.Error = Closed, "" })
			continue
		}
		if k.fail(err) {
			k.log.Warn("the receiver fails; its alerts wait in the store", zap.Error(err))
		}
		if !ending {
			sleep(r.soft, max(pause.next(), asked(err)))
		}
		if ending || r.hard.Err() != nil {
			k.hold(time.Time{})
			return false
		}
		k.change(func(s *SinkStats) { s.Circuit = Half })
	}
	k.hold(time.Time{})
	k.advance(last)
	return true
}

// hand sends a batch to the sink and stores what the receiver rejects for good as dead letters. It returns how many alerts from
// the front are done; if that is not all, err is not nil.
func (k *sink) hand(r *lifetime, batch []held) (int, error) {
	alerts := make([]*alert.Alert, len(batch))
	for i := range batch {
		alerts[i] = batch[i].Alert
	}
	n, rejected, err := k.to.Deliver(r.hard, alerts)
	if n = min(max(n, 0), len(batch)); n == len(batch) {
		err = nil
	} else if err == nil {
		err = errStopped
	}
	var dead []store.DeadLetter
	for _, one := range rejected {
		if one.Index >= 0 && one.Index < n {
			h := &batch[one.Index]
			dead = append(dead, store.DeadLetter{Sink: k.name, Sequence: h.row.Sequence, Rejected: k.outbox.opt.Now(), Reason: cut(one.Reason), Body: body(h.Alert)})
		}
	}
	if len(dead) > 0 {
		if err := k.bury(r, dead); err != nil {
			return 0, err // the batch is delivered again
		}
	}
	k.change(func(s *SinkStats) { s.Delivered += uint64(n - len(dead)); s.Rejected += uint64(len(dead)) })
	return n, err
}

// cut bounds a reason, which is text of a receiver.
func cut(reason string) string { return reason[:min(len(reason), mostReason)] }

// bury writes dead letters and retries until that works: they must be on disk before the next alert is sent.
func (k *sink) bury(r *lifetime, dead []store.DeadLetter) error {
	pause := backoff{least: leastPause, most: mostPause}
	for {
		lost, err := k.outbox.store.PutDead(r.hard, dead)
		if err == nil {
			k.change(func(s *SinkStats) { s.DeadLost += uint64(lost) })
			k.log.Warn("the receiver rejected alerts for good", zap.Int("alerts", len(dead)), zap.String("reason", dead[0].Reason))
			return nil
		}
		if k.fail(err) {
			k.log.Error("dead letters cannot be written", zap.Error(err))
		}
		if !sleep(r.soft, pause.next()) || r.hard.Err() != nil {
			return err
		}
	}
}

func (k *sink) at() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.position
}

func (k *sink) advance(to int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.position = to
}

// hold notes the age of the oldest alert being delivered, for SinkStats.Lag; zero: none.
func (k *sink) hold(since time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.oldest = since
}

func (k *sink) change(f func(*SinkStats)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(&k.now)
}

// fail records an error and reports whether the sink worked until now.
func (k *sink) fail(err error) (first bool) {
	k.change(func(s *SinkStats) {
		first = s.Circuit == Closed
		s.Circuit, s.Error = Broken, err.Error()
		s.Retries++
	})
	return first
}

func (k *sink) stats(now time.Time) SinkStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := k.now
	out.Name = k.name
	if !k.oldest.IsZero() {
		out.Lag = max(0, now.Sub(k.oldest))
	}
	return out
}

// backoff returns how long to wait between tries: at random up to a bound that doubles from least to most.
type backoff struct{ least, most, bound time.Duration }

func (b *backoff) next() time.Duration {
	b.bound = min(max(b.bound*2, b.least), b.most)
	return rand.N(b.bound) + 1
}

// asked returns the wait that a receiver asked for (Retry-After); 0 if none.
func asked(err error) time.Duration {
	var says interface{ RetryAfter() time.Duration }
	if !errors.As(err, &says) {
		return 0
	}
	return min(max(says.RetryAfter(), 0), mostWait)
}

// sleep waits for d. It returns false if ctx was done before.
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
