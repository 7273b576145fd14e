package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a whole, consistent copy of the store to a new file, even while another process writes. The copy is the
// store at one moment, without free pages.
func (s *Store) Backup(ctx context.Context, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("backup to %s: it exists", to)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("backup to %s: %w", to, reason(err))
	}
	beside, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*") // 0600, and empty: the engine fills it
	if err != nil {
		return fmt.Errorf("backup to %s: %w", to, reason(err))
	}
	name := beside.Name()
	if err := beside.Close(); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	if _, err := s.db.ExecContext(ctx, "VACUUM INTO $1", name); err != nil {
		return errors.Join(fmt.Errorf("backup to %s: %w", to, plain(err)), os.Remove(name))
	}
	if err := os.Rename(name, to); err != nil {
		return errors.Join(fmt.Errorf("backup to %s: %w", to, reason(err)), os.Remove(name))
	}
	return nil
}

// Check looks for damage in every page, record and index. It may take a while, and lets others write meanwhile.
func (s *Store) Check(ctx context.Context) error {
	return plain(s.check(ctx, "integrity_check"))
}

// Stats is how much a store holds.
type Stats struct {
	Sensor string           `json:"sensor"`
	Schema int              `json:"schema"`
	File   int64            `json:"file_bytes"` // without the log
	Used   int64            `json:"used_bytes"`
	Rows   map[string]int64 `json:"rows"`
}

// Stats counts the rows of the store.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	x := Stats{Sensor: s.sensor, Rows: map[string]int64{}}
	var err error
	if x.Schema, err = s.schema(); err != nil {
		return x, plain(err)
	}
	if x.File, x.Used, err = s.used(ctx); err != nil {
		return x, plain(err)
	}
	for _, table := range []string{"hosts", "host_names", "states", "findings", "evidence", "destinations", "beats", "contact_hours", "alerts", "sinks", "dead_letters",
		"suppressions", "coverage_hours", "catalogs", "runs", "inputs", "unmatched"} {
		var n int64
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			return x, plain(err)
		}
		x.Rows[table] = n
	}
	return x, nil
}
