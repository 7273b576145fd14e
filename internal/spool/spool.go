// Package spool is the durable stream between what decides to tell and who is told: alerts go in, without ever waiting,
// and each sink gets them out at its own pace, in order, at least once, across crashes. The stream is NATS JetStream, in
// this process without an open port, or outside of it.
package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/lockfile"
)

// Options is what Open needs beside its part of the configuration. The zero value is of use.
type Options struct {
	Logger *zap.Logger          // nil is quiet
	Sensor string               // name of the tap: its part of the subject, and of the stream's name on a server outside
	Now    func() time.Time     // the wall clock of stamps and statistics; nil is time.Now. Waiting never depends on it
	Drain  time.Duration        // how long Run goes on after its context is done; 0 is 10 s
	Stored func([]*alert.Alert) // is called, by one goroutine, with alerts that are in the stream from then on; nil for nobody

	disk    func() (uint64, bool) // free bytes beside Dir, false where that is not known; nil asks the system
	ackWait time.Duration         // 0 is ackWait
}

// Defaults of what the configuration leaves at zero, and what our own calls are given.
const (
	defaultSize    = 256 << 20
	defaultPending = 65536
	defaultDrain   = 10 * time.Second
	// callTime bounds one call of JetStream: one with a long context can hang for as long when its server dies.
	callTime = 3 * time.Second
	// roomLeft is what the spool leaves free on the disk: JetStream stops for good at the first write that fails.
	roomLeft = 8 << 20
)

// Errors that a caller may want to know.
var (
	ErrInUse  = errors.New("another process uses this spool")
	ErrClosed = errors.New("the spool is closed")
)

// Spool takes alerts by Offer and brings them to the sinks that were attached. Its methods may be called from any goroutine.
type Spool struct {
	cfg   config.Spool
	opt   Options
	log   *zap.Logger
	queue *queue
	lock  *lockfile.Lock // nil without a folder
	temp  string         // folder of the embedded server where the configuration names none; removed at Close
	dead  *letters
	copy  *copyFile // nil without one
	count counters

	mu      sync.Mutex
	engine  *engine // nil while there is none
	why     error   // there is none
	sinks   map[string]*sink
	running *lifetime // nil before Run
	closed  bool

	group   sync.WaitGroup // of the sinks' goroutines
	flushed chan struct{}  // closed when the publisher is done
	mending sync.Mutex     // held by who makes room or starts the server anew
	lastSeq atomic.Uint64  // of the last message that was stored
}

// lifetime is what sinks run under.
type lifetime struct {
	soft context.Context // done: bring what is there, then end
	hard context.Context // done: end now
}

// Open opens the spool in cfg.Dir, or makes it. A spool that is damaged there is moved aside, kept and told of in the log
// and in Stats. Without Dir alerts are held in memory alone and end with the process. With cfg.NATS the stream is that of
// a server outside, which need not answer yet. A full disk is no error either: alerts then wait in memory.
func Open(cfg config.Spool, opt Options) (*Spool, error) {
	complete(&cfg, &opt)
	s := &Spool{cfg: cfg, opt: opt, log: opt.Logger.Named("spool"), queue: newQueue(cfg.Pending),
		sinks: map[string]*sink{}, flushed: make(chan struct{})}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the spool: %w", err), s.release())
	}
	return s, nil
}

func complete(cfg *config.Spool, opt *Options) {
	if cfg.Size <= 0 {
		cfg.Size = defaultSize
	}
	if cfg.Pending <= 0 {
		cfg.Pending = defaultPending
	}
	if cfg.Dead == "" && cfg.Dir != "" {
		cfg.Dead = filepath.Join(cfg.Dir, "dead.ndjson")
	}
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.ackWait <= 0 {
		opt.ackWait = ackWait
	}
	if opt.Drain <= 0 {
		opt.Drain = defaultDrain
	}
}

func (s *Spool) open() error {
	if err := s.takeFolder(); err != nil {
		return err
	}
	if s.opt.disk == nil {
		folder := s.cfg.Dir
		s.opt.disk = func() (uint64, bool) { return freeBytes(folder) }
	}
	s.dead = &letters{file: s.cfg.Dead}
	if s.cfg.Copy != "" {
		s.copy = &copyFile{path: s.cfg.Copy}
	}
	if s.cfg.NATS != "" {
		e, err := outside(s.cfg, s.opt.Sensor, s.log)
		s.engine = e
		return err
	}
	err := s.start()
	if errors.Is(err, errNoRoom) {
		s.why = err
		s.count.wait(err)
		s.log.Error("the disk is full: alerts wait in memory", zap.Error(err))
		return nil
	}
	return err
}

// takeFolder makes and locks the folder; two servers on one would destroy the stream.
func (s *Spool) takeFolder() error {
	if s.cfg.Dir == "" {
		if s.cfg.NATS != "" {
			return nil
		}
		temp, err := os.MkdirTemp("", "avbeacon-spool-") // JetStream wants one even for streams in memory
		s.temp = temp
		return err
	}
	err := os.MkdirAll(s.cfg.Dir, 0o700)
	if err == nil {
		s.lock, err = lockfile.Take(filepath.Join(s.cfg.Dir, "lock"))
	}
	if errors.Is(err, lockfile.ErrHeld) {
		return ErrInUse
	}
	return err
}

// Offer takes an alert without waiting. Where too many wait, the oldest of the lowest severity is dropped and counted;
// false says that it was this one, or that the spool takes no more. The alert must not be changed afterwards.
func (s *Spool) Offer(a *alert.Alert) bool { return s.queue.offer(a) }

// Run writes what is offered and brings it to the sinks, until ctx is done; then it takes no more, writes what waits, lets
// the sinks catch up, those excepted whose receivers fail, and returns, all within Options.Drain. The error says what could
// not be written. Run is called once. Sinks are closed when it returns.
func (s *Spool) Run(ctx context.Context) error {
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		s.queue.close()
		timer := time.AfterFunc(s.opt.Drain, stop)
		context.AfterFunc(hard, func() { timer.Stop() })
	})()
	if err := s.begin(&lifetime{soft: ctx, hard: hard}); err != nil {
		return err
	}
	tick := s.group.Go // the copy is brought to the disk once a second, beside everything else
	if s.copy != nil {
		tick(func() { s.copy.syncEach(s.flushed) })
	}
	err := s.publish(hard)
	close(s.flushed)
	s.group.Wait()
	return errors.Join(err, s.end())
}

// begin starts the sinks that are attached.
func (s *Spool) begin(r *lifetime) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.running != nil {
		return ErrClosed
	}
	s.running = r
	for _, k := range s.sinks {
		s.launch(k)
	}
	return nil
}

// end closes what Run used.
func (s *Spool) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, k := range s.sinks {
		errs = append(errs, k.close())
	}
	return errors.Join(errs...)
}

// Close gives up the stream and its server. What was stored stays. It is called after Run returned, or instead of it.
func (s *Spool) Close() error {
	s.queue.close()
	return errors.Join(s.end(), s.release())
}

func (s *Spool) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.stop()
	s.engine = nil
	errs := []error{s.copy.close(), s.lock.Release()}
	s.lock = nil
	if s.temp != "" {
		errs = append(errs, os.RemoveAll(s.temp))
	}
	return errors.Join(errs...)
}

// live is the engine of now; an error where there is none.
func (s *Spool) live() (*engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.engine != nil:
		return s.engine, nil
	case s.closed:
		return nil, ErrClosed
	case s.why != nil:
		return nil, s.why
	}
	return nil, errAway
}
