package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/observe"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
)

// mostPieces is the most packets kept in one run after panics, mostAlike the most with the same reason.
const (
	mostPieces = 20
	mostAlike  = 5
)

// faults are the errors that the run survived.
type faults struct {
	folder string // for captures of what caused a panic; "": none are kept

	mu        sync.Mutex
	kept      int
	alike     map[string]int // packets kept, by reason; at most mostPieces keys
	store     error          // of the store's last write; nil if it succeeded
	written   time.Time      // time of the last write; zero: none yet
	unwritten uint64         // failed writes
	size      int64          // of the store's file, bytes

	panics atomic.Uint64
}

func (f *faults) open(folder string) error {
	f.folder = folder
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("limits.panics: %w", err)
	}
	return nil
}

// packet is capture.Options.Panicked.
func (f *faults) packet(log *zap.Logger) func(*observe.Panic) {
	return func(p *observe.Panic) {
		f.panics.Add(1)
		file, err := f.keep(p.Reason, "pcap", func(w *os.File) error { return p.WriteCapture(w) })
		log.Error("a packet caused a panic and was skipped", zap.String("reason", p.Reason), zap.Uint64("frame", p.Packet.Frame),
			zap.String("kept_as", file), zap.NamedError("not_kept", err), zap.ByteString("stack", p.Stack))
	}
}

// observation is pipeline.Pipeline.Panicked.
func (f *faults) observation(log *zap.Logger) func(*capture.Observation, string, []byte) {
	return func(o *capture.Observation, reason string, stack []byte) {
		f.panics.Add(1)
		line := (&report.Lines{}).Append(nil, o)
		file, err := f.keep(reason, "json", func(w *os.File) error {
			_, err := w.Write(line)
			return err
		})
		log.Error("an observation caused a panic and was skipped", zap.String("reason", reason), zap.Uint64("frame", o.Frame),
			zap.String("kept_as", file), zap.NamedError("not_kept", err), zap.ByteString("stack", stack))
	}
}

// keep writes the packet to a file of its own, for a bug report. It returns "" if no more packets are kept.
func (f *faults) keep(reason, ending string, write func(*os.File) error) (name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.folder == "" || f.kept == mostPieces || f.alike[reason] == mostAlike {
		return "", nil
	}
	if f.alike == nil {
		f.alike = map[string]int{}
	}
	f.kept++
	f.alike[reason]++
	name = filepath.Join(f.folder, fmt.Sprintf("panic-%s-%d.%s", time.Now().UTC().Format("20060102T150405"), f.kept, ending))
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	return name, errors.Join(write(w), w.Close())
}

// wrote records the outcome of a write to the store. Failures are logged when they begin and when they end.
func (f *faults) wrote(at time.Time, err error, log *zap.Logger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil && f.store == nil:
		log.Error(session.Unwritten, zap.Error(err))
	case err == nil && f.store != nil:
		log.Info("the store can be written again")
	}
	if f.store = err; err == nil {
		f.written = at
	} else {
		f.unwritten++
	}
}
