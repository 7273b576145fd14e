// Package lockfile reserves something for one process at a time with a lock on a file: a name goes in, a Lock comes out.
// The system releases the lock when the process ends, however it ends.
package lockfile

import (
	"errors"
	"os"
)

// ErrHeld means that another process holds the lock.
var ErrHeld = errors.New("another process holds it")

// Lock is a locked file. The nil Lock holds nothing.
type Lock struct{ file *os.File }

// Take creates the file if necessary and locks it. It does not wait: it returns ErrHeld if another process has the lock.
func Take(name string) (*Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := hold(f); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return &Lock{file: f}, nil
}

// Release releases the lock. The file stays.
func (l *Lock) Release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
