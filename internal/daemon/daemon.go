// Package daemon watches a tap for months: it opens what the configuration names, gives up its privileges, runs the
// pipeline, keeps what it finds, delivers alerts, takes new knowledge into use while it runs, and drains at the end.
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

// Options is what a Daemon needs. Config must be valid.
type Options struct {
	Config  config.Config
	File    string // of the configuration; "" for none
	Site    session.Site
	Version string
	Stdin   io.Reader
	Stdout  io.Writer // of the sink of type stdout, which is the only one where none is configured
	Summary io.Writer // gets the last report, in words
	Log     *zap.Logger
	// Reload asks for new knowledge, Reopen for files to be opened anew; both may be nil.
	Reload, Reopen <-chan os.Signal
}

// Messages of the log that others go by.
const (
	Watching = "watching"                          // all is open
	Ended    = "the input is at its end; draining" // no more packets are taken
	CameIn   = "packets that came in, in all"      // an input's, at the end
	Reloaded = "new knowledge is in use"           // after a reload
)

// Daemon is a run.
type Daemon struct {
	opt  Options
	cfg  *config.Config
	log  *zap.Logger
	next atomic.Pointer[knowledge] // loaded, for the owner to exchange

	source   capture.Source
	live     *live.Source  // nil without interfaces
	folder   *files.Folder // nil without a watched folder
	store    *store.Store  // nil without one
	key      []byte        // of the hashes that replace personal identifiers
	outbox   *session.Outbox
	metrics  *metrics.Registry
	server   *metrics.Server // nil where nobody listens
	faults   faults
	reloads  reloads
	delivery atomic.Pointer[outbox.Stats]
	entries  atomic.Int64  // of the catalogue in use
	due      atomic.Bool   // a second of the wall clock has passed
	ripe     chan struct{} // there is something to be written to the store; holds one
	began    time.Time

	lost     uint64 // alerts whose loss was logged; of the goroutine of beat
	saidLoss time.Time
}

// Run is the daemon's life. It returns when the input is at its end or ctx is done, and all that was taken until then is
// where it belongs, or after the time that the configuration allows for that.
func Run(ctx context.Context, opt Options) (err error) {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	d := &Daemon{opt: opt, cfg: &opt.Config, log: opt.Log, began: time.Now(), ripe: make(chan struct{}, 1)}
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
	flow, endFlow := context.WithCancel(context.WithoutCancel(ctx)) // of what is drained after the packets
	side, endSide := context.WithCancel(context.WithoutCancel(ctx)) // of what only looks on
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
	d.tellInputs()
	err = errors.Join(err, o.finish(stats))
	err = errors.Join(err, d.writeRest(side))
	endFlow() // the sinks catch up
	behind.Wait()
	endSide()
	beside.Wait()
	return errors.Join(err, undelivered, o.summary(stats), d.unread())
}

// unread tells which inputs could not be read, or not to their end.
func (d *Daemon) unread() error {
	var errs []error
	for _, in := range d.source.Inputs() {
		errs = append(errs, in.Err)
	}
	return errors.Join(errs...)
}

// tellInputs logs what came of each input.
func (d *Daemon) tellInputs() {
	for _, i := range d.interfaces() {
		d.log.Info(CameIn, zap.String("input", i.Name), zap.Uint64("packets", i.Packets), zap.Uint64("bytes", i.Bytes),
			zap.Uint64("kernel_drops", i.Kernel), zap.Uint64("freezes", i.Freezes), zap.Uint64("cut", i.Cut), zap.Uint64("losses", i.Losses))
	}
}

// beat notes each second of the wall clock, for the owner goroutine to look after what is not a packet's, and asks for the
// state of the outbox, which may take longer than the owner has time.
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
			d.sayLoss(&st)
			d.delivery.Store(&st)
		}
	}
}

// flushAfter is when the store is written at the latest, though the owner has not come to hand over the memory.
const flushAfter = 1200 * time.Millisecond

// sendAfter is how long alerts wait for others, with which they share a transaction.
const sendAfter = 50 * time.Millisecond

// keepStore writes what changed when the owner has handed over the memory, once a second; at the end it writes once more.
// Once an hour it takes away what is too old.
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
		case <-d.store.Ripe(): // alerts do not wait for the memory
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

// writeRest waits until the store has all alerts, for as long as the shutdown may take: a disk that is full may get room.
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

// sayEvery is how often losses of alerts are logged at most.
const sayEvery = time.Minute

// sayLoss logs alerts that went for want of room.
func (d *Daemon) sayLoss(st *outbox.Stats) {
	var lost uint64
	for at := range st.Dropped {
		lost += st.Dropped[at] + st.Purged[at]
	}
	if lost == d.lost || time.Since(d.saidLoss) < sayEvery {
		return
	}
	d.log.Error("no room: alerts of the lowest severity were deleted that not every sink had", zap.Uint64("alerts", lost-d.lost))
	d.lost, d.saidLoss = lost, time.Now()
}

func (d *Daemon) retain(ctx context.Context) {
	s := &d.cfg.Store
	r, err := d.store.Retain(ctx, store.Retention{Detail: s.Detail, Findings: s.Findings, Bytes: int64(s.Size)}, time.Now())
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.log.Error("the store's old records could not be removed", zap.Error(err))
	case r.Over:
		d.log.Warn("the store is over its limit, and nothing in it may go", zap.Int64("bytes", r.Used), zap.Int64("limit", int64(s.Size)))
	case r.Rows > 0 || r.Findings > 0:
		d.log.Info("old records were removed from the store", zap.Int64("rows", r.Rows), zap.Int("findings", r.Findings))
	}
}

func (d *Daemon) serve(ctx context.Context) {
	if err := d.server.Run(ctx); err != nil {
		d.log.Error("metrics are not served any more", zap.Error(err))
	}
}

// close gives up what open opened, in the opposite order.
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
