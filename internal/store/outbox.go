package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The outbox is the alerts kept with Send set, in order, and the position of each sink. An alert enters it in the transaction that
// writes its finding. It stays in the store after every sink has it, because the next run must know what was sent. internal/outbox
// reads and delivers.

// Outgoing is an alert of the outbox.
type Outgoing struct {
	Sequence int64 // greater than of all that were stored before
	Stored   time.Time
	Body     json.RawMessage // Alert.Body
}

// Defaults of Options.
const (
	defaultAlerts  = 256 << 20 // bytes, about 65,000 alerts
	defaultPending = 1 << 16   // alerts
)

// outbox is the writer's view of those tables. Store.writing guards it; Store.mu guards the counters.
type outbox struct {
	limit    int64 // bytes
	last     int64 // greatest sequence
	bytes    int64 // that alerts take which not every sink had, at most
	counters OutboxStats
	stored   chan struct{} // closed when alerts were stored
}

// OutboxStats counts since the process began; Waiting is current.
type OutboxStats struct {
	Waiting int                // alerts in memory that are to be written
	Pending int                // as many may wait
	Stored  uint64             // alerts
	Dropped [severities]uint64 // alerts dropped because too many waited in memory, by policy.Severity
	Purged  [severities]uint64 // alerts dropped from a full outbox before every sink had them
	Limit   int64              // of the bytes that alerts take which not every sink had
}

// OutboxStats returns the counters.
func (s *Store) OutboxStats() OutboxStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.out.counters
	out.Waiting, out.Pending, out.Dropped = s.waiting.alerts.count+s.inFlight, s.pending, s.dropped
	out.Limit = s.out.limit
	return out
}

// Stored returns a channel that is closed as soon as more alerts are in the outbox.
func (s *Store) Stored() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.stored
}

// Outgoing returns the alerts behind a sequence in order, at most most.
func (s *Store) Outgoing(ctx context.Context, after int64, most int) ([]Outgoing, error) {
	out := make([]Outgoing, 0, most)
	err := s.each(ctx, "outbox.next", []any{after, most}, func(row scanner) error {
		var a Outgoing
		var stored int64
		err := row.Scan(&a.Sequence, &stored, (*[]byte)(&a.Body))
		a.Stored = instant(stored)
		out = append(out, a)
		return err
	})
	return out, err
}

// Behind counts the alerts behind a sequence, and the bytes that they take.
func (s *Store) Behind(ctx context.Context, after int64) (alerts, bytes int64, err error) {
	err = s.each(ctx, "outbox.behind", []any{after}, func(row scanner) error { return row.Scan(&alerts, &bytes) })
	return alerts, bytes, err
}

// AddSink gives a new sink a position before the oldest alert. It returns the sink's position, new or old.
func (s *Store) AddSink(ctx context.Context, name string) (int64, error) {
	if err := s.now(ctx, "sink.add", name); err != nil {
		return 0, err
	}
	all, err := s.Positions(ctx)
	return all[name], err
}

// Positions returns the position of every sink that ever had one, by name: all alerts up to that sequence are done.
func (s *Store) Positions(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.each(ctx, "sink.all", nil, func(row scanner) error {
		var name string
		var at int64
		err := row.Scan(&name, &at)
		out[name] = at
		return err
	})
	return out, err
}

// SetPositions moves sinks forward. Unlike other writes it does not wait for the disk: if a power cut undoes it, alerts are only
// delivered twice.
func (s *Store) SetPositions(ctx context.Context, at map[string]int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.relaxed(ctx, func() error {
		return s.begin(ctx, func(t *tx) error {
			for name, sequence := range at {
				t.do("sink.put", sequence, name)
			}
			return nil
		})
	})
}

// LastSequence returns the sequence of the outbox's last alert.
func (s *Store) LastSequence() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.last
}

// Settle removes from the outbox the alerts after a sequence that every sink has, so that a new sink does not get them. They stay in
// the store.
func (s *Store) Settle(ctx context.Context, after int64) error {
	return s.now(ctx, "outbox.settle", after)
}

// openOutbox reads the outbox's counters from the file.
func (s *Store) openOutbox(ctx context.Context) error {
	if s.read {
		return nil
	}
	last, err := s.number(ctx, "outbox.last")
	if err != nil {
		return err
	}
	positions, err := s.Positions(ctx)
	for _, at := range positions { // the alerts behind them may be gone
		last = max(last, at)
	}
	if err == nil {
		_, s.out.bytes, err = s.Behind(ctx, floorOf(positions))
	}
	s.out.last = last
	return err
}

// floorOf is the sequence up to which every sink is done; 0 where there is no sink.
func floorOf(positions map[string]int64) int64 {
	if len(positions) == 0 {
		return 0
	}
	return slices.Min(slices.Collect(maps.Values(positions)))
}

// stagedOutbox is the state of the outbox once the current transaction is committed.
type stagedOutbox struct {
	last, bytes int64
	stored      uint64
	purged      [severities]uint64
}

// pageSize is the engine's.
const pageSize = 4096

// pagesOf returns the bytes that a row with a body occupies in the file: its share of a page, and overflow pages for what does not
// fit (https://sqlite.org/fileformat2.html, section 1.6: at least 489 bytes of a long row stay on its page).
func pagesOf(body int) int64 {
	const most, least, overflow = 4061, 489, pageSize - 4
	row := int64(body) + 100 // id, finding, numbers, and its entries in the indexes
	var pages int64
	if row > most {
		pages, row = (row-least)/overflow, least+(row-least)%overflow
		if row > most {
			pages, row = pages+1, least
		}
	}
	return pages*pageSize + pageSize/max(1, pageSize/row)
}

// send writes an alert with the next sequence, unless it was sent before.
func (w *writer) send(a *Alert) {
	size := pagesOf(len(a.Body))
	w.tx.do("alert.send", a.ID, a.Finding, a.Rule, int(a.Severity), a.State, nanos(a.Changed), nanos(a.Told), string(a.Body), w.out.last+1, size)
	if w.tx.rows > 0 {
		w.out.last++
		w.out.stored++
		w.out.bytes += size
	}
}

// bound deletes alerts of a full outbox: the oldest of the lowest severity that not every sink has. It deletes a little more
// than it must, so that it need not run for each alert.
func (w *writer) bound() error {
	limit := w.store.out.limit
	if w.out.bytes <= limit {
		return nil
	}
	var floor int64
	err := w.tx.each("sink.floor", nil, func(row scanner) error { return row.Scan(&floor) })
	if err != nil {
		return err
	}
	var alerts int64
	err = w.tx.each("outbox.behind", []any{floor}, func(row scanner) error { return row.Scan(&alerts, &w.out.bytes) })
	if err != nil || w.out.bytes <= limit {
		return err
	}
	for at := 0; at < severities && err == nil; at++ {
		err = w.drop(at, floor, limit-limit/64)
	}
	return err
}

// drop deletes alerts of a severity, the oldest first, until the outbox has at most most bytes.
func (w *writer) drop(severity int, floor, most int64) error {
	const lot = 1024
	for w.out.bytes > most {
		type row struct{ sequence, size int64 }
		var list []row
		err := w.tx.each("outbox.least", []any{severity, floor, lot}, func(r scanner) error {
			var one row
			err := r.Scan(&one.sequence, &one.size)
			list = append(list, one)
			return err
		})
		if err != nil {
			return err
		}
		for _, one := range list {
			if w.out.bytes <= most {
				return nil
			}
			w.tx.do("outbox.drop", one.sequence)
			w.out.bytes -= one.size
			w.out.purged[severity]++
		}
		if len(list) < lot {
			return w.tx.err
		}
	}
	return nil
}

// commit takes over what a committed transaction did to the outbox. The caller holds Store.mu.
func (o *outbox) commit(x *stagedOutbox) {
	o.last, o.bytes = x.last, x.bytes
	c := &o.counters
	c.Stored += x.stored
	for at, n := range x.purged {
		c.Purged[at] += n
	}
	if x.stored > 0 {
		close(o.stored)
		o.stored = make(chan struct{})
	}
}

// DeadLetter is an alert that a receiver rejected for good.
type DeadLetter struct {
	Sink     string
	Sequence int64 // of the outbox
	Rejected time.Time
	Reason   string
	Body     json.RawMessage // as of the outbox
}

// mostDead bounds the bodies of all dead letters, in bytes. Beyond it the oldest go.
const mostDead = 64 << 20

// PutDead writes dead letters at once, and returns how many older ones had to go. One of the same sink and sequence is
// replaced.
func (s *Store) PutDead(ctx context.Context, list []DeadLetter) (lost int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	err = s.writeTwice(ctx, time.Now(), func() error {
		return s.begin(ctx, func(t *tx) error {
			for _, d := range list {
				t.do("dead.put", d.Sink, d.Sequence, nanos(d.Rejected), d.Reason, string(d.Body))
			}
			var bytes int64
			if err := t.each("dead.bytes", nil, func(row scanner) error { return row.Scan(&bytes) }); err != nil || bytes <= mostDead {
				return err
			}
			var gone []DeadLetter
			err := t.each("dead.oldest", nil, func(row scanner) error {
				var d DeadLetter
				var size int64
				err := row.Scan(&d.Sink, &d.Sequence, &size)
				if bytes > mostDead {
					bytes -= size
					gone = append(gone, d)
				}
				return err
			})
			for _, d := range gone {
				t.do("dead.drop", d.Sink, d.Sequence)
			}
			lost = len(gone)
			return err
		})
	})
	if err != nil {
		return 0, fmt.Errorf("write dead letters: %w", err)
	}
	return lost, nil
}

// DeadLetters returns a sink's dead letters behind a sequence in order, at most most.
func (s *Store) DeadLetters(ctx context.Context, sink string, after int64, most int) ([]DeadLetter, error) {
	var out []DeadLetter
	err := s.each(ctx, "dead.of", []any{sink, after, most}, func(row scanner) error {
		d := DeadLetter{Sink: sink}
		var at int64
		err := row.Scan(&d.Sequence, &at, &d.Reason, (*[]byte)(&d.Body))
		d.Rejected = instant(at)
		out = append(out, d)
		return err
	})
	return out, err
}

// DropDead removes dead letters at once.
func (s *Store) DropDead(ctx context.Context, sink string, sequences []int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.begin(ctx, func(t *tx) error {
		for _, n := range sequences {
			t.do("dead.drop", sink, n)
		}
		return nil
	})
}
