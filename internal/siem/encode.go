// Package siem tells the receivers of a security team: an alert goes in, and comes out as a record in the format that the
// receiver reads, by the way that it asks for.
//
// Every format is made from the same alert by the same rules. Text is clean (see clean): valid UTF-8 without control
// characters and without characters that change the direction of writing, escaped as the format asks. What is not known
// is left out; there is no empty text, no port 0 and no AS 0. Addresses are canonical, IPv4 in IPv6 is IPv4, zones are
// gone. A record that would be too large says less, evidence first, and says so (truncated). The same alert gives the same
// bytes. docs/fields.md has the table of fields.
package siem

import (
	"errors"
	"fmt"
	"strings"

	"avbeacon/internal/alert"
)

// Encoder makes records of alerts. It is safe for use by several goroutines and keeps nothing of what it gets.
type Encoder interface {
	// Append appends one record, without a newline at the end and without one inside, and returns the longer slice. With
	// an error dst comes back as it was: the alert does not fit even when cut to the least.
	Append(dst []byte, a *alert.Alert) ([]byte, error)
}

// EncodeOptions is what a format has to know beside the alert. The zero value is good for all of them.
type EncodeOptions struct {
	MaxBytes int    // of one record; 0 is the format's own: 8 KiB for cef, leef, syslog and hec, 32 KiB for the others
	Hostname string // of the machine that avbeacon runs on; "" is the alert's sensor
	PID      int    // of the process, for syslog; 0 is left out
	Facility int    // of syslog (RFC 5424 6.2.1), 1 to 23; 0 is 20, local4

	LEEFVersion   string // "2.0" or "1.0"; "" is 2.0
	LEEFDelimiter byte   // between the attributes of LEEF 2.0; 0 is '^'; 1.0 always has a tab

	Enterprise int // private enterprise number of our structured data; 0 is 32473, which IANA keeps for examples

	HECIndex      string // Splunk index; "" leaves it to the token
	HECSource     string // "" is "avbeacon"
	HECSourcetype string // "" is "avbeacon:alert"
}

// ErrTooLong is the error for an alert that does not fit into EncodeOptions.MaxBytes however little is told of it.
var ErrTooLong = errors.New("alert does not fit into the size that is allowed")

// format is one way to write an alert. write appends a record that tells as much as the portion says.
type format struct {
	name  string
	size  int // default of EncodeOptions.MaxBytes
	least int // least EncodeOptions.MaxBytes that holds any alert, cut to the least portion
	write func(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte
}

func formats() []format {
	const line, document = 8 << 10, 32 << 10
	return []format{
		{"ecs", document, 4 << 10, appendECS},
		{"ocsf", document, 4 << 10, appendOCSF},
		{"cef", line, 2 << 10, appendCEF},
		{"leef", line, 2 << 10, appendLEEF},
		{"eve", document, 4 << 10, appendEVE},
		{"hec", line, 4 << 10, appendHEC},
		{"syslog", line, 2 << 10, appendSyslog},
		{"stix", document, 6 << 10, appendSTIX},
	}
}

// Formats are the names that Encoding takes.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Encoding gives the encoder of a format: one of Formats. It fails for an unknown name and for options that the format
// cannot keep.
func Encoding(name string, o EncodeOptions) (Encoder, error) {
	for _, f := range formats() {
		if f.name != name {
			continue
		}
		if o.MaxBytes == 0 {
			o.MaxBytes = f.size
		}
		if o.MaxBytes < f.least {
			return nil, fmt.Errorf("format %s: at most %d bytes a record is too little, it takes %d", name, o.MaxBytes, f.least)
		}
		if err := o.complete(); err != nil {
			return nil, fmt.Errorf("format %s: %w", name, err)
		}
		return &encoder{write: f.write, options: o}, nil
	}
	return nil, fmt.Errorf("unknown format %q; there are %s", name, strings.Join(Formats(), ", "))
}

// complete checks the options and puts the defaults where nothing is said.
func (o *EncodeOptions) complete() error {
	if o.Facility == 0 {
		o.Facility = 20
	}
	if o.Enterprise == 0 {
		o.Enterprise = 32473
	}
	if o.LEEFVersion == "" {
		o.LEEFVersion = "2.0"
	}
	if o.LEEFDelimiter == 0 {
		o.LEEFDelimiter = '^'
	}
	switch {
	case o.Facility < 1 || o.Facility > 23:
		return fmt.Errorf("syslog facility %d is none of 1 to 23", o.Facility)
	case o.PID < 0 || o.Enterprise < 0:
		return errors.New("a process id and an enterprise number are not negative")
	case o.LEEFVersion != "1.0" && o.LEEFVersion != "2.0":
		return fmt.Errorf("LEEF version %q is neither 1.0 nor 2.0", o.LEEFVersion)
	case !delimits(o.LEEFDelimiter):
		return fmt.Errorf("LEEF delimiter %q: a tab or a punctuation mark that is not part of names and addresses", o.LEEFDelimiter)
	}
	return nil
}

// delimits tells whether LEEF attributes may be parted by c: no letter, no digit, and nothing that a key or an address has.
func delimits(c byte) bool { return c == '\t' || strings.IndexByte("^|~!#$%&*;", c) >= 0 }

// encoder writes a format within a size.
type encoder struct {
	write   func(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte
	options EncodeOptions
}

// Append tells the whole alert, and less and less of it until the record fits.
func (e *encoder) Append(dst []byte, a *alert.Alert) ([]byte, error) {
	start := len(dst)
	for p := whole(a); ; {
		out := e.write(dst, a, &e.options, p)
		if len(out)-start <= e.options.MaxBytes {
			return out, nil
		}
		dst = out[:start]
		if !p.shrink() {
			return dst, fmt.Errorf("%w: alert %s has %d bytes, %d are allowed", ErrTooLong, clean(a.ID, 64), len(out)-start, e.options.MaxBytes)
		}
	}
}

// portion is how much of an alert is told: the lengths of its lists, the names of a destination, the bytes of a text.
type portion struct {
	evidence, reasons, beacons, hosts, destinations, names, text int
	less                                                         bool // than there is
}

const (
	mostText  = 1024 // bytes of one text
	leastText = 16
	mostNames = 16 // of a destination
	mostViews = 16 // beacons
)

func whole(a *alert.Alert) portion {
	p := portion{
		evidence: min(len(a.Evidence), alert.MostEvidence), reasons: min(len(a.Reasons), alert.MostReasons),
		beacons: min(len(a.Beacons), mostViews), hosts: min(len(a.Hosts), alert.MostHosts),
		destinations: min(len(a.Destinations), alert.MostDestinations), names: mostNames, text: mostText,
	}
	p.less = p.evidence < len(a.Evidence) || p.reasons < len(a.Reasons) || p.beacons < len(a.Beacons) ||
		p.hosts < len(a.Hosts) || p.destinations < len(a.Destinations)
	return p
}

// shrink takes away what is missed least: evidence, then reasons, beacons, the names and number of destinations beyond the
// first, hosts, and at last the length of texts. It is false where nothing is left to take.
func (p *portion) shrink() bool {
	p.less = true
	for _, part := range []struct {
		n     *int
		least int
	}{{&p.evidence, 0}, {&p.reasons, 0}, {&p.beacons, 0}, {&p.names, 1}, {&p.destinations, 1}, {&p.hosts, 0}, {&p.text, leastText}} {
		if *part.n > part.least {
			*part.n = max(*part.n/2, part.least)
			return true
		}
	}
	return false
}
