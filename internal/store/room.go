package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// reserveSize is the disk space a steady store sets aside for a full disk: even deleting rows needs space.
const reserveSize = 8 << 20

// lookForRoom is how often a store without its reserve tries to make it again.
const lookForRoom = 10 * time.Second

// reserve is a file beside the store that only occupies space.
type reserve struct {
	name   string // "": none is kept
	there  bool
	looked time.Time
}

// make writes the file if there is ample space.
func (r *reserve) make(now time.Time) {
	if r.name == "" || r.there || now.Sub(r.looked) >= 0 && now.Sub(r.looked) < lookForRoom {
		return
	}
	r.looked = now
	if st, err := os.Stat(r.name); err == nil && st.Size() == reserveSize {
		r.there = true
		return
	}
	if free, known := freeBytes(filepath.Dir(r.name)); known && free < 3*reserveSize {
		return
	}
	r.there = os.WriteFile(r.name, make([]byte, reserveSize), 0o600) == nil
	if !r.there {
		_ = os.Remove(r.name) // a partial reserve is useless
	}
}

// giveUp removes the file and reports whether that made space.
func (r *reserve) giveUp(now time.Time) bool {
	if !r.there {
		return false
	}
	r.there, r.looked = false, now
	return os.Remove(r.name) == nil
}

// full adds ErrFull to a failed write if the disk is full: the engine often reports no more than an I/O error. It tries a write,
// because free bytes do not show a quota.
func (s *Store) full(err error) error {
	if !errors.Is(err, sqlite3.IOERR) || errors.Is(err, ErrFull) {
		return err
	}
	name := s.file + ".probe"
	probe := errors.Join(os.WriteFile(name, make([]byte, 64<<10), 0o600), os.Remove(name))
	if errors.Is(probe, syscall.ENOSPC) || errors.Is(probe, syscall.EDQUOT) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}

// relieve makes space on a full disk by removing the reserve. The caller holds s.writing.
func (s *Store) relieve(ctx context.Context, now time.Time) bool {
	given := s.reserve.giveUp(now)
	_ = s.checkpoint(ctx) // best effort: a shorter log frees space
	return given
}

// writeTwice runs a transaction, and runs it again if the disk was full and the reserve could be given up. The caller holds s.writing.
func (s *Store) writeTwice(ctx context.Context, now time.Time, do func() error) error {
	err := do()
	if errors.Is(err, ErrFull) && s.reserve.name != "" && s.relieve(ctx, now) {
		err = do()
	}
	if err == nil {
		s.reserve.make(now)
	}
	return err
}
