package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/outbox"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/store"
)

// Outbox connects the book to the sinks: the store keeps alerts until every sink has them. If the run has no store, a
// temporary one holds just the alerts.
type Outbox struct {
	*outbox.Outbox
	log       *zap.Logger
	store     *store.Store
	temporary bool
	sinks     []alert.Sink
}

// OutboxOptions describes an Outbox and the run whose alerts it sends.
type OutboxOptions struct {
	Log             *zap.Logger
	Sensor, Version string
	Stdout          io.Writer
	Store           *store.Store // nil: a temporary one is created. Its opener writes it (Flush), and closes it after the Outbox
}

// Unwritten is logged when writes to the store begin to fail.
const Unwritten = "the store cannot be written; findings and alerts wait in memory"

// OpenOutbox opens the sinks of a configuration on a store. Run must follow.
func OpenOutbox(ctx context.Context, c *config.Config, opt OutboxOptions) (*Outbox, error) {
	o := &Outbox{log: opt.Log, store: opt.Store, temporary: opt.Store == nil}
	if o.temporary {
		var err error
		if o.store, err = store.OpenTemporary(store.Options{Alerts: int64(c.Store.Alerts), Pending: c.Store.Pending}); err != nil {
			return nil, err
		}
	}
	o.Outbox = outbox.New(o.store, outbox.Options{Logger: opt.Log, Drain: c.Limits.Drain})
	for _, k := range c.Sinks {
		sink, err := siem.Open(k, siem.Options{Logger: opt.Log, Stdout: opt.Stdout, Version: opt.Version})
		if err != nil {
			return nil, errors.Join(err, o.Close())
		}
		if err := o.Attach(ctx, k.Name, k.Filter, k.Batch, sink); err != nil {
			return nil, errors.Join(err, sink.Close(), o.Close())
		}
		o.sinks = append(o.sinks, sink)
	}
	return o, nil
}

// Temporary reports whether undelivered alerts are lost when this process ends.
func (o *Outbox) Temporary() bool { return o.temporary }

// Run delivers until ctx is done, and then what is left; see outbox.Outbox. It also writes a temporary store.
func (o *Outbox) Run(ctx context.Context) error {
	if !o.temporary {
		return o.Outbox.Run(ctx)
	}
	written, end := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	var failed error
	group.Go(func() {
		defer end() // the sinks then deliver the last writes
		failed = o.store.Run(ctx, time.Second, func(err error) { o.log.Error(Unwritten, zap.Error(err)) })
	})
	err := o.Outbox.Run(written)
	group.Wait()
	return errors.Join(failed, err)
}

// Undelivered names the sinks that lack alerts once Run has returned; nil if all have them.
func (o *Outbox) Undelivered() error {
	var errs []error
	kept := map[bool]string{false: "the store keeps them for the next run", true: "with --db they would be kept for the next run"}[o.temporary]
	for _, k := range o.Stats().Sinks {
		if k.Rejected > 0 {
			errs = append(errs, fmt.Errorf("sink %s: the receiver rejected %d alerts for good", k.Name, k.Rejected))
		} else if k.Pending > 0 {
			errs = append(errs, fmt.Errorf("sink %s: not all alerts were delivered yet (%s); %s", k.Name, k.Error, kept))
		}
	}
	return errors.Join(errs...)
}

// Close closes the sinks, and a temporary store.
func (o *Outbox) Close() error {
	err := o.Outbox.Close()
	if o.temporary {
		err = errors.Join(err, o.store.Close())
	}
	return err
}

// Reopen makes the sinks that write files reopen them, as after a rotation.
func (o *Outbox) Reopen() {
	for _, s := range o.sinks {
		if r, ok := s.(deliver.Reopener); ok {
			r.Reopen()
		}
	}
}

// FormerSpool returns the folder next to the store in which an earlier version may have left undelivered alerts, "" if there
// is none.
func FormerSpool(storeFile string) string {
	folder := storeFile + ".spool"
	if st, err := os.Stat(folder); storeFile == "" || err != nil || !st.IsDir() {
		return ""
	}
	return folder
}

// resumeBook gives the book the suppressions and the alerts of earlier runs. An earlier version could leave alerts in the
// store that it decided to send but did not put into the outbox; they go there now.
func (s *Session) resumeBook(ctx context.Context) error {
	rules, err := AllRules(ctx, s.Alerter.Book.Suppressions(), s.opt.Store, s.opt.Log)
	if err != nil {
		return err
	}
	if err := s.Alerter.Book.Suppress(rules); err != nil || s.opt.Store == nil {
		return err
	}
	list, err := s.opt.Store.Alerts(ctx)
	if err != nil {
		return err
	}
	var all, owing []*alert.Alert
	for i := range list {
		a := new(alert.Alert)
		if json.Unmarshal(list[i].Body, a) != nil || a.ID != list[i].ID {
			continue
		}
		if all = append(all, a); list[i].Sent.IsZero() && a.Unsaid == alert.Sent {
			owing = append(owing, a)
		}
	}
	s.Alerter.Book.Restore(all)
	if s.opt.Outbox == nil || !s.opt.Live || len(owing) == 0 {
		return nil
	}
	slices.SortFunc(owing, func(x, y *alert.Alert) int { return int(x.Sequence) - int(y.Sequence) })
	for _, a := range owing {
		s.opt.Store.KeepAlert(outbox.Send(a, time.Now()))
	}
	s.opt.Log.Info("alerts that an earlier version did not send are sent now", zap.Int("alerts", len(owing)))
	return nil
}
