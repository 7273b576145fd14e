package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/ncruces/go-sqlite3"
)

// What can be wrong with a store. Callers test with errors.Is.
var (
	ErrMissing     = errors.New("there is no such file, or it is empty")
	ErrLocked      = errors.New("another process writes it")
	ErrNewer       = errors.New("a newer avbeacon has written it; use that one, or another file")
	ErrOlder       = errors.New("an older avbeacon has written it, and it has to be brought up to date before it is read: open it for writing once")
	ErrNoStore     = errors.New("it is not an avbeacon store")
	ErrCorrupt     = errors.New("it is damaged; restore it from a backup, or begin another and keep this one for what can be read of it")
	ErrReadOnly    = errors.New("it cannot be written: the file, its folder or the disk is read-only")
	ErrFull        = errors.New("the disk is full")
	ErrOtherSensor = errors.New("it belongs to another sensor")
	ErrOtherKey    = errors.New("its identifiers were hashed with another key")
)

// plain wraps an engine error in one of this package's sentinels. The engine's own words follow in brackets.
func plain(err error) error {
	if err == nil {
		return nil
	}
	for code, word := range map[sqlite3.ErrorCode]error{
		sqlite3.BUSY: ErrLocked, sqlite3.LOCKED: ErrLocked, sqlite3.NOTADB: ErrNoStore, sqlite3.CORRUPT: ErrCorrupt,
		sqlite3.READONLY: ErrReadOnly, sqlite3.FULL: ErrFull, sqlite3.PERM: ErrReadOnly,
	} {
		if errors.Is(err, code) && !errors.Is(err, word) {
			return fmt.Errorf("%w (%w)", word, err)
		}
	}
	return err
}

// reason strips the file name from a file error: callers have written it already.
func reason(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
