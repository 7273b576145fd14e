// Package daemon watches a tap for months: a session.Session that does not end by itself. A checked configuration goes in; alerts,
// a store, metrics and a last report come out. It opens what the configuration names, drops its privileges, runs the pipeline,
// writes the store, delivers alerts, reloads the catalogue, policy and place data while it runs, and drains at the end.
//
// Goroutines, and what each may touch:
//
//   - observers (capture/observe) read packets and make observations. They share nothing but the catalogue's Interest.
//   - the owner (owner.go) runs the Session: classifier, hosts, names and book are its alone, without a lock. What others want of it
//     they leave in an atomic (next, due), which it looks at about once a second in tick.
//   - keepStore writes to the store what the owner handed over, so that a slow disk never holds up packets.
//   - the outbox's sinks deliver alerts from the store.
//   - beat, watchKnowledge and the metrics server touch no packets: they set the atomics and read what the owner published.
//
// Start reading at Run, then owner.tick; open.go has the order in which things are opened and privileges dropped, reload.go how new
// knowledge gets in, end.go the end.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/live"
	"avbeacon/internal/config"
	"avbeacon/internal/metrics"
	"avbeacon/internal/outbox"
	"avbeacon/internal/session"
	"avbeacon/internal/store"
)

// Options are what a Daemon needs. Config must be valid.
type Options struct {
	Config  config.Config
	File    string // the configuration's; "" for none
	Site    session.Site
	Version string
	Stdin   io.Reader
	Stdout  io.Writer // for the sink of type stdout, the default when no sink is configured
	Summary io.Writer // gets the last report, as text
	Log     *zap.Logger
	// A signal on Reload reloads catalogue, policy and place data; one on Reopen reopens output files. Both may be nil.
	Reload, Reopen <-chan os.Signal
}

// Log messages that other programs and tests rely on.
const (
	Watching = "watching"                          // everything is open
	Ended    = "the input is at its end; draining" // no more packets are taken
	CameIn   = "packets received in total"         // of one input, at the end
	Reloaded = "new knowledge is in use"           // after a reload
)

// Daemon is one run.
type Daemon struct {
	opt  Options
	cfg  *config.Config
	log  *zap.Logger
	next atomic.Pointer[knowledge] // loaded, for the owner to put into use

	source   capture.Source
	live     *live.Source  // nil without interfaces
	folder   *files.Folder // nil without a watched folder
	store    *store.Store  // nil without one
	key      []byte        // for the hashes that replace personal identifiers
	outbox   *session.Outbox
	metrics  *metrics.Registry
	server   *metrics.Server // nil if metrics are not served
	faults   faults
	reloads  reloads
	delivery atomic.Pointer[outbox.Stats]
	entries  atomic.Int64  // of the catalogue in use
	due      atomic.Bool   // a second of the wall clock has passed
	ripe     chan struct{} // signals that the store has something to write; capacity 1
	began    time.Time
	granted  []string // folders that are still within reach; nil: all
}

// Run runs the daemon. It returns when the input has ended or ctx is done, and everything captured until then has been
// judged, stored and delivered, or when the time that the configuration allows for draining has passed.
func Run(ctx context.Context, opt Options) (err error) {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	d := &Daemon{opt: opt, cfg: &opt.Config, log: opt.Log, began: time.Now(), ripe: make(chan struct{}, 1)}
	defer limitMemory(d.cfg, d.log)()
	defer func() { err = errors.Join(err, d.close()) }()
	know, err := session.Load(&d.cfg.Knowledge, d.cfg.Policy)
	if err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		know.Close()
		return err
	}
	o, err := d.build(ctx, know)
	if err != nil {
		know.Close()
		return err
	}
	defer func() { o.Know.Close() }()
	return d.run(ctx, o)
}

// run starts all goroutines and waits for them, in the order in which data flows.
func (d *Daemon) run(ctx context.Context, o *owner) error {
	var behind, beside sync.WaitGroup
	flow, endFlow := context.WithCancel(context.WithoutCancel(ctx)) // stages that drain after the last packet
	side, endSide := context.WithCancel(context.WithoutCancel(ctx)) // monitoring, which touches no packets
	defer endFlow()
	defer endSide()
	var undelivered error
	behind.Go(func() { undelivered = d.outbox.Run(flow) })
	if d.store != nil {
		beside.Go(func() { d.keepStore(side) })
	}
	if d.server != nil {
		beside.Go(func() { d.serve(side) })
	}
	beside.Go(func() { d.beat(side) })
	beside.Go(func() { d.watchKnowledge(side) })
	d.log.Info(Watching, zap.Strings("inputs", d.inputs()), zap.String("sensor", d.cfg.Sensor), zap.String("policy", o.Know.Policy.Name))
	stats, err := o.Pipeline.Run(ctx)
	d.log.Info(Ended, zap.Duration("at_most", d.cfg.Limits.Drain))
	d.logInputs()
	err = errors.Join(err, o.finish(stats))
	err = errors.Join(err, d.writeRest(side))
	endFlow() // the sinks deliver what is left
	behind.Wait()
	endSide()
	beside.Wait()
	if d.outbox.Temporary() { // a store keeps for the next run what a sink lacks
		undelivered = errors.Join(undelivered, d.outbox.Undelivered())
	}
	return errors.Join(err, undelivered, o.summary(stats), d.unread())
}

// unread returns an error that names the inputs that could not be read to their end.
func (d *Daemon) unread() error {
	var errs []error
	for _, in := range d.source.Inputs() {
		errs = append(errs, in.Err)
	}
	return errors.Join(errs...)
}

// logInputs logs the totals of each input.
func (d *Daemon) logInputs() {
	for _, i := range d.interfaces() {
		d.log.Info(CameIn, zap.String("input", i.Name), zap.Uint64("packets", i.Packets), zap.Uint64("bytes", i.Bytes),
			zap.Uint64("kernel_drops", i.Kernel), zap.Uint64("freezes", i.Freezes), zap.Uint64("cut", i.Cut), zap.Uint64("losses", i.Losses))
	}
}

// beat marks each second of the wall clock, on which the owner goroutine does its periodic work. beat itself queries the
// state of the outbox, which would hold up the owner for too long.
func (d *Daemon) beat(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			d.due.Store(true)
			st := d.outbox.Stats()
			d.delivery.Store(&st)
		}
	}
}

// flushAfter is the longest time between writes to the store, even if the owner has not handed over its changes.
const flushAfter = 1200 * time.Millisecond

// sendAfter is how long an alert waits for others to share its transaction.
const sendAfter = 50 * time.Millisecond

// keepStore writes changes to the store when the owner has handed them over, once a second, and a last time at the end.
// Once an hour it deletes what is too old.
func (d *Daemon) keepStore(ctx context.Context) {
	late, hour, soon := time.NewTicker(flushAfter), time.NewTicker(time.Hour), time.NewTimer(flushAfter)
	defer soon.Stop()
	defer late.Stop()
	defer hour.Stop()
	d.retain(ctx)
	for {
		select {
		case <-ctx.Done():
			d.flush(context.WithoutCancel(ctx))
			return
		case <-d.ripe:
			d.flush(ctx)
			late.Reset(flushAfter)
		case <-d.store.Ripe(): // alerts do not wait for the owner's hand-over
			soon.Reset(sendAfter)
		case <-soon.C:
			d.flush(ctx)
		case <-late.C:
			d.flush(ctx)
		case <-hour.C:
			d.retain(ctx)
		}
	}
}

func (d *Daemon) flush(ctx context.Context) {
	now := time.Now()
	err := d.store.Flush(ctx, now)
	if ctx.Err() == nil {
		d.faults.wrote(now, err, d.log)
	}
	if st, err := os.Stat(d.cfg.Store.File); err == nil {
		d.faults.mu.Lock()
		d.faults.size = st.Size()
		d.faults.mu.Unlock()
	}
}

// writeRest retries until the store has all alerts, for as long as the shutdown may take: space may be freed on a full disk.
func (d *Daemon) writeRest(ctx context.Context) error {
	if d.store == nil {
		return nil
	}
	for end := time.Now().Add(d.cfg.Limits.Drain); d.store.OutboxStats().Waiting > 0; time.Sleep(sendAfter) {
		d.flush(ctx)
		if n := d.store.OutboxStats().Waiting; n > 0 && time.Now().After(end) {
			return fmt.Errorf("%d alerts were not written to the store", n)
		}
	}
	return nil
}

func (d *Daemon) retain(ctx context.Context) {
	s := &d.cfg.Store
	r, err := d.store.Retain(ctx, store.Retention{Detail: s.Detail, Findings: s.Findings, Bytes: int64(s.Size)}, time.Now())
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.log.Error("old records could not be removed from the store", zap.Error(err))
	case r.Over:
		d.log.Warn("the store exceeds its limit, but holds nothing that may be deleted", zap.Int64("bytes", r.Used), zap.Int64("limit", int64(s.Size)))
	case r.Rows > 0 || r.Findings > 0:
		d.log.Info("old records were removed from the store", zap.Int64("rows", r.Rows), zap.Int("findings", r.Findings))
	}
}

func (d *Daemon) serve(ctx context.Context) {
	if err := d.server.Run(ctx); err != nil {
		d.log.Error("the metrics server failed; metrics and health are no longer served", zap.Error(err))
	}
}

// close closes what open opened, in reverse order.
func (d *Daemon) close() error {
	var errs []error
	add := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", what, err))
		}
	}
	if d.outbox != nil {
		add("sinks", d.outbox.Close())
	}
	if d.store != nil {
		add("store", d.store.Close())
	}
	if d.source != nil {
		add("source", d.source.Close())
	}
	return errors.Join(errs...)
}
