package store

import (
	"context"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// batch is what the next transaction will write: the latest version of each thing, so its size is bounded by the classifier's
// tables at any packet rate.
type batch struct {
	findings  map[string]kept
	states    map[stateKey]classify.Saved
	hours     map[hourKey]counts // to be added to the rows
	coverage  map[int64]Coverage // by hour since 1970, to be added to the rows
	unmatched map[Unmatched]sighting
	alerts    *waiting
}

type kept struct {
	finding  *classify.Finding
	decision policy.Decision
	starts   []classify.Starts // nil: not known now
}

type stateKey struct{ host, vendor string }

type hourKey struct {
	finding string
	hour    int64
}

func newBatch(alerts *waiting) *batch {
	return &batch{findings: map[string]kept{}, states: map[stateKey]classify.Saved{}, hours: map[hourKey]counts{},
		coverage: map[int64]Coverage{}, unmatched: map[Unmatched]sighting{}, alerts: alerts}
}

func (b *batch) empty() bool {
	return len(b.findings)+len(b.states)+len(b.hours)+len(b.coverage)+len(b.unmatched)+len(b.alerts.byID) == 0
}

func hourOf(t time.Time) int64 { return floor(t.Unix(), 3600) }

// floor divides and rounds down, also before 1970.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// count adds the contacts of a finding since it was last kept to its hours. The classifier reports a finding at its first contact
// of an hour, so the other contacts since then belong to the hour before.
func (b *batch) count(f *classify.Finding, old counts) {
	contacts, lookups := since(f.Contacts, old.contacts), since(f.Lookups, old.lookups)
	now := hourOf(f.LastSeen)
	if !old.last.IsZero() && hourOf(old.last) < now {
		if contacts+lookups > 1 {
			before := counts{contacts: contacts - min(contacts, 1), lookups: lookups}
			if contacts == 0 {
				before.lookups--
			}
			b.addHour(f.ID, hourOf(old.last), before)
			contacts, lookups = contacts-before.contacts, lookups-before.lookups
		}
	}
	b.addHour(f.ID, now, counts{contacts: contacts, lookups: lookups})
}

// since returns how much a counter rose; a counter that fell has restarted from zero.
func since(now, old uint64) uint64 {
	if now < old {
		return now
	}
	return now - old
}

func (b *batch) addHour(finding string, hour int64, n counts) {
	if n.contacts+n.lookups == 0 {
		return
	}
	k := hourKey{finding, hour}
	was := b.hours[k]
	b.hours[k] = counts{contacts: was.contacts + n.contacts, lookups: was.lookups + n.lookups}
}

// join merges an older batch, which could not be written, into this one; newer versions win.
func (b *batch) join(old *batch) {
	under(b.findings, old.findings)
	under(b.states, old.states)
	b.alerts.under(old.alerts)
	for k, n := range old.hours {
		b.addHour(k.finding, k.hour, n)
	}
	for hour, c := range old.coverage {
		b.coverage[hour] = c.plus(b.coverage[hour])
	}
	for k, s := range old.unmatched {
		b.unmatched[k] = s.plus(b.unmatched[k])
	}
}

func under[K comparable, V any](newer, older map[K]V) {
	for k, v := range older {
		if _, ok := newer[k]; !ok {
			newer[k] = v
		}
	}
}

// Flush writes the batch. Alerts are in one transaction with their findings; if there are many of them, in several transactions, so
// that sinks need not wait for the last. After an error what was not written is kept for the next Flush.
func (s *Store) Flush(ctx context.Context, now time.Time) error {
	return s.flush(ctx, now, nil)
}

// lot is how many alerts are written in a transaction, and how many are looked up at once when some must be dropped.
const lot = 1024

// flush writes the batch. With more, all of it and more are one transaction. s.writing is held throughout, s.mu only to take the batch
// and to put back what could not be written: callers of Keep never wait for the disk. Alerts come first, each lot with its findings;
// the last lot brings the rest of the batch.
func (s *Store) flush(ctx context.Context, now time.Time, more func(*tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	b := s.waiting
	if b.empty() && more == nil {
		s.mu.Unlock()
		return nil
	}
	s.waiting, s.flying, s.inFlight, s.out.keep = s.newBatch(), b, b.alerts.count, max(mostRecent, b.alerts.count)
	s.mu.Unlock()
	var err error
	alerts := b.alerts.sorted()
	for done := false; err == nil && !done; {
		part := alerts
		if more == nil {
			part = alerts[:min(lot, len(alerts))]
		}
		done = len(part) == len(alerts)
		err = s.writeTwice(ctx, now, func() error {
			w := s.newWriter(now)
			err := s.begin(ctx, func(t *tx) error {
				w.tx = t
				if done {
					w.rest(b)
				}
				if err := w.alerts(b, part); err != nil || more == nil {
					return err
				}
				return more(t)
			})
			if err == nil {
				w.done()
			}
			return err
		})
		if err == nil { // these findings are in the file: the rest need not write them again
			for i := range part {
				delete(b.findings, part[i].Finding)
			}
			alerts = alerts[len(part):]
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying, s.inFlight = nil, 0
	if err != nil {
		b.alerts.keep(alerts)
		s.waiting.join(b)
	}
	return err
}
