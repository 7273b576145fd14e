package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/lockfile"
)

// letter is an alert that a receiver refused for good: a line of the dead-letter file.
type letter struct {
	Time   time.Time    `json:"time"`
	Sink   string       `json:"sink"`
	Reason string       `json:"reason"`
	Alert  *alert.Alert `json:"alert"`
}

// mostDead bounds the dead-letter file, in bytes. When it is full, it becomes FILE.1, and the FILE.1 before it is lost.
const mostDead = 64 << 20

// mostReason bounds a reason, in bytes.
const mostReason = 1 << 10

// letters is the dead-letter file; it is opened for each writing, so that Replay of another process can take it away.
type letters struct {
	file string // "": refused alerts are counted and told of in the log alone

	mu   sync.Mutex
	lost uint64 // letters of files that had to go
}

// write appends letters and brings them to the disk.
func (l *letters) write(all []letter) error {
	if l.file == "" {
		return nil
	}
	var lines bytes.Buffer
	to := json.NewEncoder(&lines)
	for _, one := range all {
		one.Reason = one.Reason[:min(len(one.Reason), mostReason)]
		if err := to.Encode(one); err != nil {
			return fmt.Errorf("encode a dead letter: %w", err)
		}
	}
	return l.append(lines.Bytes())
}

func (l *letters) append(lines []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.open(len(lines))
	if err != nil {
		return fmt.Errorf("open the dead letters: %w", err)
	}
	if err := appendWhole(f, lines); err != nil {
		return errors.Join(fmt.Errorf("write dead letters: %w", err), f.Close())
	}
	return f.Close()
}

// open gives the locked file with room for more.
func (l *letters) open(more int) (*os.File, error) {
	for {
		f, err := openLocked(l.file)
		if err != nil {
			return nil, err
		}
		st, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if st.Size() == 0 || st.Size()+int64(more) <= mostDead {
			return f, nil
		}
		l.lost += countLines(l.file + ".1")
		if err := errors.Join(os.Rename(l.file, l.file+".1"), f.Close()); err != nil {
			return nil, err
		}
	}
}

// openLocked opens a file to append, and locks it; where it was renamed meanwhile, the new one.
func openLocked(name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockfile.Wait(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		now, err := os.Stat(name)
		if err == nil && os.SameFile(mine, now) {
			return f, nil
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// appendWhole writes all or nothing, after the end of a line, and brings it to the disk.
func appendWhole(f *os.File, data []byte) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	end := st.Size()
	if end > 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], end-1); err != nil {
			return err
		}
		if last[0] != '\n' { // torn by a crash
			data = append([]byte{'\n'}, data...)
		}
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	if end == 0 {
		return syncFolder(filepath.Dir(f.Name()))
	}
	return nil
}

// syncFolder makes a new file's name last.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	_ = d.Sync() // some file systems cannot
	return d.Close()
}

func countLines(name string) uint64 {
	data, err := os.ReadFile(name) // at most mostDead
	if err != nil {
		return 0
	}
	return uint64(bytes.Count(data, []byte{'\n'}))
}
