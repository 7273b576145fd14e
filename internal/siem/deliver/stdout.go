package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Stdout is the sink of type stdout, which has no section: standard output, a line an alert.
type Stdout struct{}

// Check reports nothing.
func (Stdout) Check(setting.Check) {}

// Plain is false: what reads standard output is on this machine.
func (Stdout) Plain() bool { return false }

// Open makes the sink.
func (Stdout) Open(s Setup) (alert.Sink, error) {
	enc, err := s.encoder()
	if err != nil {
		return nil, err
	}
	return &stdoutSink{lines: lines{enc: enc}, out: s.Stdout, timeout: s.Timeout}, nil
}

// stdoutSink writes lines to a stream. If nobody reads the stream, a write may block for ever: it then continues in its own
// goroutine, and the next batch waits for it.
type stdoutSink struct {
	lines   lines
	out     io.Writer
	timeout time.Duration
	pending chan written // of a write that had not ended when its time was over; nil: none
	cut     bool         // the last write ended within a line
}

// written is what became of a write.
type written struct {
	n   int  // bytes
	cut bool // it ended within a line
	err error
}

func (s *stdoutSink) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.settle(ctx); err != nil {
		return 0, nil, err
	}
	if s.cut {
		if w, err := s.write(ctx, []byte("\n")); err != nil || w.err != nil {
			return 0, nil, errors.Join(err, broken(w.err))
		}
		s.cut = false
	}
	text, rejected := s.lines.encode(batch)
	w, err := s.write(ctx, text)
	if err != nil {
		return 0, nil, err
	}
	if w.err == nil {
		return len(batch), rejected, nil
	}
	s.cut = w.cut
	n := min(s.lines.whole(w.n), len(batch)-1)
	return n, before(n, rejected), broken(w.err)
}

// write writes in a goroutine of its own, so that a reader who sleeps cannot hold us beyond ctx. The text then belongs to
// that goroutine, so it is left to it.
func (s *stdoutSink) write(ctx context.Context, text []byte) (written, error) {
	if len(text) == 0 {
		return written{}, nil
	}
	done := make(chan written, 1)
	go func() {
		n, err := s.out.Write(text)
		done <- written{n, n > 0 && n < len(text) && text[n-1] != '\n', err}
	}()
	select {
	case w := <-done:
		return w, nil
	case <-ctx.Done():
		s.pending, s.lines.text = done, nil
		return written{}, stuck(ctx)
	}
}

// settle waits for a write that was under way when its time was over.
func (s *stdoutSink) settle(ctx context.Context) error {
	if s.pending == nil {
		return ctx.Err()
	}
	select {
	case w := <-s.pending:
		s.pending = nil
		s.cut = w.cut
		return nil
	case <-ctx.Done():
		return stuck(ctx)
	}
}

func stuck(ctx context.Context) error {
	return fmt.Errorf("standard output is blocked: its reader does not read: %w", context.Cause(ctx))
}

// broken says in words what it means that standard output cannot be written to.
func broken(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("standard output is closed: its reader ended: %w", err)
	case errors.Is(err, os.ErrClosed):
		return fmt.Errorf("standard output is closed: %w", err)
	}
	return fmt.Errorf("write to standard output: %w", err)
}

// Close leaves the stream open: it is the process's.
func (s *stdoutSink) Close() error { return nil }
