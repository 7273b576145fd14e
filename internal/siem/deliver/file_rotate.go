package deliver

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

	tidying atomic.Int32 // how often it was asked to compress and delete what was set aside, since that began; 0: it is done
	tidiers sync.WaitGroup
	stop    context.Context
	cancel  context.CancelFunc
}

const (
	fileMode   = 0o600       // of a new file: it says who runs what. One that follows another keeps its mode
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

// undo removes what was written of a failed batch, and closes the file, because data in memory cannot be trusted after a
// failed fsync. If the data cannot be removed, the next open repairs the end of the file.
func (r *rotating) undo(why error) error {
	if err := r.file.Truncate(r.size); err != nil {
		why = errors.Join(why, err)
	}
	r.file.Close() // its error adds nothing to why
	r.file = nil
	return why
}

// current makes sure that the open file is the one that has the name.
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

// open opens the file, repairs its end, and creates it if there is none.
func (r *rotating) open(flags int) error {
	if st, err := os.Stat(r.cfg.Path); err == nil && !st.Mode().IsRegular() {
		return errors.New("is not a regular file")
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
		r.log.Warn("removed a line that a crash or a full disk had cut; its alert is delivered again",
			zap.String("file", r.cfg.Path), zap.Int64("bytes", cut))
	}
	r.file, r.size, r.last = f, size, st.ModTime()
	r.tidy()
	return nil
}

// due reports whether the file is to be set aside before so many bytes are added. A file holds the lines of one period:
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

// rotate sets the file aside and begins a new one. If it cannot be renamed, it keeps growing.
func (r *rotating) rotate() error {
	mode := os.FileMode(fileMode)
	if st, err := r.file.Stat(); err == nil {
		mode = st.Mode().Perm()
	}
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
	return r.file.Chmod(mode)
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

// mostTail bounds a cut line, in bytes: no encoder writes a longer one.
const mostTail = 1 << 20

var errForeign = errors.New("it does not end in a line that avbeacon wrote: move it away, or choose another name")

// repair makes a file end in a whole line. A line that was cut by a crash or a full disk has not been counted as delivered,
// so it is taken away, and its alert comes again. What does not begin as our lines do is left alone and is an error: it
// may be somebody else's file. It returns the file's size after that and how many bytes were removed.
func repair(f *os.File) (size, cut int64, err error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return 0, 0, err
	}
	size = st.Size()
	tail := make([]byte, min(size, mostTail))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	rest := tail[end:]
	if len(rest) == 0 {
		return size, 0, nil
	}
	if end == 0 && int64(len(tail)) < size || !beginsLine(rest) {
		return 0, 0, errForeign
	}
	cut = int64(len(rest))
	if err := f.Truncate(size - cut); err != nil {
		return 0, 0, err
	}
	return size - cut, cut, nil
}

// beginsLine says whether b may be the start of a line that an encoder wrote, or the zeros that some file systems leave in
// its place after a power failure.
func beginsLine(b []byte) bool {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return true
	}
	for _, start := range []string{"{", "CEF:", "LEEF:", "<"} {
		n := min(len(start), len(b))
		if string(b[:n]) == start[:n] {
			return true
		}
	}
	return false
}

// A file that was set aside is called alerts-20261124T101504.000000Z.ndjson where the file itself is alerts.ndjson: the
// time is when it was set aside, in UTC. Compressed, it ends in .gz; .tmp is one that is being compressed.
const (
	asideTime  = "20060102T150405.000000Z"
	packed     = ".gz"
	unfinished = ".tmp"
)

// aside returns a name that is free and later than all others, even if the clock went back.
func (r *rotating) aside() (string, error) {
	when := time.Now().UTC()
	olds, err := r.olds()
	if err != nil {
		return "", err
	}
	if len(olds) > 0 {
		if newest := olds[len(olds)-1].when; !when.After(newest) {
			when = newest.Add(time.Microsecond)
		}
	}
	start, end := r.around()
	return start + when.Format(asideTime) + end, nil
}

// around returns what is before and after the time in the name of a file that was set aside.
func (r *rotating) around() (start, end string) {
	end = filepath.Ext(r.cfg.Path)
	return strings.TrimSuffix(r.cfg.Path, end) + "-", end
}

// old is a file that was set aside.
type old struct {
	path string
	when time.Time
}

// olds lists what was set aside, oldest first. Names that only look alike are not ours.
func (r *rotating) olds() ([]old, error) {
	entries, err := os.ReadDir(filepath.Dir(r.cfg.Path))
	if err != nil {
		return nil, err
	}
	start, end := r.around()
	var all []old
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), unfinished), packed)
		name, begins := strings.CutPrefix(name, filepath.Base(start))
		name, ends := strings.CutSuffix(name, end)
		when, err := time.Parse(asideTime, name)
		if begins && ends && err == nil && e.Type().IsRegular() {
			all = append(all, old{path: filepath.Join(filepath.Dir(r.cfg.Path), e.Name()), when: when})
		}
	}
	slices.SortStableFunc(all, func(a, b old) int { return a.when.Compare(b.when) })
	return all, nil
}

// tidy deletes and compresses rotated files while writing continues. If it is already running it starts over afterwards, because a
// file may have been rotated after it listed them.
func (r *rotating) tidy() {
	if !r.cfg.Gzip && r.cfg.Keep == 0 || r.tidying.Add(1) > 1 {
		return
	}
	r.tidiers.Go(func() {
		for asked := int32(1); asked > 0; asked = r.tidying.Add(-asked) {
			if err := r.tidyOlds(); err != nil && !errors.Is(err, context.Canceled) {
				r.log.Warn("cannot tidy rotated files", zap.String("file", r.cfg.Path), zap.Error(err))
			}
		}
	})
}

func (r *rotating) tidyOlds() error {
	olds, err := r.olds()
	if err != nil {
		return err
	}
	var files []old // without what a crash left half compressed: the whole one is still there
	for _, o := range olds {
		if strings.HasSuffix(o.path, unfinished) {
			err = errors.Join(err, os.Remove(o.path))
		} else {
			files = append(files, o)
		}
	}
	if extra := len(files) - r.cfg.Keep; r.cfg.Keep > 0 && extra > 0 {
		for _, o := range files[:extra] {
			err = errors.Join(err, os.Remove(o.path))
		}
		files = files[extra:]
	}
	for _, o := range files {
		if r.cfg.Gzip && !strings.HasSuffix(o.path, packed) {
			err = errors.Join(err, pack(r.stop, o.path))
		}
	}
	return err
}

// pack compresses a file and deletes it once the compressed one is on the disk.
func pack(ctx context.Context, path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	half := path + packed + unfinished
	out, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	st, err := in.Stat()
	if err == nil {
		err = out.Chmod(st.Mode().Perm())
	}
	_, copied := io.Copy(z, stoppable{ctx, in})
	err = errors.Join(err, copied, z.Close(), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(half, path+packed)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("compress %s: %w", path, err), os.Remove(half))
	}
	in.Close() // before its name goes: some systems ask for that
	return os.Remove(path)
}

// stoppable is a reader that ends with an error when its context does.
type stoppable struct {
	ctx context.Context
	in  io.Reader
}

func (s stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.in.Read(b)
}
