package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"avbeacon/capture/files"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/privilege"
	"avbeacon/internal/session"
	"avbeacon/internal/siem"
	"avbeacon/internal/store"
)

// Check tests everything that a configuration names, as far as that is possible without listening, writing or sending.
// Its notes are sentences about settings that may be mistakes.
func Check(ctx context.Context, opt Options) (notes []string, err error) {
	d := &Daemon{opt: opt, cfg: &opt.Config}
	know, err := session.Load(&d.cfg.Knowledge, d.cfg.Policy)
	errs := []error{err}
	if err == nil {
		defer know.Close()
		notes = append(place.Stale(know.Places.Databases(), time.Now()), know.Policy.Warnings()...)
		notes = append(notes, strangers(d.cfg, know.Catalog)...)
	}
	missing, named := d.checkNames()
	notes, errs = append(notes, missing...), append(errs, named...)
	_, err = d.filter()
	errs = append(errs, err)
	if _, err := session.ReadKey(d.cfg.Knowledge.IDKey); err != nil {
		errs = append(errs, fmt.Errorf("knowledge.id-key: %w", err))
	}
	_, err = alert.NewBook(d.cfg.Alerts, alert.Options{}) // only to see whether the rules can be used
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

// checkNames checks that named files and folders exist. A missing interface is only a note: the configuration may be for
// another machine, or the interface may appear later.
func (d *Daemon) checkNames() (notes []string, errs []error) {
	c := d.cfg
	for _, name := range c.Capture.Interfaces {
		if _, err := net.InterfaceByName(name); err != nil {
			notes = append(notes, fmt.Sprintf("capture.interfaces: there is no %s on this machine", name))
		}
	}
	if c.Capture.Watch != "" {
		f, err := files.Watch(c.Capture.Watch, files.WatchOptions{})
		if errs = append(errs, err); err == nil {
			errs = append(errs, f.Close())
		}
	}
	if c.Store.File != "" {
		if _, err := os.Stat(filepath.Dir(c.Store.File)); err != nil {
			errs = append(errs, fmt.Errorf("store.file: its folder: %w", err))
		}
	}
	return notes, append(errs, privilege.Known(c.Limits.User))
}

// strangers returns a note for each vendor that the catalogue does not have: a rule that names it never matches. It is not an error,
// because a later catalogue may have the vendor.
func strangers(c *config.Config, catalog *feeds.Catalog) (notes []string) {
	look := func(key string, vendors []string) {
		for _, v := range vendors {
			if catalog.Vendor(v) == nil {
				notes = append(notes, fmt.Sprintf("%s: the catalogue has no vendor %q", key, v))
			}
		}
	}
	for i := range c.Alerts.Suppress {
		look(fmt.Sprintf("alerts.suppress[%d].vendors", i), c.Alerts.Suppress[i].Vendors)
	}
	for i := range c.Sinks {
		look(fmt.Sprintf("sinks[%d].filter.vendors", i), c.Sinks[i].Filter.Vendors)
	}
	return notes
}

// try skips sinks that would create their file when opened.
func try(kind string, open func() error) error {
	if kind == "file" {
		return nil
	}
	return open()
}

// checkStore checks that an existing store can be read.
func (d *Daemon) checkStore(context.Context) error {
	if d.cfg.Store.File == "" {
		return nil
	}
	s, err := store.Open(d.cfg.Store.File, store.Options{ReadOnly: true})
	switch {
	case errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrOlder): // monitor makes it, or migrates it
		return nil
	case err != nil:
		return err
	}
	return s.Close()
}
