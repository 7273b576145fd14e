package spool

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// sink is one receiver with its own position in the stream, its own goroutine and its own waits.
type sink struct {
	spool  *Spool
	name   string
	log    *zap.Logger
	to     alert.Sink
	pass   func(*alert.Alert) bool
	most   int // alerts that are delivered at once
	cancel context.CancelFunc
	ended  chan struct{} // closed when its goroutine is done; nil before that runs
	once   sync.Once     // its receiver is closed once
	count  sinkCount

	position            // of its goroutine alone
	held     []*message // read, and not wholly done with, in order
}

// defaultBatch is how many alerts are delivered at once where nothing else is said.
const defaultBatch = 500

// Circuit is how a sink stands.
type Circuit string

// The circuits.
const (
	Closed Circuit = "closed"    // alerts flow
	Broken Circuit = "open"      // the receiver failed; nothing is sent until the wait is over
	Half   Circuit = "half-open" // it failed, and is being tried
)

var sinkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Attach gives alerts that pass filter to a sink, batch at a time at most (0: as many as is good), from where the sink of
// that name stood before; a new name begins at the oldest alert of the stream. The spool closes the sink when Run ends or
// at Forget; with an error it is the caller's still.
func (s *Spool) Attach(name string, filter alert.Filter, batch int, to alert.Sink) error {
	pass, err := passes(filter)
	if err != nil {
		return fmt.Errorf("sink %s: %w", name, err)
	}
	if !sinkName.MatchString(name) {
		return fmt.Errorf("sink %q: its name has to be of letters, digits and hyphens", name)
	}
	if batch <= 0 {
		batch = defaultBatch
	}
	k := &sink{spool: s, name: name, log: s.log.With(zap.String("sink", name)), to: to, pass: pass, most: batch}
	k.count.circuit = Closed
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.sinks[name] != nil {
		return fmt.Errorf("sink %s: there is one of that name", name)
	}
	s.sinks[name] = k
	if s.running != nil {
		s.launch(k)
	}
	return nil
}

// launch starts the goroutine of a sink; the caller holds s.mu.
func (s *Spool) launch(k *sink) {
	r := *s.running
	soft, endSoft := context.WithCancel(r.soft)
	hard, endHard := context.WithCancel(r.hard)
	r, k.cancel = lifetime{soft, hard}, func() { endHard(); endSoft() }
	k.ended = make(chan struct{})
	s.group.Go(func() {
		defer close(k.ended)
		k.run(&r)
	})
}

// Detach ends a sink and closes it; its position is kept, for a sink of the same name.
func (s *Spool) Detach(name string) error {
	s.mu.Lock()
	k := s.sinks[name]
	delete(s.sinks, name)
	s.mu.Unlock()
	if k == nil {
		return nil
	}
	if k.cancel != nil {
		k.cancel()
		<-k.ended
	}
	return k.close()
}

func (k *sink) close() (err error) {
	k.once.Do(func() { err = k.to.Close() })
	return err
}

// passes is the filter of a sink. A test passes always.
func passes(f alert.Filter) (func(*alert.Alert) bool, error) {
	least := 0
	for f.Severity != "" && severity(least) != f.Severity {
		if least++; least == severities {
			return nil, fmt.Errorf("filter: severity %q is none", f.Severity)
		}
	}
	return func(a *alert.Alert) bool {
		return a.Event == alert.Test || level(a) >= least &&
			(len(f.Events) == 0 || slices.Contains(f.Events, string(a.Event))) &&
			(len(f.Vendors) == 0 || slices.Contains(f.Vendors, a.Vendor.Key))
	}, nil
}

// run reads and delivers until the lifetime ends. Whatever fails in between begins anew from the position.
func (k *sink) run(r *lifetime) {
	pause := backoff{least: leastPause, most: mostPause}
	for r.hard.Err() == nil {
		err := k.session(r, &pause)
		if err == nil {
			return
		}
		k.count.fail(err)
		k.log.Debug("the sink lost the stream", zap.Error(err))
		if !sleep(r.hard, pause.next()) {
			return
		}
	}
}

// The waits between tries (full jitter).
const (
	leastPause = 500 * time.Millisecond
	mostPause  = 60 * time.Second
)
