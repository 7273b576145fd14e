// Package lockfile keeps something for one process at a time, by a file that it holds: a name goes in, a Lock comes out,
// and the system takes it back when the process ends, however it ends.
package lockfile

import (
	"errors"
	"os"
)

// ErrHeld says that another process holds the file.
var ErrHeld = errors.New("another process holds it")

// Lock is a file that is held. The nil Lock holds nothing.
type Lock struct{ file *os.File }

// Take makes the file where it is not there, and holds it. It does not wait: ErrHeld is who comes second.
func Take(name string) (*Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := hold(f, false); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return &Lock{file: f}, nil
}

// Release gives the file up. It stays where it is.
func (l *Lock) Release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// Wait holds an open file as soon as no other process does; closing it gives it free.
func Wait(f *os.File) error { return hold(f, true) }
