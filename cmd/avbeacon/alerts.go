package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/logs"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem"
	"avbeacon/internal/spool"
)

// alertFlags are the flags of a run over captures that writes or sends what the daemon would have told.
type alertFlags struct {
	file, format, config string
}

func (a *alertFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&a.file, "alerts", "", "write the alerts that 'monitor' would have sent to this `FILE`; - is standard output, in place of the report")
	f.StringVar(&a.format, "alert-format", "", "of --alerts: "+join(siem.Formats())+" (default ecs)")
	f.StringVarP(&a.config, "config", "c", "", "send alerts to the sinks of this configuration `FILE` of 'monitor', by its rules of what is told (beside --alerts it may have none)")
}

// wanted says that alerts are asked for.
func (a *alertFlags) wanted() bool { return a.file != "" || a.config != "" }

func (a *alertFlags) check(format string) error {
	switch {
	case a.file == "" && a.format != "":
		return errors.New("--alert-format is of --alerts FILE, which is not given (a sink's format stands in --config)")
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

// alerts is what goes on beside an analysis that tells. nil is an analysis that does not.
type alerts struct {
	flags  *alertFlags
	cfg    config.Config
	teller pipeline.Teller
	out    *output // of --alerts; nil without
	enc    siem.Encoder
	list   []*alert.Alert // for a format that is one document; else nil
	line   []byte
	err    error                         // of writing, the first
	keep   func(*alert.Alert, time.Time) // what was made, and when it was told; nil without a store
	rules  []*alert.Suppression
	spool  *spool.Spool
	ended  sync.WaitGroup
	end    context.CancelFunc
	failed error // of the spool; valid after ended
}

// open opens where alerts go, before anything is read.
func (a *alertFlags) open(s *streams, sensor string, rules *policy.Policy) (x *alerts, err error) {
	if !a.wanted() {
		return nil, nil
	}
	x = &alerts{flags: a, cfg: config.Default()}
	if a.config != "" {
		if x.cfg, err = config.Load(a.config); err != nil {
			return nil, err
		}
	}
	opt := alert.Options{Sensor: sensor, Policy: rules.Name, Version: version(), Concern: alert.PlacesOf(rules)}
	book, err := alert.NewBook(x.cfg.Alerts, opt)
	if err != nil {
		return nil, err
	}
	x.teller, x.rules = pipeline.Teller{Book: book, Policy: rules, Tell: x.tell}, rulesOf(x.cfg.Alerts.Suppress)
	if a.file != "" {
		if x.enc, err = siem.Encoding(a.format, siem.EncodeOptions{Hostname: sensor}); err != nil {
			return nil, err
		}
		if x.out, err = openOutput(a.file, s.out); err != nil {
			return nil, err
		}
	}
	if a.config != "" {
		err = x.connect(s, sensor)
	}
	return x, err
}

// connect opens the sinks of the configuration, behind a spool.
func (x *alerts) connect(s *streams, sensor string) error {
	switch {
	case len(x.cfg.Sinks) > 0:
	case x.out != nil: // its rules alone are asked for
		return nil
	default:
		return fmt.Errorf("--config %s: it has no sinks to send alerts to", x.flags.config)
	}
	log := logs.New(logs.Config{Level: "warn", Format: "console"}, s.err, false)
	sp, err := spool.Open(x.cfg.Spool, spool.Options{Logger: log, Sensor: sensor, Drain: x.cfg.Limits.Drain})
	if err != nil {
		return err
	}
	x.spool = sp
	for _, c := range x.cfg.Sinks {
		if err := attach(sp, c, s.out, sensor, log); err != nil {
			return errors.Join(err, sp.Close())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	x.end = cancel
	x.ended.Go(func() { x.failed = sp.Run(ctx) })
	return nil
}

func attach(sp *spool.Spool, c siem.Sink, stdout io.Writer, sensor string, log *zap.Logger) error {
	sink, err := siem.Open(c, siem.Options{Logger: log, Stdout: stdout, Sensor: sensor, Version: version()})
	if err != nil {
		return err
	}
	if err := sp.Attach(c.Name, c.Filter, c.Batch, sink); err != nil {
		return errors.Join(err, sink.Close())
	}
	return nil
}

// attach makes a pipeline tell, beside what it does already.
func (x *alerts) attach(p *pipeline.Pipeline) {
	if x == nil {
		return
	}
	before := p.Changed
	p.Changed = func(f *classify.Finding) error {
		x.teller.Changed(f)
		if before != nil {
			return before(f)
		}
		return nil
	}
	p.Tick = func(now time.Time, _ capture.Stats) error {
		x.teller.Tick(now)
		x.unsaid()
		return x.err
	}
}

// tell writes an alert and offers it to the sinks.
func (x *alerts) tell(a *alert.Alert) {
	if x.keep != nil {
		x.keep(a, time.Now())
	}
	if x.spool != nil {
		sent := *a
		sent.Made = time.Now()
		x.spool.Offer(&sent)
	}
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

// finish tells what is known at the end, and waits until the sinks have it all.
func (x *alerts) finish(findings []*classify.Finding) error {
	if x == nil {
		return nil
	}
	for _, f := range findings {
		x.teller.Changed(f)
	}
	x.teller.Tick(x.teller.Now())
	x.unsaid()
	return errors.Join(x.written(), x.delivered())
}

func (x *alerts) written() error {
	if x.out == nil {
		return nil
	}
	if x.flags.format == "stix" && x.err == nil && len(x.list) > 0 {
		var b []byte
		if b, x.err = siem.AppendBundle(nil, x.list, siem.EncodeOptions{}); x.err == nil {
			_, x.err = x.out.Write(append(b, '\n'))
		}
	}
	if x.err != nil {
		return fmt.Errorf("write alerts: %w", errors.Join(x.err, x.out.discard()))
	}
	if err := x.out.commit(); err != nil {
		return fmt.Errorf("write alerts: %w", err)
	}
	return nil
}

// delivered ends the spool. An alert that a sink does not have is an error, unless the spool keeps it for the next run.
func (x *alerts) delivered() error {
	if x.spool == nil {
		return nil
	}
	x.end()
	x.ended.Wait()
	errs := []error{x.failed}
	for _, k := range x.spool.Stats().Sinks {
		switch {
		case k.Refused > 0:
			errs = append(errs, fmt.Errorf("sink %s: the receiver refused %d alerts for good", k.Name, k.Refused))
		case k.Pending > 0 && x.cfg.Spool.Dir == "" && x.cfg.Spool.NATS == "":
			errs = append(errs, fmt.Errorf("sink %s: not all alerts were delivered (%s); with spool.dir they would be kept for the next time", k.Name, k.Error))
		case k.Pending > 0:
			errs = append(errs, fmt.Errorf("sink %s: not all alerts were delivered yet (%s); the spool keeps them for the next run of monitor", k.Name, k.Error))
		}
	}
	return errors.Join(append(errs, x.spool.Close())...)
}

// discard gives up what was opened, after an error elsewhere.
func (x *alerts) discard() error {
	if x == nil {
		return nil
	}
	var errs []error
	if x.out != nil {
		errs = append(errs, x.out.discard())
	}
	if x.spool != nil {
		x.end()
		x.ended.Wait()
		errs = append(errs, x.spool.Close())
	}
	return errors.Join(errs...)
}
