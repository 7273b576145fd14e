// Package outbox delivers the alerts of a store: it reads them in order for each sink, sends them in batches, and records in the
// store how far each sink is. Every sink has its own goroutine and its own waits, so a slow or dead receiver delays neither the
// others nor the capture. Start reading at Run; sink.go has the delivery loop of one sink.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// Options is what New needs besides a store. The zero value works.
type Options struct {
	Logger *zap.Logger      // nil: no log
	Now    func() time.Time // wall clock for dead letters and statistics; nil: time.Now. No wait depends on it
	Drain  time.Duration    // how long Run may still deliver after its context is done; 0: 10 s
}

// Outbox delivers the alerts of a store to the attached sinks. Its methods may be called from any goroutine.
type Outbox struct {
	store *store.Store
	opt   Options
	log   *zap.Logger

	mu      sync.Mutex
	sinks   map[string]*sink
	running *lifetime // nil before Run
	closed  bool

	group sync.WaitGroup // of the sinks' goroutines
}

// lifetime says when sinks stop.
type lifetime struct {
	soft context.Context // done: deliver what the store has, then return
	hard context.Context // done: return now
}

// ErrClosed is returned after Run has ended.
var ErrClosed = errors.New("the outbox is closed")

const (
	defaultDrain = 10 * time.Second
	defaultBatch = 500 // alerts
	// saveEvery is how often positions are written. After a crash a sink gets the alerts since then again.
	saveEvery = 100 * time.Millisecond
)

// New makes an Outbox for a store. The caller still owns the store.
func New(s *store.Store, opt Options) *Outbox {
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Drain <= 0 {
		opt.Drain = defaultDrain
	}
	return &Outbox{store: s, opt: opt, log: opt.Logger.Named("outbox"), sinks: map[string]*sink{}}
}

var sinkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Attach adds a sink for the alerts that pass the filter, which must be valid, with at most batch alerts per delivery (0: 500).
// It continues where the sink of that name stopped; a new name begins at what the slowest of the known sinks lacks. The Outbox
// closes the sink when Run ends; if Attach fails, the caller still owns it.
func (o *Outbox) Attach(ctx context.Context, name string, filter alert.Filter, batch int, to alert.Sink) error {
	if !sinkName.MatchString(name) {
		return fmt.Errorf("sink %q: a name is made of letters, digits and hyphens", name)
	}
	if batch <= 0 {
		batch = defaultBatch
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case o.sinks[name] != nil:
		return fmt.Errorf("sink %s: another sink has that name", name)
	}
	at, err := o.store.AddSink(ctx, name)
	if err != nil && !errors.Is(err, store.ErrFull) { // on a full disk it is written later
		return fmt.Errorf("sink %s: %w", name, err)
	}
	k := &sink{outbox: o, name: name, log: o.log.With(zap.String("sink", name)), to: to, pass: filter.Matcher(), most: batch, position: at}
	k.now.Circuit, k.saved = Closed, at
	if err != nil {
		k.saved = -1
	}
	o.sinks[name] = k
	if o.running != nil {
		o.launch(k)
	}
	return nil
}

// launch starts the goroutine of a sink. The caller holds o.mu.
func (o *Outbox) launch(k *sink) { o.group.Go(func() { k.run(o.running) }) }

// Run delivers until ctx is done. Then it delivers what the store has, except to sinks whose receivers fail, writes the
// positions, closes the sinks and returns, within Options.Drain. Call it once.
func (o *Outbox) Run(ctx context.Context) error {
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(o.opt.Drain, stop)
		context.AfterFunc(hard, func() { timer.Stop() })
	})()
	o.mu.Lock()
	if o.closed || o.running != nil {
		o.mu.Unlock()
		return ErrClosed
	}
	o.running = &lifetime{soft: ctx, hard: hard}
	for _, k := range o.sinks {
		o.launch(k)
	}
	o.mu.Unlock()

	saving, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(saveEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := o.save(hard); err != nil {
					o.log.Debug("positions of sinks are not written", zap.Error(err)) // the next tick tries again
				}
			case <-saving:
				return
			}
		}
	}()
	<-ctx.Done() // sinks may be attached until then
	o.group.Wait()
	close(saving)
	<-ended
	return errors.Join(o.save(context.WithoutCancel(ctx)), o.Close())
}

// save writes the positions that have changed. Only the goroutine of Run calls it, and Run itself after that goroutine has ended, so
// sink.saved needs no lock.
func (o *Outbox) save(ctx context.Context) error {
	changed := map[string]int64{}
	o.mu.Lock()
	sinks := slices.Collect(maps.Values(o.sinks))
	o.mu.Unlock()
	for _, k := range sinks {
		if at := k.at(); at != k.saved {
			changed[k.name] = at
			if k.saved < 0 {
				if _, err := o.store.AddSink(ctx, k.name); err != nil {
					return err
				}
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := o.store.SetPositions(ctx, changed); err != nil {
		return fmt.Errorf("write the positions of sinks: %w", err)
	}
	for _, k := range sinks {
		if at, ok := changed[k.name]; ok {
			k.saved = at
		}
	}
	return nil
}

// Close closes the sinks. It is called instead of Run, or after it.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	if !o.closed {
		for _, k := range o.sinks {
			errs = append(errs, k.to.Close())
		}
	}
	o.closed = true
	return errors.Join(errs...)
}

// Stats is the state of the outbox. Counts are since the process began, unless they say otherwise.
type Stats struct {
	store.OutboxStats
	Known bool        // the store answered: Pending is current
	Sinks []SinkStats // sorted by name
	Left  []string    // names with a position in the store but no attached sink
}

// SinkStats is the state of a sink.
type SinkStats struct {
	Name      string
	Delivered uint64 // alerts
	Rejected  uint64 // alerts that the receiver rejected for good
	DeadLost  uint64 // dead letters dropped for newer ones
	Filtered  uint64 // alerts
	Retries   uint64 // deliveries that failed
	Damaged   uint64 // stored rows that could not be decoded
	Pending   uint64 // alerts after the sink's position
	Circuit   Circuit
	Error     string        // the last one; "" once the sink works again
	Lag       time.Duration // age of the oldest alert being delivered; 0: none
}

// Circuit is the state of a sink's circuit breaker.
type Circuit string

// The circuits.
const (
	Closed Circuit = "closed"    // alerts flow
	Broken Circuit = "open"      // the receiver failed; nothing is sent until the wait has ended
	Half   Circuit = "half-open" // the wait has ended, and a delivery is being tried
)

// Stats returns the state of the outbox. It queries the store, for at most 2 s.
func (o *Outbox) Stats() Stats {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out := Stats{OutboxStats: o.store.OutboxStats()}
	o.mu.Lock()
	sinks := slices.SortedFunc(maps.Values(o.sinks), func(a, b *sink) int { return strings.Compare(a.name, b.name) })
	o.mu.Unlock()
	now := o.opt.Now()
	there, errs := o.store.Positions(), error(nil)
	for _, k := range sinks {
		x := k.stats(now)
		n, err := o.store.Behind(ctx, k.at())
		x.Pending, errs = uint64(n), errors.Join(errs, err)
		out.Sinks = append(out.Sinks, x)
		delete(there, k.name)
	}
	out.Left, out.Known = slices.Sorted(maps.Keys(there)), errs == nil
	return out
}
