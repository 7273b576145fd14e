package siem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// rotating is a file of whole lines that grows at its end and is set aside under another name when it is large or old
// enough. Used by one goroutine, except for reopen.
type rotating struct {
	cfg    File
	log    *zap.Logger
	reopen atomic.Bool

	file  *os.File // nil: not open
	size  int64    // bytes
	last  time.Time
	later time.Time // not rotated before, after it failed

	tidying atomic.Bool // somebody compresses and deletes what was set aside
	tidiers sync.WaitGroup
	stop    context.Context
	cancel  context.CancelFunc
}

const (
	fileMode   = 0o640
	retryAfter = time.Minute // until a rotation that failed is tried again
)

func newRotating(cfg File, log *zap.Logger) *rotating {
	r := &rotating{cfg: cfg, log: log}
	r.stop, r.cancel = context.WithCancel(context.Background())
	return r
}

// append writes whole lines. After an error the file is as it was before, as far as the system lets us.
func (r *rotating) append(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if err := r.current(); err != nil {
		return err
	}
	if r.due(int64(len(text))) {
		if err := r.rotate(); err != nil {
			return err
		}
	}
	if _, err := r.file.Write(text); err != nil {
		return r.undo(err)
	}
	if r.cfg.Sync {
		if err := r.file.Sync(); err != nil {
			return r.undo(err)
		}
	}
	r.size += int64(len(text))
	r.last = time.Now()
	return nil
}

// undo takes back what was written of a batch that failed, and closes the file: what a failed fsync left in memory is not
// to be trusted. Where it cannot be taken back, the next opening repairs the end.
func (r *rotating) undo(why error) error {
	if err := r.file.Truncate(r.size); err != nil {
		why = errors.Join(why, err)
	}
	r.file.Close() // its error adds nothing to why
	r.file = nil
	return why
}

// current sees to it that the open file is the one that has the name.
func (r *rotating) current() error {
	asked := r.reopen.Swap(false)
	if r.file != nil {
		if !asked && r.hasName() {
			return nil
		}
		r.file.Close() // all that counted was written before
		r.file = nil
	}
	return r.open(os.O_CREATE)
}

func (r *rotating) hasName() bool {
	ours, err := r.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(r.cfg.Path)
	return err == nil && os.SameFile(ours, named) && named.Size() == r.size
}

// open opens the file, repairs its end, and makes one where there is none.
func (r *rotating) open(flags int) error {
	if st, err := os.Stat(r.cfg.Path); err == nil && !st.Mode().IsRegular() {
		return errors.New("is no regular file")
	}
	f, err := os.OpenFile(r.cfg.Path, os.O_RDWR|os.O_APPEND|flags, fileMode)
	if err != nil {
		return err
	}
	size, cut, err := repair(f)
	var st os.FileInfo
	if err == nil {
		st, err = f.Stat()
	}
	if err == nil && r.cfg.Sync {
		err = syncFolder(r.cfg.Path)
	}
	if err != nil {
		f.Close()
		return err
	}
	if cut > 0 {
		r.log.Warn("took away a line that was cut by a crash or a full disk; its alert is delivered again",
			zap.String("file", r.cfg.Path), zap.Int64("bytes", cut))
	}
	r.file, r.size, r.last = f, size, st.ModTime()
	r.tidy()
	return nil
}

// due says whether the file is to be set aside before so many bytes are added. A file holds the lines of one period:
// periods are the multiples of File.Every since year 1, in UTC, so that a restart changes nothing.
func (r *rotating) due(more int64) bool {
	if r.size == 0 || time.Now().Before(r.later) {
		return false
	}
	if r.cfg.Size > 0 && r.size+more > int64(r.cfg.Size) {
		return true
	}
	every := r.cfg.Every
	return every > 0 && time.Now().Truncate(every).After(r.last.Truncate(every))
}

// rotate sets the file aside and begins a new one. Where it cannot be renamed, it just goes on growing.
func (r *rotating) rotate() error {
	r.file.Close() // all that counted was written before
	r.file = nil
	name, err := r.aside()
	if err == nil {
		err = os.Rename(r.cfg.Path, name)
	}
	if err != nil {
		r.log.Warn("cannot rotate", zap.String("file", r.cfg.Path), zap.Error(err))
		r.later = time.Now().Add(retryAfter)
		return r.open(0)
	}
	if err := r.open(os.O_CREATE | os.O_EXCL); err != nil {
		return fmt.Errorf("after it was rotated: %w", err)
	}
	return nil
}

// close ends the work on what was set aside and closes the file.
func (r *rotating) close() error {
	r.cancel()
	r.tidiers.Wait()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// syncFolder makes the name of a file as durable as its bytes.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // a folder cannot be synced there
		return nil
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
