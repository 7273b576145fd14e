// Package format is what all alert formats share: an alert goes in, one record comes out. The formats themselves are the
// packages below this one, a folder a family; each has a function that returns its Format, and the table of package siem
// lists them. Start reading at Format and Encoder, then at one family (ecs is the native record).
//
// All formats follow the same rules. Text is cleaned (see Clean): valid UTF-8 without control characters and without
// characters that change the direction of writing, escaped as the format requires. Unknown values are left out: there is no
// empty text, no port 0, no AS 0. Addresses are canonical: IPv4 mapped into IPv6 is written as IPv4, zones are removed. A
// record that would be too large says less, evidence first, and is marked as truncated. The same alert always gives the
// same bytes. docs/fields.md of package siem lists the fields of every format.
package format

import (
	"errors"
	"fmt"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Encoder makes records of alerts. It is safe for use by several goroutines and keeps no reference to its arguments.
type Encoder interface {
	// Append appends one record, without a newline, and returns the longer slice. On error it returns dst unchanged:
	// the alert does not fit even when cut to the least.
	Append(dst []byte, a *alert.Alert) ([]byte, error)
}

// Options are details of the formats, a section of the configuration; the tag about is what --print-config shows. The zero
// value is good for every format. Fields without a key are set by the sink.
type Options struct {
	Hostname   string `yaml:"hostname" about:"of the sender, in syslog headers and records; empty: the machine's"`
	MaxBytes   int    `yaml:"max-bytes" about:"largest record; 0: 8192 for cef, leef, syslog and hec, 32768 for the others"`
	LEEF       string `yaml:"leef" about:"version of leef: 2.0 or 1.0; empty: 2.0"`
	Delimiter  string `yaml:"delimiter" about:"between the attributes of leef 2.0: one character, or tab; empty: ^"`
	Enterprise int    `yaml:"enterprise" about:"private enterprise number of syslog's structured data; 0: 32473, IANA's for examples"`
	Source     string `yaml:"source" about:"of splunk's events; empty: avbeacon"`
	Sourcetype string `yaml:"sourcetype" about:"of splunk's events; empty: avbeacon:alert, or avbeacon:FORMAT"`

	PID      int    // of this process, for syslog; 0 is left out
	Facility int    // of syslog (RFC 5424 6.2.1), 1 to 23; 0 is 20, local4
	Index    string // of Splunk; "" leaves it to the token
}

// ErrTooLong is the error for an alert that does not fit into Options.MaxBytes however much is left out.
var ErrTooLong = errors.New("alert does not fit into the size limit")

// Format is one way to write an alert.
type Format struct {
	Name  string
	Text  bool // records are lines of text; otherwise JSON objects
	Size  int  // default of Options.MaxBytes
	Least int  // least Options.MaxBytes that holds any alert, cut to the smallest Portion
	// Check reports options that the format cannot use; nil accepts all.
	Check func(k setting.Check, o *Options)
	// Append appends a record that says as much as the Portion.
	Append func(dst []byte, a *alert.Alert, o *Options, p Portion) []byte
}

// Usual sizes of records: what receivers of lines accept, and what those of documents do.
const (
	LineSize     = 8 << 10
	DocumentSize = 32 << 10
)

// Encoder returns the encoder of the format. It fails for options that the format cannot use.
func (f Format) Encoder(o Options) (Encoder, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = f.Size
	}
	if o.MaxBytes < f.Least {
		return nil, fmt.Errorf("format %s: records of %d bytes are too small: at least %d", f.Name, o.MaxBytes, f.Least)
	}
	k := setting.NewCheck()
	if f.Check != nil {
		f.Check(k, &o)
	}
	if err := k.Err(); err != nil {
		return nil, fmt.Errorf("format %s: %w", f.Name, err)
	}
	return &encoder{f, o}, nil
}

// encoder writes a format within a size.
type encoder struct {
	Format
	options Options
}

// Append writes the whole alert, or the largest portion of it that fits.
func (e *encoder) Append(dst []byte, a *alert.Alert) ([]byte, error) {
	start := len(dst)
	for p := Whole(a); ; {
		out := e.Format.Append(dst, a, &e.options, p)
		if len(out)-start <= e.options.MaxBytes {
			return out, nil
		}
		dst = out[:start]
		if !p.shrink() {
			return dst, fmt.Errorf("%w: alert %s has %d bytes, the limit is %d", ErrTooLong, Clean(a.ID, 64), len(out)-start, e.options.MaxBytes)
		}
	}
}

// Portion is how much of an alert a record says: the lengths of its lists, the number of names of a destination, the bytes
// of one text.
type Portion struct {
	Evidence, Reasons, Beacons, Hosts, Destinations, Names, Text int

	Less bool // than the alert has
}

const (
	MostText  = 1024 // bytes of one text
	leastText = 16
	mostNames = 16 // of a destination
	mostViews = 16 // beacons
)

// Whole is the Portion with everything that an alert may have.
func Whole(a *alert.Alert) Portion {
	p := Portion{
		Evidence: min(len(a.Evidence), alert.MostEvidence), Reasons: min(len(a.Reasons), alert.MostReasons),
		Beacons: min(len(a.Beacons), mostViews), Hosts: min(len(a.Hosts), alert.MostHosts),
		Destinations: min(len(a.Destinations), alert.MostDestinations), Names: mostNames, Text: MostText,
	}
	p.Less = p.Evidence < len(a.Evidence) || p.Reasons < len(a.Reasons) || p.Beacons < len(a.Beacons) ||
		p.Hosts < len(a.Hosts) || p.Destinations < len(a.Destinations)
	return p
}

// shrink halves what is missed least: evidence, then reasons, beacons, the names and number of destinations beyond the
// first, hosts, and at last the length of texts. It returns false if nothing is left to take.
func (p *Portion) shrink() bool {
	p.Less = true
	for _, part := range []struct {
		n     *int
		least int
	}{{&p.Evidence, 0}, {&p.Reasons, 0}, {&p.Beacons, 0}, {&p.Names, 1}, {&p.Destinations, 1}, {&p.Hosts, 0}, {&p.Text, leastText}} {
		if *part.n > part.least {
			*part.n = max(*part.n/2, part.least)
			return true
		}
	}
	return false
}
