package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/flow"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
)

// owner is the state of the goroutine that runs the Session, behind the observers. No other goroutine touches it, so nothing in it
// has a lock. Whatever it does between two packets delays the packets behind it, until the ring is full and the kernel drops: its
// periodic work (tick) must follow what changed, not what there is.
type owner struct {
	*session.Session
	d      *Daemon
	cover  coverage
	found  found
	relief relief
	ended  bool // the input has ended
	sent   map[sentKey]uint64
	losses losses
}

type sentKey struct{ event, severity string }

// build makes the Session and resumes from the store.
func (d *Daemon) build(ctx context.Context, know *session.Knowledge) (*owner, error) {
	l := &d.cfg.Limits
	o := &owner{d: d, sent: map[sentKey]uint64{}, losses: losses{}, found: found{most: 2 * l.Hosts}, relief: newRelief(l.Hosts)}
	var err error
	o.Session, err = session.New(session.Options{
		Source: d.source,
		Capture: observe.Options{
			Workers: cmp.Or(d.cfg.Capture.Workers, session.Workers()), Panicked: d.faults.packet(d.log),
			Observer: observe.ObserverOptions{MaxFlows: l.Flows, Seed: seed()},
		},
		Hosts: l.Hosts, Names: l.Names, Site: d.opt.Site, Sensor: d.cfg.Sensor, Version: d.opt.Version, IDKey: d.key, Live: true, Log: d.log,
		Store: d.store, Alerts: &d.cfg.Alerts, Outbox: d.outbox,
		Sent: o.count, Changed: o.note, Tick: o.tick, Panicked: d.faults.observation(d.log),
	}, know)
	if err != nil {
		return nil, err
	}
	d.entries.Store(int64(know.Catalog.Len()))
	r, err := o.Resume(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if r.Err != nil {
		d.log.Error(session.Unreadable, zap.Int("pieces", r.Unread), zap.Error(r.Err))
	}
	if d.store == nil {
		return o, nil
	}
	if err := o.PutRun(ctx, report.Coverage{}); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return o, nil
}

// note is session.Options.Changed.
func (o *owner) note(f *classify.Finding, d policy.Decision) { o.found.note(f, d.Concern) }

// count is session.Options.Sent.
func (o *owner) count(a *alert.Alert) {
	o.sent[sentKey{string(a.Event), a.Severity.String()}]++
}

// tick is session.Options.Tick, called about once a second of packet time, and by empty blocks while a live tap is silent. It
// does what is due once a second of the wall clock, as marked by beat: a capture that is read faster than it was taken has many seconds
// of packet time in one of the wall clock. The order matters: changes are handed to the store under the knowledge that judged them,
// before new knowledge takes its place.
func (o *owner) tick(_ time.Time, st capture.Stats) error {
	d := o.d
	if !d.due.Swap(false) {
		return nil
	}
	if d.store != nil {
		o.keep(session.Changes)
	}
	if k := d.next.Swap(nil); k != nil {
		o.exchange(k)
	}
	o.relieve()
	d.show(o, st)
	return nil
}

// keep hands changes to the store. It is called only if there is a store.
func (o *owner) keep(part session.Part) {
	d := o.d
	o.Keep(part)
	o.cover.add(d.store, o.Alerter.Now(), d.source.Inputs(), d.live != nil)
	select {
	case d.ripe <- struct{}{}:
	default: // the last hand-over is not written yet
	}
}

// exchange puts newly loaded knowledge into use. It runs in the owner's goroutine, so that no finding is judged half by the old and
// half by the new. Observers may hold the old catalogue's Interest for a few packets more; it stays valid, because knowledge is
// never changed. Only the place databases are closed: the owner alone reads them.
func (o *owner) exchange(k *knowledge) {
	d, before, began := o.d, o.Know, time.Now()
	r, err := o.Use(context.Background(), k.Knowledge, o.relief.hosts)
	if err != nil {
		d.faults.wrote(time.Now(), err, d.log)
	}
	before.Close()
	if err := o.Alerter.Book.Suppress(k.rules); err != nil {
		d.log.Error("the new suppressions were rejected; the old ones stay in use", zap.Error(err))
	}
	for _, id := range k.acknowledged {
		o.Alerter.Book.Acknowledge(id, o.Alerter.Now())
	}
	d.entries.Store(int64(k.Catalog.Len()))
	d.reloads.done(time.Now())
	d.log.Info(Reloaded, zap.String("catalogue", k.Catalog.Date()), zap.Int("entries", k.Catalog.Len()), zap.String("policy", k.Policy.Name),
		zap.Int("findings", r.Findings), zap.Int("findings_of_vendors_that_are_gone", r.Unknown), zap.Duration("took", time.Since(began)))
}

// seed returns a random seed per run, so that a sender of packets cannot aim at one shard.
func seed() (s flow.Seed) {
	var b [8]byte
	for i := range s {
		rand.Read(b[:]) // never fails
		s[i] = binary.LittleEndian.Uint64(b[:]) | 1
	}
	return s
}
