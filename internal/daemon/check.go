package daemon

import (
	"context"
	"errors"

	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/siem"
	"avbeacon/internal/store"
	"time"
)

// Check tries all that a configuration names and that can be tried without listening, writing or sending anything. Notes
// are sentences about what may not be meant.
func Check(ctx context.Context, opt Options) (notes []string, err error) {
	d := &Daemon{opt: opt, cfg: &opt.Config}
	know, err := load(d.cfg)
	errs := []error{err}
	if err == nil {
		defer know.close()
		notes = append(classify.StalePlaces(know.places.Databases(), time.Now()), know.policy.Warnings()...)
	}
	_, err = d.filter()
	errs = append(errs, err)
	_, err = readKey(d.cfg.Knowledge.IDKey)
	errs = append(errs, err)
	_, err = alert.NewBook(d.cfg.Alerts, alert.Options{})
	errs = append(errs, err)
	for _, c := range d.cfg.Sinks {
		errs = append(errs, try(c.Type, func() error {
			s, err := siem.Open(c, siem.Options{Stdout: opt.Stdout, Version: opt.Version})
			if err != nil {
				return err
			}
			return s.Close()
		}))
	}
	return notes, errors.Join(append(errs, d.checkStore(ctx))...)
}

// try leaves out sinks that make their file when they are opened.
func try(kind string, open func() error) error {
	if kind == "file" {
		return nil
	}
	return open()
}

// checkStore looks whether a store that is there can be read.
func (d *Daemon) checkStore(context.Context) error {
	if d.cfg.Store.File == "" {
		return nil
	}
	s, err := store.Open(d.cfg.Store.File, store.Options{ReadOnly: true})
	switch {
	case errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrOlder):
		return nil
	case err != nil:
		return err
	}
	return s.Close()
}
