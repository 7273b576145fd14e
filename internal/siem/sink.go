package siem

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// Options are what every delivery may need beside its part of the configuration.
type Options struct {
	Logger   *zap.Logger // nil is quiet
	Stdout   io.Writer   // of the sink of type stdout; nil is os.Stdout
	Sensor   string      // name of the tap
	Hostname string      // of this machine; "" is the system's
	Version  string      // of avbeacon
}

// delivery is a way to bring alerts to a receiver.
type delivery struct {
	kind   string // Sink.Type
	format string // its own, for a sink that names none
	open   func(Sink, Options) (alert.Sink, error)
}

// Reopener is a Sink with a file that others may have moved away. Reopen may be called beside Deliver; the next batch
// goes to the file that then has the name.
type Reopener interface{ Reopen() }

// Resender is a Sink without acknowledgements that sends what may have been lost once more. Resent counts those messages;
// it may be called beside Deliver.
type Resender interface{ Resent() uint64 }

// deliveries are all that can be configured, in the order of the guide.
func deliveries() []delivery {
	return []delivery{
		{"file", "ecs", openFile},
		{"stdout", "ecs", openStdout},
		{"syslog", "syslog", openSyslog},
		{"splunk", "hec", openSplunk},
		{"elastic", "ecs", openElastic},
		{"webhook", "ecs", openWebhook},
		{"kafka", "ecs", openKafka},
		{"nats", "ecs", openNATS},
	}
}

// Types lists the sinks that can be configured.
func Types() []string {
	var kinds []string
	for _, d := range deliveries() {
		kinds = append(kinds, d.kind)
	}
	return kinds
}

// defaultTimeout is that of one delivery where the configuration sets none.
const defaultTimeout = 30 * time.Second

// Open makes the sink that cfg describes; the sink gets only those alerts that its filter lets through. It connects to
// nobody: a receiver that is away is found by the first delivery. Errors name the sink and the key. The caller closes it.
func Open(cfg Sink, opt Options) (alert.Sink, error) {
	if cfg.Name == "" {
		return nil, fmt.Errorf("sink of type %q: name: is missing", cfg.Type)
	}
	all := deliveries()
	i := slices.IndexFunc(all, func(d delivery) bool { return d.kind == cfg.Type })
	if i < 0 {
		return nil, bad(cfg, "type", "%q is none of %s", cfg.Type, strings.Join(Types(), ", "))
	}
	filter, err := newFilter(cfg)
	if err != nil {
		return nil, err
	}
	complete(&cfg, &opt, all[i].format)
	if cfg.Timeout < 0 || cfg.Batch < 0 {
		return nil, bad(cfg, "timeout, batch", "must not be negative")
	}
	sink, err := all[i].open(cfg, opt)
	if err != nil || filter == nil {
		return sink, err
	}
	return &filtered{sink: sink, pass: filter}, nil
}

// complete sets what was left out.
func complete(cfg *Sink, opt *Options, format string) {
	if cfg.Format == "" {
		cfg.Format = format
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	opt.Logger = opt.Logger.Named("siem").With(zap.String("sink", cfg.Name))
	if opt.Stdout == nil {
		opt.Stdout = os.Stdout
	}
	if opt.Hostname == "" {
		opt.Hostname, _ = os.Hostname() // without one, the messages say so by their format's empty value
	}
}

// encodeOptions is how the sink's format is written.
func encodeOptions(cfg Sink, opt Options) EncodeOptions {
	o := &cfg.Options
	how := EncodeOptions{MaxBytes: o.MaxBytes, Hostname: cmp.Or(o.Hostname, opt.Hostname), LEEFVersion: o.LEEF, Enterprise: o.Enterprise,
		HECIndex: cfg.HTTP.Index, HECSource: o.Source, HECSourcetype: o.Sourcetype}
	switch o.Delimiter {
	case "":
	case "tab":
		how.LEEFDelimiter = '\t'
	default:
		how.LEEFDelimiter = o.Delimiter[0]
	}
	return how
}

// bad is an error of the configuration: it names the sink and the key.
func bad(cfg Sink, key, format string, args ...any) error {
	return fmt.Errorf("sink %s: %s: %w", cfg.Name, key, fmt.Errorf(format, args...))
}
