// Package siem is the one table of alert formats and receivers: the configuration of a sink goes in, an alert.Sink that
// brings alerts to its receiver comes out. The encoders are the packages below format, the deliveries are in package
// deliver. A new format is a folder and a line in formats; a new receiver is a file in deliver and a line in receivers,
// with a field of Sink if it has a section of its own. docs has a guide for each kind of receiver, and every field of every
// format. Start reading at receivers.
package siem

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/cef"
	"avbeacon/internal/siem/format/ecs"
	"avbeacon/internal/siem/format/eve"
	"avbeacon/internal/siem/format/hec"
	"avbeacon/internal/siem/format/ocsf"
	"avbeacon/internal/siem/format/stix"
	"avbeacon/internal/siem/format/syslog"
)

// formats returns all formats, in the order of the guide.
func formats() []format.Format {
	return []format.Format{ecs.Format(), ocsf.Format(), cef.CEF(), cef.LEEF(), eve.Format(), hec.Format(), syslog.Format(), stix.Format()}
}

// Sink is one entry of the configuration's sinks: a receiver. The tag about is what --print-config shows above a key.
type Sink struct {
	Name    string         `yaml:"name" about:"unique name; lower-case letters, digits and hyphens"`
	Type    string         `yaml:"type" about:"file, stdout, syslog, splunk, elastic, webhook, kafka, nats"`
	Format  string         `yaml:"format" about:"ecs, ocsf, cef, leef, eve, hec, syslog, stix; empty: the type's own"`
	Options format.Options `yaml:"options" about:"details of the format, for receivers that need them"`
	Filter  alert.Filter   `yaml:"filter" about:"which alerts it gets; an empty list lets all through"`
	Batch   int            `yaml:"batch" about:"most alerts in one delivery; 0: the type's own number"`
	Timeout time.Duration  `yaml:"timeout" about:"of one delivery; 0s: 30s"`
	TLS     deliver.TLS    `yaml:"tls" about:"whom to trust, and our own certificate"`
	Proxy   string         `yaml:"proxy" about:"URL of a proxy; environment: as HTTPS_PROXY says; empty: none"`
	File    deliver.File   `yaml:"file" about:"for type file"`
	Syslog  deliver.Syslog `yaml:"syslog" about:"for type syslog, RFC 5424"`
	HTTP    deliver.HTTP   `yaml:"http" about:"for types splunk, elastic and webhook"`
	Kafka   deliver.Kafka  `yaml:"kafka" about:"for type kafka"`
	NATS    deliver.NATS   `yaml:"nats" about:"for type nats, JetStream"`
}

// receiver is a type of sink.
type receiver struct {
	kind    string // Sink.Type
	format  string // for a sink that names none
	section string // key of the section that is the type's
	of      func(*Sink) deliver.Receiver
}

// receivers returns all types of sinks, in the order of the guide.
func receivers() []receiver {
	return []receiver{
		{"file", "ecs", "file", func(s *Sink) deliver.Receiver { return &s.File }},
		{"stdout", "ecs", "", func(*Sink) deliver.Receiver { return deliver.Stdout{} }},
		{"syslog", "syslog", "syslog", func(s *Sink) deliver.Receiver { return &s.Syslog }},
		{"splunk", "hec", "http", func(s *Sink) deliver.Receiver { return (*deliver.Splunk)(&s.HTTP) }},
		{"elastic", "ecs", "http", func(s *Sink) deliver.Receiver { return (*deliver.Elastic)(&s.HTTP) }},
		{"webhook", "ecs", "http", func(s *Sink) deliver.Receiver { return (*deliver.Webhook)(&s.HTTP) }},
		{"kafka", "ecs", "kafka", func(s *Sink) deliver.Receiver { return &s.Kafka }},
		{"nats", "ecs", "nats", func(s *Sink) deliver.Receiver { return &s.NATS }},
	}
}

// receiver returns the row of the sink's type.
func (s *Sink) receiver() (r receiver, ok bool) {
	all := receivers()
	i := slices.IndexFunc(all, func(r receiver) bool { return r.kind == s.Type })
	if i < 0 {
		return r, false
	}
	return all[i], true
}

// Types are the types of sinks.
func Types() (kinds []string) {
	for _, r := range receivers() {
		kinds = append(kinds, r.kind)
	}
	return kinds
}

// Formats are the names of the formats.
func Formats() (names []string) {
	for _, f := range formats() {
		names = append(names, f.Name)
	}
	return names
}

// Encoding returns the encoder of a format, one of Formats. It fails for an unknown name and for options that the format
// cannot use.
func Encoding(name string, o format.Options) (format.Encoder, error) {
	f, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	return f.Encoder(o)
}

func formatOf(name string) (format.Format, error) {
	for _, f := range formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return format.Format{}, fmt.Errorf("unknown format %q; there are %s", name, strings.Join(Formats(), ", "))
}

// Check reports what is wrong with the sink, and sections and options that are for another type or format: they would do
// nothing.
func (s *Sink) Check(k setting.Check) {
	k.At("name").Required(s.Name)
	other := func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }
	if strings.ContainsFunc(s.Name, other) || len(s.Name) > 32 {
		k.At("name").Fail("%q: a name is at most 32 lower-case letters, digits and hyphens", s.Name)
	}
	k.At("type").Word(s.Type, Types()...)
	k.At("format").WordOrNone(s.Format, Formats()...)
	s.Filter.Check(k.At("filter"))
	s.checkOptions(k.At("options"))
	setting.Range(k.At("batch"), s.Batch, 0, 100000)
	setting.Range(k.At("timeout"), s.Timeout, 0, time.Hour)
	s.TLS.Check(k.At("tls"))
	if s.Proxy != "" && s.Proxy != "environment" {
		k.At("proxy").URL(s.Proxy, "http", "https", "socks5")
	}
	r, ok := s.receiver()
	if !ok {
		return
	}
	r.of(s).Check(k.At(r.section))
	for _, other := range receivers() {
		if other.section != "" && other.section != r.section && !reflect.ValueOf(other.of(s)).Elem().IsZero() {
			k.At(other.section).Fail("is not for a sink of type %s", s.Type)
		}
	}
}

func (s *Sink) checkOptions(k setting.Check) {
	o := &s.Options
	if o.MaxBytes != 0 {
		setting.Range(k.At("max-bytes"), o.MaxBytes, 2048, 1<<20)
	}
	if f, err := formatOf(s.Format); err == nil && f.Check != nil {
		f.Check(k, o)
	}
	if s.Format != "leef" && (o.LEEF != "" || o.Delimiter != "") {
		k.Fail("leef and delimiter are for the format leef")
	}
	if s.Format != "syslog" && (s.Format != "" || s.Type != "syslog") && o.Enterprise != 0 {
		k.At("enterprise").Fail("is for the format syslog")
	}
	if s.Format != "hec" && s.Type != "splunk" && (o.Source != "" || o.Sourcetype != "") {
		k.Fail("source and sourcetype are for the format hec")
	}
	if s.Type == "syslog" && o.MaxBytes != 0 {
		k.At("max-bytes").Fail("write it as syslog.max-bytes for this type")
	}
}

// Warnings are settings that are allowed but risky, one sentence each.
func (s *Sink) Warnings() (out []string) {
	if s.TLS.Insecure {
		out = append(out, "sink "+s.Name+": the server's certificate is not checked: anybody on the path can read and take alerts")
	}
	if r, ok := s.receiver(); ok && r.of(s).Plain() {
		out = append(out, "sink "+s.Name+": alerts, and the secret if there is one, cross the network unencrypted")
	}
	return out
}

// Options are what a sink may need in addition to its configuration.
type Options struct {
	Logger   *zap.Logger // nil: nothing is logged
	Stdout   io.Writer   // of the sink of type stdout; nil is os.Stdout
	Hostname string      // of this machine; "" is the system's
	Version  string      // of avbeacon
}

// Open makes the sink that cfg describes; the outbox applies its filter. It does not connect: the first delivery does, and reports
// an unreachable receiver. Errors name the sink and the key. The caller closes it.
func Open(cfg Sink, opt Options) (alert.Sink, error) {
	if err := setting.Validate(&cfg, cfg.Check); err != nil {
		return nil, fmt.Errorf("sink %s: %w", cfg.Name, err)
	}
	r, _ := cfg.receiver() // Check has found it
	f, err := formatOf(cmp.Or(cfg.Format, r.format))
	if err != nil {
		return nil, err
	}
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	if opt.Stdout == nil {
		opt.Stdout = os.Stdout
	}
	if opt.Hostname == "" {
		opt.Hostname, _ = os.Hostname() // on error the name stays empty; formats have a nil value
	}
	cfg.Options.Hostname = cmp.Or(cfg.Options.Hostname, opt.Hostname)
	sink, err := r.of(&cfg).Open(deliver.Setup{
		Format: f, Options: cfg.Options, Batch: cfg.Batch, Timeout: cmp.Or(cfg.Timeout, 30*time.Second), TLS: cfg.TLS, Proxy: cfg.Proxy,
		Logger: opt.Logger.Named("siem").With(zap.String("sink", cfg.Name)), Stdout: opt.Stdout, Version: opt.Version,
	})
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", cfg.Name, err)
	}
	return sink, nil
}
