package siem

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"avbeacon/internal/alert"
)

// openFile makes the sink that appends alerts to a file, a line each.
func openFile(cfg Sink, opt Options) (alert.Sink, error) {
	f := cfg.File
	switch {
	case f.Path == "":
		return nil, bad(cfg, "file.path", "is missing")
	case f.Size < 0:
		return nil, bad(cfg, "file.size", "must not be negative")
	case f.Every < 0:
		return nil, bad(cfg, "file.every", "must not be negative")
	case f.Keep < 0:
		return nil, bad(cfg, "file.keep", "must not be negative")
	}
	if dir, err := os.Stat(filepath.Dir(f.Path)); err != nil {
		return nil, bad(cfg, "file.path", "%w", err)
	} else if !dir.IsDir() {
		return nil, bad(cfg, "file.path", "%s is no folder", filepath.Dir(f.Path))
	}
	enc, err := lineEncoder(cfg, opt)
	if err != nil {
		return nil, err
	}
	return &fileSink{lines: lines{enc: enc}, out: newRotating(f, opt.Logger)}, nil
}

// fileSink appends lines to a file. A batch counts once all of it is written and, where File.Sync says so, on
// the disk; else the file is as it was before, and the whole batch is offered again.
type fileSink struct {
	lines lines
	out   *rotating
}

func (s *fileSink) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	text, refused := s.lines.encode(batch)
	if err := s.out.append(text); err != nil {
		return 0, nil, fmt.Errorf("write to %s: %w", s.out.cfg.Path, err)
	}
	return len(batch), refused, nil
}

// Reopen makes the next batch go to the file that then has the name: for use after others moved it away, as logrotate
// does. (That the name is another file's, or nobody's, is seen without being told too.)
func (s *fileSink) Reopen() { s.out.reopen.Store(true) }

func (s *fileSink) Close() error { return s.out.close() }
