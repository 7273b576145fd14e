package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/spool"
	"avbeacon/internal/store"
)

// Outbox is the way from the book to the sinks: the spool, which keeps alerts until every sink has them, and the sinks.
type Outbox struct {
	*spool.Spool
	log   *zap.Logger
	store *store.Store
	sinks []alert.Sink
	far   bool // the spool is on a server
}

// OutboxOptions says whose alerts an Outbox sends.
type OutboxOptions struct {
	Log             *zap.Logger
	Sensor, Version string
	Stdout          io.Writer
	Store           *store.Store // where not nil, it is told which alerts the spool has
}

// OpenOutbox opens the spool and the sinks of a configuration. Run has to follow.
func OpenOutbox(c *config.Config, opt OutboxOptions) (*Outbox, error) {
	o := &Outbox{log: opt.Log, store: opt.Store, far: c.Spool.NATS != ""}
	settings := c.Spool
	settings.Dir = c.SpoolDir()
	var err error
	if o.Spool, err = spool.Open(settings, spool.Options{Logger: opt.Log, Sensor: opt.Sensor, Drain: c.Limits.Drain, Stored: o.stored}); err != nil {
		return nil, err
	}
	for _, k := range c.Sinks {
		sink, err := siem.Open(k, siem.Options{Logger: opt.Log, Stdout: opt.Stdout, Version: opt.Version})
		if err != nil {
			return nil, errors.Join(err, o.Close())
		}
		if err := o.Attach(k.Name, k.Filter, k.Batch, sink); err != nil {
			return nil, errors.Join(err, sink.Close(), o.Close())
		}
		o.sinks = append(o.sinks, sink)
	}
	return o, nil
}

// Reopen makes the sinks that write files open them again, as after a rotation.
func (o *Outbox) Reopen() {
	for _, s := range o.sinks {
		if r, ok := s.(deliver.Reopener); ok {
			r.Reopen()
		}
	}
}

func (o *Outbox) offer(a *alert.Alert) {
	if !o.Offer(a) {
		o.log.Error("an alert was lost: the spool's memory is full of graver ones", zap.String("id", a.ID), zap.String("message", a.Message))
	}
}

// stored notes that the spool has alerts: from now on they count as sent.
func (o *Outbox) stored(list []*alert.Alert) {
	if o.store == nil {
		return
	}
	for _, a := range list {
		o.store.KeepAlert(stored(a, time.Now()))
	}
}

// resumeBook shows the book the suppressions and the alerts of earlier runs, and reconciles the store with the outbox.
func (s *Session) resumeBook(ctx context.Context) error {
	rules, err := AllRules(ctx, s.rules, s.opt.Store, s.opt.Log)
	if err != nil {
		return err
	}
	if err := s.Suppress(rules); err != nil {
		return err
	}
	e := earlier{owing: map[string]*alert.Alert{}, known: map[string]bool{}}
	if err := e.readStore(ctx, s.opt.Store); err != nil {
		return err
	}
	o := s.opt.Outbox
	if o == nil || !s.opt.Live {
		s.Teller.Book.Restore(e.all)
		return nil
	}
	if err := e.readSpool(ctx, o.Spool); err != nil {
		if !o.far || ctx.Err() != nil {
			return err
		}
		s.opt.Log.Warn("the server that keeps the spool cannot be read: only the store knows which alerts were sent before", zap.Error(err))
	}
	s.Teller.Book.Restore(e.all)
	o.stored(e.there)
	late := slices.SortedFunc(maps.Values(e.owing), func(x, y *alert.Alert) int { return cmp.Compare(x.Sequence, y.Sequence) })
	for _, a := range late {
		o.offer(a)
	}
	if len(late) > 0 {
		s.opt.Log.Info("alerts that the last run could not write to the spool are sent now", zap.Int("alerts", len(late)))
	}
	return nil
}

// earlier is the alerts of the runs before this one.
type earlier struct {
	all   []*alert.Alert
	owing map[string]*alert.Alert // to be sent, and as far as the store knows the spool does not have them
	known map[string]bool         // ids of what the store has as sent
	there []*alert.Alert          // what the spool has without the store knowing
}

func (e *earlier) readStore(ctx context.Context, db *store.Store) error {
	if db == nil {
		return nil
	}
	list, err := db.Alerts(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		var a alert.Alert
		if json.Unmarshal(list[i].Body, &a) != nil || a.ID != list[i].ID {
			continue
		}
		e.all = append(e.all, &a)
		if e.known[a.ID] = !list[i].Told.IsZero(); !e.known[a.ID] && a.Unsaid == alert.Told {
			e.owing[a.ID] = &a
		}
	}
	return nil
}

func (e *earlier) readSpool(ctx context.Context, s *spool.Spool) error {
	err := s.Each(ctx, time.Time{}, func(a *alert.Alert) error {
		e.all = append(e.all, a)
		if !e.known[a.ID] {
			e.known[a.ID], e.there = true, append(e.there, a)
		}
		delete(e.owing, a.ID)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the spool back: %w", err)
	}
	return nil
}
