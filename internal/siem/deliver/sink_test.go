package deliver

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/cef"
	"avbeacon/internal/siem/format/ecs"
	"avbeacon/internal/siem/format/eve"
	"avbeacon/internal/siem/format/hec"
	"avbeacon/internal/siem/format/ocsf"
	"avbeacon/internal/siem/format/stix"
	"avbeacon/internal/siem/format/syslog"
)

// These tests run sinks as package siem opens them. They cannot import it, since it imports this package: Sink, Options and
// Open have its names and do what a delivery depends on.
type Sink struct {
	Name    string         `yaml:"name"`
	Type    string         `yaml:"type"`
	Format  string         `yaml:"format"`
	Options format.Options `yaml:"options"`
	Filter  alert.Filter   `yaml:"filter"`
	Batch   int            `yaml:"batch"`
	Timeout time.Duration  `yaml:"timeout"`
	TLS     TLS            `yaml:"tls"`
	Proxy   string         `yaml:"proxy"`
	File    File           `yaml:"file"`
	Syslog  Syslog         `yaml:"syslog"`
	HTTP    HTTP           `yaml:"http"`
	Kafka   Kafka          `yaml:"kafka"`
	NATS    NATS           `yaml:"nats"`
}

type Options struct {
	Logger            *zap.Logger
	Stdout            io.Writer
	Hostname, Version string
}

func formats() []format.Format {
	return []format.Format{ecs.Format(), ocsf.Format(), cef.CEF(), cef.LEEF(), eve.Format(), hec.Format(), syslog.Format(), stix.Format()}
}

func formatOf(name string) (format.Format, error) {
	for _, f := range formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return format.Format{}, fmt.Errorf("format: unknown format %q", name)
}

func (s *Sink) receiver() (r Receiver, section, own string) {
	switch s.Type {
	case "file":
		return &s.File, "file", "ecs"
	case "stdout":
		return Stdout{}, "", "ecs"
	case "syslog":
		return &s.Syslog, "syslog", "syslog"
	case "splunk":
		return (*Splunk)(&s.HTTP), "http", "hec"
	case "elastic":
		return (*Elastic)(&s.HTTP), "http", "ecs"
	case "webhook":
		return (*Webhook)(&s.HTTP), "http", "ecs"
	case "kafka":
		return &s.Kafka, "kafka", "ecs"
	case "nats":
		return &s.NATS, "nats", "ecs"
	}
	panic("no sink of type " + s.Type)
}

func (s *Sink) Check(k setting.Check) {
	r, section, _ := s.receiver()
	r.Check(k.At(section))
	s.TLS.Check(k.At("tls"))
}

func Open(cfg Sink, opt Options) (sink alert.Sink, err error) {
	if err = setting.Validate(&cfg, cfg.Check); err == nil {
		sink, err = openUnchecked(cfg, opt)
	}
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", cfg.Name, err)
	}
	return sink, nil
}

// openUnchecked opens a sink whose configuration Check would reject, to see what a receiver's answers do to it.
func openUnchecked(cfg Sink, opt Options) (alert.Sink, error) {
	r, _, own := cfg.receiver()
	f, err := formatOf(cmp.Or(cfg.Format, own))
	if err != nil {
		return nil, err
	}
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	cfg.Options.Hostname = cmp.Or(cfg.Options.Hostname, opt.Hostname)
	return r.Open(Setup{Format: f, Options: cfg.Options, Batch: cfg.Batch, Timeout: cmp.Or(cfg.Timeout, 30*time.Second), TLS: cfg.TLS,
		Proxy: cfg.Proxy, Logger: opt.Logger.With(zap.String("sink", cfg.Name)), Stdout: cmp.Or(opt.Stdout, io.Writer(os.Stdout)), Version: opt.Version})
}

func unchecked(t *testing.T, cfg Sink, opt Options) alert.Sink {
	t.Helper()
	s, err := openUnchecked(cfg, opt)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}
