package siem

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// A file that was set aside is called alerts-20261124T101504.000000Z.ndjson where the file itself is alerts.ndjson: the
// time is when it was set aside, in UTC. Compressed, it ends in .gz; .tmp is one that is being compressed.
const (
	asideTime  = "20060102T150405.000000Z"
	packed     = ".gz"
	unfinished = ".tmp"
)

// aside gives a name that is free and later than all others, also after the clock went back.
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

// around is what stands before and after the time in the name of a file that was set aside.
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

// tidy deletes and compresses what was set aside, beside the writing. It does nothing where somebody is at it; what comes
// meanwhile is done the next time.
func (r *rotating) tidy() {
	if !r.cfg.Gzip && r.cfg.Keep == 0 || !r.tidying.CompareAndSwap(false, true) {
		return
	}
	r.tidiers.Go(func() {
		defer r.tidying.Store(false)
		if err := r.tidyOlds(); err != nil && !errors.Is(err, context.Canceled) {
			r.log.Warn("cannot tidy rotated files", zap.String("file", r.cfg.Path), zap.Error(err))
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
	_, err = io.Copy(z, stoppable{ctx, in})
	err = errors.Join(err, z.Close(), out.Sync(), out.Close())
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
