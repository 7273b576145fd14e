//go:build unix && !solaris && !aix

package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps other processes off; the system takes it back when this one ends, however it ends.
type lock struct{ file *os.File }

func takeLock(file string) (*lock, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, err
	}
	return &lock{file: f}, nil
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// lockFile waits until no other process holds the open file; closing it gives it free.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) }
