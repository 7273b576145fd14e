package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Bounds of the copy: bytes of a file, and how many older ones are kept as FILE.1, FILE.2 ...
const (
	mostCopy   = 64 << 20
	keptCopies = 4
)

// copyFile is the last copy of every alert, a line each. It is brought to the disk once a second.
type copyFile struct {
	path string

	mu    sync.Mutex
	file  *os.File // nil before the first alert, and after an error
	size  int64
	dirty bool
}

func (c *copyFile) write(line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil && c.size+int64(len(line)) > mostCopy {
		if err := c.rotate(); err != nil {
			return err
		}
	}
	if c.file == nil {
		if err := c.open(); err != nil {
			return err
		}
	}
	n, err := c.file.Write(line)
	if err != nil && n > 0 { // the line is whole or not there
		err = errors.Join(err, c.file.Truncate(c.size))
		n = 0
	}
	c.size, c.dirty = c.size+int64(n), true
	if err != nil {
		return fmt.Errorf("write the copy: %w", err)
	}
	return nil
}

func (c *copyFile) open() error {
	f, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the copy: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the copy: %w", err), f.Close())
	}
	c.file, c.size = f, st.Size()
	if c.size > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], c.size-1); err == nil && last[0] != '\n' { // torn by a crash
			n, _ := f.Write([]byte{'\n'}) // the next write says what is wrong
			c.size += int64(n)
		}
	}
	return nil
}

// rotate moves FILE to FILE.1, and so on; the last is removed.
func (c *copyFile) rotate() error {
	errs := []error{c.file.Sync(), c.file.Close()}
	c.file = nil
	for n := keptCopies; n > 1; n-- {
		err := os.Rename(fmt.Sprintf("%s.%d", c.path, n-1), fmt.Sprintf("%s.%d", c.path, n))
		if !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, os.Rename(c.path, c.path+".1"))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("rotate the copy: %w", err)
	}
	return nil
}

// syncEach brings the copy to the disk every second until end is closed.
func (c *copyFile) syncEach(end <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.sync()
		case <-end:
			return
		}
	}
}

func (c *copyFile) sync() {
	c.mu.Lock()
	f, dirty := c.file, c.dirty
	c.dirty = false
	c.mu.Unlock()
	if f != nil && dirty {
		_ = f.Sync() // a file that was rotated meanwhile was brought there by that
	}
}

func (c *copyFile) close() error {
	if c == nil {
		return nil
	}
	c.sync()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Close()
}
