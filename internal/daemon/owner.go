package daemon

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/flow"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/hosts"
	"avbeacon/internal/metrics"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// owner is the goroutine behind the observers: it alone touches the classifier, the book and what is around them.
type owner struct {
	d      *Daemon
	p      *pipeline.Pipeline
	saver  *classify.Saver // nil without a store
	tell   pipeline.Teller
	look   interest // what the observers ask now
	cover  coverage
	found  found
	relief relief
	ended  bool                      // the input is at its end
	run    store.RunNumber           // valid iff there is a store
	told   map[metrics.Alerts]uint64 // N is 0 in the key
}

// build makes the pipeline and its owner, and goes on from the store.
func (d *Daemon) build(ctx context.Context) (*pipeline.Pipeline, *owner, error) {
	l := &d.cfg.Limits
	o := &owner{d: d, told: map[metrics.Alerts]uint64{}, found: found{most: 2 * l.Hosts}, relief: newRelief(l.Hosts)}
	p := &pipeline.Pipeline{
		Source: d.source,
		Capture: observe.Options{
			Workers: workers(d.cfg.Capture.Workers), Interest: d.asked, Panicked: d.faults.packet(d.log),
			Observer: observe.ObserverOptions{MaxFlows: l.Flows, Seed: seed()},
		},
		Hosts:    hosts.New(hosts.Options{MaxHosts: l.Hosts}),
		Names:    names.New(names.Options{MaxPairs: l.Names, Interest: latest{d}}),
		Changed:  o.changed,
		Tick:     o.tick,
		Panicked: d.faults.observation(d.log),
	}
	o.p = p
	silent, err := d.suppressions(ctx, d.cfg.Alerts.Suppress)
	if err != nil {
		return nil, nil, err
	}
	d.know.silent = silent
	book, err := d.newBook(&d.know)
	if err != nil {
		return nil, nil, err
	}
	o.tell = pipeline.Teller{Book: book, Policy: d.know.policy, Tell: o.offer}
	if err := o.begin(ctx); err != nil {
		return nil, nil, err
	}
	return p, o, nil
}

// workers is what the configuration says, else one a processor, four at most: the reader is the limit beyond.
func workers(n int) int {
	if n > 0 {
		return n
	}
	return min(runtime.NumCPU(), 4)
}

// asked is capture.Options.Interest.
func (d *Daemon) asked() capture.Interest { return *d.look.Load() }

// latest is the interest that is in use at the moment.
type latest struct{ d *Daemon }

func (l latest) Name(name []byte) bool  { return (*l.d.look.Load()).Name(name) }
func (l latest) Addr(a netip.Addr) bool { return (*l.d.look.Load()).Addr(a) }
func (l latest) Flow(udp bool, port uint16, out, in []byte) bool {
	return (*l.d.look.Load()).Flow(udp, port, out, in)
}

// begin makes the classifier, from the store where there is one, and tells the book what was told before.
func (o *owner) begin(ctx context.Context) error {
	d := o.d
	c := d.classifier(&d.know, d.faults.key)
	told, err := madeBefore(ctx, d.store)
	if err != nil {
		return err
	}
	if d.store != nil {
		pieces, err := d.store.MemoryOf(ctx, d.cfg.Limits.Hosts)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if r := c.Restore(pieces); r.Err != nil {
			d.log.Error("parts of the store cannot be read; what they knew is lost", zap.Int("pieces", r.Unread), zap.Error(r.Err))
		}
		if err := o.p.Names.Restore(namesIn(pieces)); err != nil {
			d.log.Error("parts of the store cannot be read; what they knew is lost", zap.Error(err))
		}
	}
	if err := told.read(ctx, d.spool); err != nil {
		if d.cfg.Spool.NATS == "" || ctx.Err() != nil {
			return err
		}
		d.log.Warn("the server that keeps the stream cannot tell what it has: what was told before is known from the store alone", zap.Error(err))
	}
	if err := o.tell.Book.Suppress(d.know.silent); err != nil {
		return err
	}
	o.goOn(told)
	o.use(c)
	if d.store == nil {
		return nil
	}
	o.saver.Fresh()
	found, err := d.store.Findings(ctx, d.know.catalog)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for i := range found {
		o.tell.Book.Recall(found[i].Finding, found[i].Decision)
	}
	if err := d.store.UseCatalog(ctx, d.know.catalog, time.Now()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return o.register(ctx)
}

// register gives the run its number, which the frames of its evidence go by.
func (o *owner) register(ctx context.Context) (err error) {
	d := o.d
	if o.run, err = d.store.NextRun(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	o.p.Source = &capture.Numbered{Source: d.source, First: int32(o.run.First)}
	return d.putRun(ctx, o.run, report.Coverage{})
}

// putRun writes how far the run has come.
func (d *Daemon) putRun(ctx context.Context, n store.RunNumber, c report.Coverage) error {
	run := &store.Run{Began: d.began, Version: d.opt.Version, Inputs: d.source.Inputs(), Coverage: c}
	if err := d.store.PutRun(ctx, n, run, time.Now()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// use makes a classifier, and all that asks its catalogue, the one that is in use.
func (o *owner) use(c *classify.Classifier) {
	d := o.d
	o.p.Classifier, o.p.Catalog = c, d.know.catalog
	o.look = d.know.catalog
	if d.store != nil {
		w := store.NewWatch(d.store, d.know.catalog, d.home)
		o.p.Watch, o.look = w, w
		o.saver = c.NewSaver()
	}
	d.look.Store(&o.look)
	d.entries.Store(int64(d.know.catalog.Len()))
}

// home says whether an address is the site's.
func (d *Daemon) home(a netip.Addr) bool {
	list := d.opt.Home
	if list == nil {
		list = classify.DefaultHome()
	}
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// changed is pipeline.Pipeline.Changed: tell what is to be told, and keep the finding.
func (o *owner) changed(f *classify.Finding) error {
	decision := o.tell.Changed(f)
	if o.d.store != nil {
		o.unsaid() // never the finding without what became of it
		o.d.store.Keep(f, decision)
	}
	o.found.note(f, decision.Concern)
	return nil
}

// offer hands an alert to the spool.
func (o *owner) offer(a *alert.Alert) {
	a.Made = time.Now()
	o.told[metrics.Alerts{Event: string(a.Event), Severity: a.Severity.String()}]++
	o.d.written(a)
	o.hand(a)
}

func (o *owner) hand(a *alert.Alert) {
	if !o.d.spool.Offer(a) {
		o.d.log.Error("an alert was lost: the spool's memory is full of graver ones", zap.String("id", a.ID), zap.String("message", a.Message))
	}
}

// tick is pipeline.Pipeline.Tick.
func (o *owner) tick(now time.Time, st capture.Stats) error {
	o.tell.Tick(now)
	if !o.d.due.Swap(false) {
		return nil
	}
	o.second(st)
	return nil
}

// second does what is due once a second of the wall clock.
func (o *owner) second(st capture.Stats) {
	d := o.d
	if d.store != nil {
		o.keep(o.saver.Changed(false))
	}
	if k := d.next.Swap(nil); k != nil {
		o.takeUp(k)
	}
	o.relieve()
	d.show(o, st)
}

// keep hands the store what changed. It is called only where there is a store.
func (o *owner) keep(pieces []classify.Saved) {
	d := o.d
	o.unsaid() // never the finding without what became of it
	d.store.KeepMemory(append(pieces, o.names()...), d.know.policy.Decide)
	o.cover.add(d.store, o.tell.Now(), d.source.Inputs(), d.live != nil)
	select {
	case d.ripe <- struct{}{}:
	default: // the last time is not written yet
	}
}

// takeUp exchanges what is known. What was found stays: it goes through the same form as at a restart.
func (o *owner) takeUp(k *knowledge) {
	d, before := o.d, o.d.know
	began := time.Now()
	pieces := o.p.Classifier.Pieces()
	d.know = *k
	c := d.classifier(k, d.faults.key)
	c.Limit(o.relief.hosts)
	r := c.Restore(pieces)
	o.use(c)
	o.tell.Book.Use(d.bookOptions(k))
	if err := o.tell.Book.Suppress(k.silent); err != nil {
		d.log.Error("the suppressions that were in use stay", zap.Error(err))
	}
	o.acknowledge(k.taken)
	o.tell.Policy = k.policy
	before.close()
	if d.store != nil {
		o.saver.Fresh()
		if err := d.store.UseCatalog(context.Background(), k.catalog, time.Now()); err != nil {
			d.faults.wrote(time.Now(), err, d.log)
		}
	}
	d.reloads.done(time.Now())
	d.log.Info("new knowledge is in use", zap.String("catalogue", k.catalog.Date()), zap.Int("entries", k.catalog.Len()), zap.String("policy", k.policy.Name),
		zap.Int("findings", r.Findings), zap.Int("findings_of_vendors_that_are_gone", r.Unknown), zap.Duration("took", time.Since(began)))
}

// newBook makes a book for a policy.
func (d *Daemon) newBook(k *knowledge) (*alert.Book, error) {
	return alert.NewBook(d.cfg.Alerts, d.bookOptions(k))
}

func (d *Daemon) bookOptions(k *knowledge) alert.Options {
	return alert.Options{MaxTracked: d.cfg.Limits.Hosts, Sensor: d.cfg.Sensor, Policy: k.policy.Name, Version: d.opt.Version, Concern: alert.PlacesOf(k.policy)}
}

// seed makes a run's own, so that nobody who sends packets can aim at one shard.
func seed() (s flow.Seed) {
	var b [8]byte
	for i := range s {
		rand.Read(b[:]) // never fails
		s[i] = binary.LittleEndian.Uint64(b[:]) | 1
	}
	return s
}
