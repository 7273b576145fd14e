// Package syslog writes alerts as RFC 5424 messages, and puts records of other formats into such messages.
package syslog

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/format"
)

// mostHeader is more than the longest header of a message: priority, version, time, and names of 255, 8, 20 and 32 bytes.
const mostHeader = 512

// Format returns the format syslog.
func Format() format.Format {
	return format.Format{Name: "syslog", Text: true, Size: format.LineSize, Least: 2 << 10, Check: check, Append: appendMessage}
}

func check(k setting.Check, o *format.Options) {
	if o.Facility != 0 && (o.Facility < 1 || o.Facility > 23) {
		k.At("facility").Fail("%d is not one of 1 to 23", o.Facility)
	}
	if o.PID < 0 || o.Enterprise < 0 {
		k.At("enterprise").Fail("must not be negative")
	}
}

// Messages returns an encoder whose records are whole RFC 5424 messages: the format syslog's own, or for any other format
// messages without structured data whose text is that format's record. MaxBytes counts the whole message; 0 is 8 KiB.
func Messages(f format.Format, o format.Options) (format.Encoder, error) {
	own := Format()
	if f.Name == own.Name {
		return f.Encoder(o)
	}
	if _, err := own.Encoder(format.Options{Facility: o.Facility, PID: o.PID, Enterprise: o.Enterprise}); err != nil {
		return nil, err
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, format.LineSize) - mostHeader
	body, err := f.Encoder(o)
	if err != nil {
		return nil, fmt.Errorf("inside a syslog message: %w", err)
	}
	return &enveloped{body: body, options: o}, nil
}

// enveloped puts records of another format into messages.
type enveloped struct {
	body    format.Encoder
	options format.Options
}

// Append writes no byte order mark before the record, as parsers look for its first word.
func (e *enveloped) Append(dst []byte, a *alert.Alert) ([]byte, error) {
	out, err := e.body.Append(append(appendHeader(dst, a, &e.options), "- "...), a)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendMessage appends an RFC 5424 message: the alert's fields as structured data, its sentence as text. The text has a
// byte order mark where it is not ASCII (6.4).
func appendMessage(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	d := &data{dst: appendHeader(dst, a, o), text: p.Text}
	d.dst = append(d.dst, "[avbeacon@"...)
	d.dst = strconv.AppendInt(d.dst, int64(cmp.Or(o.Enterprise, 32473)), 10)
	dataHost(d, a)
	dataDestination(d, format.First(a))
	dataFinding(d, a, p)
	if p.Less || d.cut {
		d.add("truncated", "1")
	}
	d.dst = append(d.dst, ']')
	if a.Message == "" {
		return d.dst
	}
	d.dst = append(d.dst, ' ')
	if !ascii(a.Message) {
		d.dst = append(d.dst, "\ufeff"...)
	}
	d.dst, _ = format.AppendClean(d.dst, a.Message, p.Text)
	return d.dst
}

// appendHeader appends priority, version, time, host, program, process and kind of message, with a space behind.
func appendHeader(dst []byte, a *alert.Alert, o *format.Options) []byte {
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(cmp.Or(o.Facility, 20)*8+[...]int{6, 5, 4, 3, 2}[format.Level(a)]), 10)
	dst = format.Moment(a).AppendFormat(append(dst, ">1 "...), format.LayoutMicro)
	dst = appendHeaderName(append(dst, ' '), format.Sensor(a, o), 255)
	dst = append(dst, " avbeacon "...)
	if o.PID > 0 {
		dst = strconv.AppendInt(dst, int64(o.PID), 10)
	} else {
		dst = append(dst, '-')
	}
	return append(appendHeaderName(append(dst, ' '), format.Code(a.Event), 32), ' ')
}

// appendHeaderName appends what a header may hold: printable ASCII without spaces, "-" for nothing, "_" for what may not.
func appendHeaderName(dst []byte, s string, size int) []byte {
	if s == "" {
		return append(dst, '-')
	}
	for i := range min(len(s), size) {
		if c := s[i]; c > ' ' && c < 0x7f {
			dst = append(dst, c)
		} else {
			dst = append(dst, '_')
		}
	}
	return dst
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}

// data appends the parameters of an element of structured data (RFC 5424 6.3.3). An empty value is left out.
type data struct {
	dst  []byte
	text int
	cut  bool
}

func (d *data) add(name, value string) { d.write(name, value, d.text) }

// exact writes an identifier, which is never shortened to make a record smaller.
func (d *data) exact(name, value string) { d.write(name, value, format.MostID) }

func (d *data) write(name, value string, size int) {
	if value == "" {
		return
	}
	d.dst = append(append(append(d.dst, ' '), name...), '=', '"')
	start := len(d.dst)
	var cut bool
	d.dst, cut = format.AppendClean(d.dst, value, size)
	d.cut = d.cut || cut
	d.dst = append(format.Escaped(d.dst, start, `"\]`), '"')
}

// each writes a parameter for each text: names may come again.
func (d *data) each(name string, list []string) {
	for _, s := range list {
		d.add(name, s)
	}
}

func (d *data) time(name string, t time.Time) {
	if format.Known(t) {
		d.exact(name, t.UTC().Format(format.LayoutMicro))
	}
}

func dataHost(d *data, a *alert.Alert) {
	d.exact("id", a.ID)
	d.exact("finding", a.Finding)
	d.add("event", string(a.Event))
	d.add("state", string(a.State))
	d.add("severity", a.Severity.String())
	d.add("sensor", a.Sensor)
	d.add("version", a.Version)
	if ip := format.Address(a.Host.Address); ip.IsValid() {
		d.exact("src", ip.String())
	}
	d.exact("smac", format.Hardware(a.Host.MAC))
	d.add("shost", a.Host.Name)
	for _, v := range a.Host.VLANs[:min(8, len(a.Host.VLANs))] {
		d.add("vlan", strconv.Itoa(int(v)))
	}
}

func dataDestination(d *data, to alert.Destination) {
	if ip := format.Address(to.Address); ip.IsValid() {
		d.exact("dst", ip.String())
	}
	d.add("dpt", format.Decimal(uint64(to.Port)))
	d.add("proto", to.Transport)
	d.add("dhost", format.FirstName(to))
	d.add("asn", format.Decimal(uint64(to.ASN)))
	d.add("owner", to.Owner)
	d.add("level", to.Level)
	d.add("place", to.Where)
	d.add("country", to.Country)
	d.add("city", to.City)
}

func dataFinding(d *data, a *alert.Alert, p format.Portion) {
	d.add("vendor", a.Vendor.Name)
	d.add("vendorKey", a.Vendor.Key)
	d.add("vendorCountry", a.Vendor.Country)
	d.add("product", a.Vendor.Product)
	d.add("productVersion", a.Vendor.ProductVersion)
	d.add("verdict", a.Verdict)
	d.add("hostRole", a.HostRole)
	d.add("findingState", a.FindingState)
	d.add("policy", a.Policy)
	d.add("rule", a.Rule)
	d.add("why", a.Why)
	d.exact("findings", format.Decimal(uint64(max(a.Count, 0))))
	d.exact("seen", format.Decimal(a.Seen))
	d.time("first", a.First)
	d.time("last", a.Last)
	d.time("created", a.Made)
	d.each("beacon", format.BeaconTexts(a, p))
	d.each("evidence", format.EvidenceTexts(a, p))
	d.each("reason", a.Reasons[:p.Reasons])
	d.each("host", format.Hosts(a, p))
	d.add("note", a.Note)
}
