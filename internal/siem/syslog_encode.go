package siem

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
)

// mostHeader is more than the longest header of a message: priority, version, time, and names of 255, 8, 20 and 32 bytes.
const mostHeader = 512

// SyslogEncoding gives the encoder whose records are whole RFC 5424 messages: for the format syslog those of Encoding
// itself, for another one messages without structured data whose text is that format's record. MaxBytes is the whole
// message's; 0 is 8 KiB.
func SyslogEncoding(name string, o EncodeOptions) (Encoder, error) {
	if name == "syslog" {
		return Encoding(name, o)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 10
	}
	o.MaxBytes -= mostHeader
	body, err := Encoding(name, o)
	if err != nil {
		return nil, fmt.Errorf("inside a syslog message: %w", err)
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	return &enveloped{body: body, options: o}, nil
}

// enveloped puts records of another format into messages.
type enveloped struct {
	body    Encoder
	options EncodeOptions
}

// Append writes no byte order mark before the record, as parsers look for its first word.
func (e *enveloped) Append(dst []byte, a *alert.Alert) ([]byte, error) {
	out, err := e.body.Append(append(syslogHeader(dst, a, &e.options), "- "...), a)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendSyslog appends an RFC 5424 message: the alert's fields as structured data, its sentence as text. The text has a
// byte order mark where it is not ASCII (6.4).
func appendSyslog(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	d := &data{dst: syslogHeader(dst, a, o), text: p.text}
	d.dst = append(d.dst, "[avbeacon@"...)
	d.dst = strconv.AppendInt(d.dst, int64(o.Enterprise), 10)
	dataHost(d, a)
	dataDestination(d, first(a))
	dataFinding(d, a, p)
	if p.less || d.cut {
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
	d.dst, _ = appendClean(d.dst, a.Message, p.text)
	return d.dst
}

// syslogHeader appends priority, version, time, host, program, process and kind of message, with a space behind.
func syslogHeader(dst []byte, a *alert.Alert, o *EncodeOptions) []byte {
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(o.Facility*8+gradeOf(a).syslog), 10)
	dst = moment(a).AppendFormat(append(dst, ">1 "...), layoutMicro)
	dst = appendHeaderName(append(dst, ' '), sensor(a, o), 255)
	dst = append(dst, " avbeacon "...)
	if o.PID > 0 {
		dst = strconv.AppendInt(dst, int64(o.PID), 10)
	} else {
		dst = append(dst, '-')
	}
	return append(appendHeaderName(append(dst, ' '), class(a.Event), 32), ' ')
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
func (d *data) exact(name, value string) { d.write(name, value, mostID) }

func (d *data) write(name, value string, size int) {
	if value == "" {
		return
	}
	d.dst = append(append(append(d.dst, ' '), name...), '=', '"')
	start := len(d.dst)
	var cut bool
	d.dst, cut = appendClean(d.dst, value, size)
	d.cut = d.cut || cut
	d.dst = append(escaped(d.dst, start, `"\]`), '"')
}

// each writes a parameter for each text: names may come again.
func (d *data) each(name string, list []string) {
	for _, s := range list {
		d.add(name, s)
	}
}

func (d *data) time(name string, t time.Time) {
	if known(t) {
		d.exact(name, t.UTC().Format(layoutMicro))
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
	if ip := address(a.Host.Address); ip.IsValid() {
		d.exact("src", ip.String())
	}
	d.exact("smac", hardware(a.Host.MAC))
	d.add("shost", a.Host.Name)
	for _, v := range a.Host.VLANs[:min(8, len(a.Host.VLANs))] {
		d.add("vlan", strconv.Itoa(int(v)))
	}
}

func dataDestination(d *data, to alert.Destination) {
	if ip := address(to.Address); ip.IsValid() {
		d.exact("dst", ip.String())
	}
	d.add("dpt", decimal(uint64(to.Port)))
	d.add("proto", to.Transport)
	d.add("dhost", firstName(to))
	d.add("asn", decimal(uint64(to.ASN)))
	d.add("owner", to.Owner)
	d.add("level", to.Level)
	d.add("place", to.Where)
	d.add("country", to.Country)
	d.add("city", to.City)
}

func dataFinding(d *data, a *alert.Alert, p portion) {
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
	d.exact("findings", decimal(uint64(max(a.Count, 0))))
	d.exact("seen", decimal(a.Seen))
	d.time("first", a.First)
	d.time("last", a.Last)
	d.time("created", a.Made)
	d.each("beacon", beaconTexts(a, p))
	d.each("evidence", evidenceTexts(a, p))
	d.each("reason", a.Reasons[:p.reasons])
	d.each("host", hosts(a, p))
	d.add("note", a.Note)
}
