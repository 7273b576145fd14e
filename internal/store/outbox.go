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
	Body     json.RawMessage // Alert.Body; nil with a Value
	Value    any             // Alert.Value if the alert is still in memory, else nil
}

// outbox is the writer's view of those tables. Store.mu guards it.
type outbox struct {
	limit     int64            // bytes
	mostDead  int64            // bytes
	last      int64            // greatest sequence
	positions map[string]int64 // of every sink that ever had one
	backlog   map[int64]tally  // alerts behind the slowest sink, by block of sequences
	waiting   tally            // sum of backlog: at most a block more than the slowest sink lacks
	recent    []Outgoing       // the last alerts, without a gap: sinks that keep up need not read and decode them
	keep      int              // as many recent: mostRecent, or what one flush wrote, which was in memory anyway
	counters  OutboxStats
	stored    chan struct{} // closed when alerts were stored
}

// tally counts alerts and the bytes that they take.
type tally struct{ alerts, bytes int64 }

const (
	perBlock   = 64   // sequences
	mostRecent = 4096 // alerts, of about 3 KB
)

// change is what a transaction does to the tally of a sequence.
type change struct {
	sequence int64
	tally
}

func (o *outbox) count(x change) {
	n := x.sequence / perBlock
	was := o.backlog[n]
	o.backlog[n] = tally{was.alerts + x.alerts, was.bytes + x.bytes}
	o.waiting = tally{o.waiting.alerts + x.alerts, o.waiting.bytes + x.bytes}
}

// floor is the sequence up to which every sink is done; 0 if there is no sink.
func (o *outbox) floor() int64 {
	if len(o.positions) == 0 {
		return 0
	}
	return slices.Min(slices.Collect(maps.Values(o.positions)))
}

// moved forgets what every sink is done with.
func (o *outbox) moved() {
	floor := o.floor()
	for n, t := range o.backlog {
		if n < floor/perBlock {
			o.waiting = tally{o.waiting.alerts - t.alerts, o.waiting.bytes - t.bytes}
			delete(o.backlog, n)
		}
	}
	done := slices.IndexFunc(o.recent, func(a Outgoing) bool { return a.Sequence > floor })
	if done < 0 {
		done = len(o.recent)
	}
	o.recent = slices.Delete(o.recent, 0, done) // clears them
}

// OutboxStats counts since the process began; Waiting is current.
type OutboxStats struct {
	Waiting int                // alerts in memory that are to be written
	Pending int                // as many may wait
	Stored  uint64             // alerts
	Dropped [severities]uint64 // alerts dropped because too many waited in memory, by policy.Severity
	Purged  [severities]uint64 // alerts dropped from a full outbox before every sink had them
	Bytes   int64              // that alerts take which not every sink had
	Limit   int64              // of Bytes
}

// OutboxStats returns the counters.
func (s *Store) OutboxStats() OutboxStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.out.counters
	out.Waiting, out.Pending, out.Dropped = s.waiting.alerts.count+s.inFlight, s.pending, s.dropped
	out.Bytes, out.Limit = s.out.waiting.bytes, s.out.limit
	return out
}

// Stored returns a channel that is closed as soon as more alerts are in the outbox.
func (s *Store) Stored() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.stored
}

// Outgoing returns the alerts after a sequence in order, at most most.
func (s *Store) Outgoing(ctx context.Context, after int64, most int) ([]Outgoing, error) {
	s.mu.Lock()
	if r := s.out.recent; len(r) > 0 && r[0].Sequence <= after+1 {
		r = r[min(after+1-r[0].Sequence, int64(len(r))):]
		defer s.mu.Unlock()
		return slices.Clone(r[:min(most, len(r))]), nil
	}
	s.mu.Unlock()
	out := make([]Outgoing, 0, most)
	err := s.each(ctx, "outbox.next", []any{after, most}, func(row scanner) error {
		var a Outgoing
		var stored int64
		var body []byte
		err := row.Scan(&a.Sequence, &stored, &body)
		a.Stored, a.Body = instant(stored), unpack(body)
		out = append(out, a)
		return err
	})
	return out, err
}

// Behind counts the alerts after a sequence. Its cost grows neither with them nor with the store: only one block is read.
func (s *Store) Behind(ctx context.Context, after int64) (alerts int64, err error) {
	s.mu.Lock()
	last := s.out.last
	s.mu.Unlock()
	if after >= last {
		return 0, nil
	}
	block := after / perBlock
	err = s.each(ctx, "outbox.between", []any{after, (block + 1) * perBlock}, func(row scanner) error { return row.Scan(&alerts) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, t := range s.out.backlog {
		if n > block {
			alerts += t.alerts
		}
	}
	return alerts, err
}

// AddSink returns the position of a sink. A new one begins at what the known sinks still lack, the first of all at the oldest alert;
// its position is valid even if it could not be written.
func (s *Store) AddSink(ctx context.Context, name string) (int64, error) {
	s.mu.Lock()
	at, known := s.out.positions[name]
	if !known {
		at = s.out.floor()
	}
	s.mu.Unlock()
	if known {
		return at, nil
	}
	return at, s.position(ctx, "sink.add", map[string]int64{name: at})
}

// Positions returns the position of every sink that ever had one, by name: all alerts up to that sequence are done.
func (s *Store) Positions() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.out.positions)
}

// SetPositions moves sinks forward. Unlike other writes it does not wait for the disk: if a power cut undoes it, alerts are only
// delivered twice.
func (s *Store) SetPositions(ctx context.Context, at map[string]int64) error {
	return s.position(ctx, "sink.put", at)
}

func (s *Store) position(ctx context.Context, query string, at map[string]int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.relaxed(ctx, func() error {
		return s.begin(ctx, func(t *tx) error {
			for name, sequence := range at {
				t.do(query, sequence, name)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, sequence := range at {
		s.out.positions[name] = max(sequence, s.out.positions[name])
	}
	s.out.moved()
	return nil
}

// openOutbox reads the state of the outbox from the file.
func (s *Store) openOutbox(ctx context.Context) error {
	if s.read {
		return nil
	}
	o := &s.out
	o.positions, o.backlog = map[string]int64{}, map[int64]tally{}
	err := s.each(ctx, "sink.all", nil, func(row scanner) error {
		var name string
		var at int64
		err := row.Scan(&name, &at)
		o.positions[name] = at
		o.last = max(o.last, at) // the alerts before it may be gone
		return err
	})
	if err != nil {
		return err
	}
	return s.each(ctx, "outbox.blocks", []any{o.floor(), perBlock}, func(row scanner) error {
		var x change
		err := row.Scan(&x.sequence, &x.alerts, &x.bytes)
		o.count(x)
		o.last = max(o.last, x.sequence)
		return err
	})
}

// stagedOutbox is what the current transaction does to the outbox. It becomes part of outbox after the commit.
type stagedOutbox struct {
	last    int64
	bytes   int64 // as outbox.waiting
	changes []change
	recent  []Outgoing
	purged  [severities]uint64
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
	row, next := a.row(&w.room), w.out.last+1
	size := pagesOf(len(row[len(row)-1].([]byte)))
	w.tx.do("alert.send", append(row, next, size)...)
	if w.tx.rows > 0 {
		w.out.last, w.out.bytes = next, w.out.bytes+size
		w.out.changes = append(w.out.changes, change{next, tally{1, size}})
		x := Outgoing{Sequence: next, Stored: a.Sent, Body: a.Body, Value: a.Value}
		if x.Value != nil {
			x.Body = nil
		}
		w.out.recent = append(w.out.recent, x)
	}
}

// bound deletes alerts of a full outbox: the oldest of the lowest severity that not every sink has. It deletes a little more
// than it must, so that it need not run for each alert.
func (w *writer) bound() error {
	limit := w.store.out.limit
	for at := 0; at < severities && w.out.bytes > limit; at++ {
		if err := w.drop(at, limit-limit/64); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes alerts of a severity, the oldest first, until the outbox has at most most bytes.
func (w *writer) drop(severity int, most int64) error {
	for after := w.floor; w.out.bytes > most; {
		var list []change
		err := w.tx.each("outbox.least", []any{severity, after, lot}, func(r scanner) error {
			var one change
			err := r.Scan(&one.sequence, &one.bytes)
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
			w.out.bytes -= one.bytes
			w.out.changes = append(w.out.changes, change{one.sequence, tally{-1, -one.bytes}})
			w.out.purged[severity]++
			after = one.sequence
		}
		if len(list) < lot {
			return w.tx.err
		}
	}
	return nil
}

// commit takes over what a committed transaction did to the outbox. The caller holds Store.mu.
func (o *outbox) commit(x *stagedOutbox) {
	o.last = x.last
	for _, c := range x.changes {
		o.count(c)
	}
	o.counters.Stored += uint64(len(x.recent))
	o.recent = append(o.recent, x.recent...)
	if most := len(o.recent) - o.keep; most > 0 {
		o.recent = slices.Delete(o.recent, 0, most)
	}
	if x.purged != [severities]uint64{} || len(o.positions) == 0 { // there are gaps, or nobody reads
		o.recent = nil
	}
	for at, n := range x.purged {
		o.counters.Purged[at] += n
	}
	if len(x.recent) > 0 {
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
			if err := t.each("dead.bytes", nil, func(row scanner) error { return row.Scan(&bytes) }); err != nil || bytes <= s.out.mostDead {
				return err
			}
			var gone []DeadLetter
			err := t.each("dead.oldest", nil, func(row scanner) error {
				var d DeadLetter
				var size int64
				err := row.Scan(&d.Sink, &d.Sequence, &size)
				if bytes > s.out.mostDead {
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
