package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// OpenBeside opens a store while another process writes it: to read, and to write suppressions and alerts (PutSuppression,
// DropSuppression, PutAlert), which wait for the other's transaction. It can keep nothing else, and
// it creates and migrates nothing.
func OpenBeside(file string) (*Store, error) {
	s := newStore(file, Options{ReadOnly: true})
	if err := s.openBeside(); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", file, err), s.release())
	}
	return s, nil
}

func (s *Store) openBeside() error {
	there, err := exists(s.file)
	switch {
	case err != nil:
		return err
	case !there:
		return ErrMissing
	}
	name, err := address(s.file, "mode=rw", "_pragma=busy_timeout(5000)", "_pragma=synchronous(full)", "_pragma=trusted_schema(off)",
		"_txlock=immediate")
	if err != nil {
		return err
	}
	if s.db, err = sql.Open("sqlite3", name); err != nil {
		return plain(err)
	}
	if err := s.recognise(); err != nil {
		return plain(err)
	}
	return plain(s.identify(Options{}))
}

// PutAlert writes an alert at once, replacing one with the same id.
func (s *Store) PutAlert(ctx context.Context, a Alert) error {
	return s.now(ctx, "alert.put", a.row(new([]byte))...)
}
