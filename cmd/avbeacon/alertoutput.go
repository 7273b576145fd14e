package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"avbeacon/capture"
	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/session"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/stix"
	"avbeacon/internal/store"
	"github.com/spf13/pflag"
)

// alertFlags are the flags of a run over captures that writes or sends the alerts that the daemon would have sent.
type alertFlags struct {
	file, format, config string
}

func (a *alertFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&a.file, "alerts", "", "write the alerts that 'monitor' would have sent to this `FILE`; - is standard output, in place of the report")
	f.StringVar(&a.format, "alert-format", "", "format of --alerts: "+join(siem.Formats())+" (default ecs)")
	f.StringVarP(&a.config, "config", "c", "", "send alerts to the sinks of this configuration `FILE` of 'monitor', with its alert settings (with --alerts it must have no sinks)")
}

// wanted reports whether alerts are requested.
func (a *alertFlags) wanted() bool { return a.file != "" || a.config != "" }

func (a *alertFlags) check(format string) error {
	switch {
	case a.file == "" && a.format != "":
		return errors.New("--alert-format needs --alerts FILE (the format of a sink is set in --config)")
	case a.file == "":
		return nil
	case a.format == "":
		a.format = "ecs"
	}
	if err := oneOf("alert-format", a.format, siem.Formats()...); err != nil {
		return err
	}
	if a.file == "-" && format != "text" {
		return errors.New("--alerts - takes standard output in place of the report: leave --format out, or write one of them to a file")
	}
	return nil
}

// alertOutput is where a run over captures brings its alerts: a file, the sinks of a configuration, both, or neither.
type alertOutput struct {
	flags  *alertFlags
	cfg    config.Config
	out    *output // of --alerts; nil without
	enc    format.Encoder
	list   []*alert.Alert // for a format that is one document; else nil
	line   []byte
	err    error           // of writing, the first
	outbox *session.Outbox // nil where no sink gets alerts
	ended  sync.WaitGroup
	end    context.CancelFunc
	failed error // of the outbox; valid after ended
}

// open opens where alerts go, before anything is read.
func (a *alertFlags) open(ctx context.Context, s *streams, sensor string, db *store.Store) (x *alertOutput, err error) {
	x = &alertOutput{flags: a, cfg: config.Default()}
	if a.config != "" {
		if x.cfg, err = config.Load(a.config); err != nil {
			return nil, err
		}
	}
	if a.file != "" {
		if x.enc, err = siem.Encoding(a.format, format.Options{Hostname: sensor}); err != nil {
			return nil, err
		}
		if x.out, err = openOutput("--alerts", a.file, s.out); err != nil {
			return nil, err
		}
	}
	if a.config != "" {
		if err = x.connect(ctx, s, sensor, db); err != nil {
			return nil, errors.Join(err, x.discard())
		}
	}
	return x, nil
}

// connect opens the sinks of the configuration.
func (x *alertOutput) connect(ctx context.Context, s *streams, sensor string, db *store.Store) (err error) {
	switch {
	case len(x.cfg.Sinks) > 0:
	case x.out != nil: // its rules alone are asked for
		return nil
	default:
		return fmt.Errorf("--config %s: it has no sinks to send alerts to", x.flags.config)
	}
	if x.outbox, err = session.OpenOutbox(ctx, &x.cfg, session.OutboxOptions{Log: warnings(s), Sensor: sensor, Version: version(), Stdout: s.out, Store: db}); err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	x.end = cancel
	x.ended.Go(func() { x.failed = x.outbox.Run(life) })
	return nil
}

// rules says which alerts are made; nil for none.
func (x *alertOutput) rules() *alert.Config {
	if !x.flags.wanted() {
		return nil
	}
	return &x.cfg.Alerts
}

// sent writes an alert to the file.
func (x *alertOutput) sent(a *alert.Alert) {
	switch {
	case x.out == nil || x.err != nil:
	case x.flags.format == "stix":
		x.list = append(x.list, a)
	default:
		if x.line, x.err = x.enc.Append(x.line[:0], a); x.err == nil {
			_, x.err = x.out.Write(append(x.line, '\n'))
		}
	}
}

// tick ends a run whose alerts cannot be written. It is nil where none are: observers then need not call it.
func (x *alertOutput) tick() func(time.Time, capture.Stats) error {
	if x.out == nil {
		return nil
	}
	return func(time.Time, capture.Stats) error { return x.out.failed(x.err) }
}

// finish makes the file visible, and waits until the sinks have all alerts.
func (x *alertOutput) finish() error { return errors.Join(x.written(), x.delivered()) }

func (x *alertOutput) written() error {
	if x.out == nil {
		return nil
	}
	if x.flags.format == "stix" && x.err == nil && len(x.list) > 0 {
		var b []byte
		if b, x.err = stix.AppendBundle(nil, x.list, format.Options{}); x.err == nil {
			_, x.err = x.out.Write(append(b, '\n'))
		}
	}
	return x.out.finish(x.err)
}

// delivered ends the outbox. An alert that a sink does not have is an error; a store keeps it for the next run.
func (x *alertOutput) delivered() error {
	if x.outbox == nil {
		return nil
	}
	x.end()
	x.ended.Wait()
	return errors.Join(x.failed, x.outbox.Undelivered(), x.outbox.Close())
}

// discard closes and deletes what was opened, after an error elsewhere.
func (x *alertOutput) discard() error {
	var errs []error
	if x.out != nil {
		errs = append(errs, x.out.discard())
	}
	if x.outbox != nil {
		x.end()
		x.ended.Wait()
		errs = append(errs, x.outbox.Close())
	}
	return errors.Join(errs...)
}
