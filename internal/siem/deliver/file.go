package deliver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// File is a file that alerts are appended to, a line each.
type File struct {
	Path  string        `yaml:"path" about:"the file that alerts are appended to"`
	Size  setting.Size  `yaml:"size" about:"rotate at this size; 0: never"`
	Every time.Duration `yaml:"every" about:"rotate after this time; 0s: never"`
	Keep  int           `yaml:"keep" about:"rotated files to keep; 0: all"`
	Gzip  bool          `yaml:"gzip" about:"compress rotated files"`
	Sync  bool          `yaml:"sync" about:"fsync before a batch counts as delivered"`
}

// Check reports what is wrong with the section.
func (f *File) Check(k setting.Check) { k.At("path").Required(f.Path) }

// Plain is false: a file is not sent.
func (f *File) Plain() bool { return false }

// Open makes the sink. The folder has to exist; the file is opened by the first delivery.
func (f *File) Open(s Setup) (alert.Sink, error) {
	folder := filepath.Dir(f.Path)
	if st, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("file.path: %w", err)
	} else if !st.IsDir() {
		return nil, fmt.Errorf("file.path: %s is not a folder", folder)
	}
	enc, err := s.encoder()
	if err != nil {
		return nil, err
	}
	return &fileSink{lines: lines{enc: enc}, out: newRotating(*f, s.Logger)}, nil
}

// fileSink appends lines to a file. A batch counts once all of it is written and, where File.Sync says so, on
// the disk; else the file is as it was before, and the whole batch is offered again.
type fileSink struct {
	lines lines
	out   *rotating
}

func (s *fileSink) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	text, rejected := s.lines.encode(batch)
	if err := s.out.append(text); err != nil {
		return 0, nil, fmt.Errorf("write to %s: %w", s.out.cfg.Path, err)
	}
	return len(batch), rejected, nil
}

// Reopen makes the next batch go to the file that has the name by then, after the old file was moved away, as logrotate
// does. (The sink also notices by itself that the file was replaced or removed.)
func (s *fileSink) Reopen() { s.out.reopen.Store(true) }

func (s *fileSink) Close() error { return s.out.close() }
