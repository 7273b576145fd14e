package store

import (
	"context"
	"fmt"
	"time"
)

// Retention says what may be deleted. Zero means no limit.
type Retention struct {
	// Detail is how long detail is kept: hours of contacts and of coverage, unmatched names and contacts, former names of
	// hosts, hosts without evidence, and resolved alerts.
	Detail time.Duration
	// Findings is how long a finding is kept after it was last seen, with all that belongs to it, and a host after it was.
	Findings time.Duration
	// Bytes is how much the file may hold. Beyond it the oldest detail goes first, a day at a time: what matched nothing, then
	// hosts without evidence of any vendor, then the hours of contacts; then whole findings, the longest unseen first.
	Bytes int64
}

// Retained counts what Retain deleted.
type Retained struct {
	Rows     int64 // of detail
	Findings int
	Used     int64 // bytes in use now
	File     int64 // bytes of the file now
	Over     bool  // Used is still over the limit; nothing more may be deleted
}

// Retain deletes what is too old or too much, and returns free pages to the system.
func (s *Store) Retain(ctx context.Context, r Retention, now time.Time) (Retained, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var out Retained
	if err := s.age(ctx, r, now, &out); err != nil {
		return out, err
	}
	if err := s.shrink(ctx, r.Bytes, &out); err != nil {
		return out, err
	}
	if err := s.giveBack(ctx); err != nil {
		return out, err
	}
	var err error
	out.File, out.Used, err = s.used(ctx)
	out.Over = r.Bytes > 0 && out.Used > r.Bytes
	return out, plain(err)
}

// age deletes what is older than its retention. Each step is a transaction of its own: a crash between them leaves orphans, which the
// next call removes.
func (s *Store) age(ctx context.Context, r Retention, now time.Time, out *Retained) error {
	if r.Detail > 0 {
		from := now.Add(-r.Detail)
		n, err := s.remove(ctx, map[string]int64{"old.hours": hourOf(from), "old.coverage": hourOf(from), "old.unmatched": DayOf(from),
			"old.names": nanos(from), "old.alerts": nanos(from), "old.idle": nanos(from)})
		if out.Rows += n; err != nil {
			return err
		}
		if err := s.orphans(ctx); err != nil {
			return err
		}
	}
	if r.Findings <= 0 {
		return nil
	}
	before := nanos(now.Add(-r.Findings))
	ids, err := s.ids(ctx, "old.findings", before)
	if err != nil {
		return err
	}
	if err := s.forget(ctx, ids); err != nil {
		return err
	}
	out.Findings += len(ids)
	if err := s.begin(ctx, func(t *tx) error { return t.do("old.hosts", before) }); err != nil {
		return err
	}
	return s.orphans(ctx)
}

// orphans deletes what belonged to deleted hosts.
func (s *Store) orphans(ctx context.Context) error {
	return s.begin(ctx, func(t *tx) error {
		t.do("old.states")
		return t.do("old.addresses")
	})
}

func (s *Store) remove(ctx context.Context, before map[string]int64) (n int64, err error) {
	err = s.begin(ctx, func(t *tx) error {
		for name, limit := range before {
			res, err := t.tx.ExecContext(ctx, queries[name], limit)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			rows, err := res.RowsAffected()
			if err != nil {
				return err
			}
			n += rows
		}
		return nil
	})
	return n, err
}

func (s *Store) ids(ctx context.Context, query string, arg int64) (ids []string, err error) {
	err = s.each(ctx, query, []any{arg}, func(row scanner) error {
		var id string
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// forget deletes findings with all that belongs to them.
func (s *Store) forget(ctx context.Context, ids []string) error {
	err := s.begin(ctx, func(t *tx) error {
		for _, id := range ids {
			for _, query := range []string{"forget.evidence", "forget.destinations", "forget.beats", "forget.hours", "forget.alerts", "forget.finding"} {
				t.do(query, id)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids { // a finding that comes back is written whole
		delete(s.written, id)
		if _, waits := s.waiting.findings[id]; !waits {
			delete(s.counts, id)
		}
	}
	return nil
}

// few is how many findings are deleted at a time.
const few = 64

// shrink deletes until at most most bytes are in use, or nothing more may be deleted.
func (s *Store) shrink(ctx context.Context, most int64, out *Retained) error {
	for most > 0 {
		_, used, err := s.used(ctx)
		if err != nil || used <= most {
			return plain(err)
		}
		gone, err := s.oldest(ctx, out)
		if err != nil || !gone {
			return err
		}
	}
	return nil
}

// oldest deletes one day of detail or a few findings; false if there are none.
func (s *Store) oldest(ctx context.Context, out *Retained) (bool, error) {
	for _, x := range []struct {
		span, query string
		step        int64
	}{{"span.unmatched", "old.unmatched", 1}, {"span.idle", "old.idle", int64(24 * time.Hour)}, {"span.hours", "old.hours", 24}} {
		var first, last int64
		if err := s.db.QueryRowContext(ctx, queries[x.span]).Scan(&first, &last); err != nil {
			return false, plain(err)
		}
		if last == 0 {
			continue
		}
		n, err := s.remove(ctx, map[string]int64{x.query: first + x.step})
		if out.Rows += n; err == nil {
			err = s.orphans(ctx)
		}
		return n > 0, err
	}
	ids, err := s.ids(ctx, "oldest.findings", few)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	out.Findings += len(ids)
	return true, s.forget(ctx, ids)
}

// giveBack truncates the file by its free pages, and empties the log.
func (s *Store) giveBack(ctx context.Context) error {
	if err := s.pragma(ctx, "incremental_vacuum"); err != nil {
		return err
	}
	return s.checkpoint(ctx)
}
