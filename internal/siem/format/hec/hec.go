// Package hec writes alerts as events for Splunk's HTTP Event Collector, and puts records of other formats into such events.
package hec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// Format returns the format hec.
func Format() format.Format {
	return format.Format{Name: "hec", Size: format.LineSize, Least: 4 << 10, Append: appendRecord}
}

// appendRecord appends an event for Splunk's HTTP Event Collector: its envelope, and under event the names of the Common
// Information Model (Alerts, Intrusion Detection) beside our own object. Records stay below 9 KB, since Splunk cuts a line
// at 10,000 bytes unless it is configured otherwise (TRUNCATE in props.conf).
func appendRecord(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	d := format.NewDocument(dst, p.Text)
	d.Seconds("time", format.Moment(a))
	d.Short("host", format.Sensor(a, o), 255)
	d.Exact("source", cmp.Or(o.Source, "avbeacon"))
	d.Exact("sourcetype", cmp.Or(o.Sourcetype, "avbeacon:alert"))
	d.Exact("index", o.Index)
	d.Object("event")
	model(d, a, o)
	format.AppendOwn(d, a, p)
	d.End()
	d.Object("fields")
	d.Exact("alert_id", a.ID)
	d.Exact("finding_id", a.Finding)
	d.Short("rule_id", a.Rule, 255)
	d.Short("vendor_key", a.Vendor.Key, 64)
	d.End()
	return d.Finish()
}

// model writes the fields of Splunk's data models. Those with two names (src and src_ip, dest and dest_ip) are in both: searches use
// either.
func model(d *format.Document, a *alert.Alert, o *format.Options) {
	to := format.First(a)
	d.Exact("id", a.ID)
	d.Word("type", "alert")
	d.Word("app", "avbeacon")
	d.Word("vendor_product", "Avbeacon avbeacon")
	d.Word("ids_type", "network")
	d.Word("signature", format.Title(a.Event))
	d.Word("signature_id", format.Code(a.Event))
	d.Word("category", "Antivirus telemetry")
	d.Word("severity", strings.ToLower(format.SeverityName(a)))
	d.Number("severity_id", format.ECSSeverity(a))
	d.Word("action", "allowed")
	d.Str("description", a.Message)
	d.Short("dvc", format.Sensor(a, o), 255)
	d.IP("src", a.Host.Address)
	d.IP("src_ip", a.Host.Address)
	d.Word("src_mac", format.Hardware(a.Host.MAC))
	d.Short("src_host", a.Host.Name, 255)
	d.IP("dest", to.Address)
	d.IP("dest_ip", to.Address)
	d.Integer("dest_port", int64(to.Port))
	d.Short("dest_host", format.FirstName(to), 255)
	d.Short("dest_country", to.Country, 8)
	d.Short("dest_city", to.City, 128)
	d.Integer("dest_asn", int64(to.ASN))
	d.Short("transport", to.Transport, 8)
	d.Time("created", a.Made, format.LayoutMicro)
	d.Str("version", a.Version)
	d.Short("sensor", a.Sensor, 255)
}

// wrapped puts records of another format into events.
type wrapped struct {
	encode  format.Encoder
	text    bool // records are not JSON
	options format.Options
}

// Wrap returns an encoder of events whose content is the record of another format.
func Wrap(encode format.Encoder, f format.Format, o format.Options) format.Encoder {
	o.Source, o.Sourcetype = cmp.Or(o.Source, "avbeacon"), cmp.Or(o.Sourcetype, "avbeacon:"+f.Name)
	return &wrapped{encode, f.Text, o}
}

// Append appends an event whose time is the alert's, in seconds with milliseconds.
func (e *wrapped) Append(dst []byte, a *alert.Alert) ([]byte, error) {
	record, err := e.encode.Append(nil, a)
	if err != nil {
		return dst, err
	}
	if e.text {
		if record, err = json.Marshal(string(record)); err != nil {
			return dst, err
		}
	}
	when := format.Moment(a)
	event, err := json.Marshal(struct {
		Time       json.Number     `json:"time"`
		Host       string          `json:"host,omitempty"`
		Source     string          `json:"source"`
		Sourcetype string          `json:"sourcetype"`
		Index      string          `json:"index,omitempty"`
		Event      json.RawMessage `json:"event"`
	}{json.Number(fmt.Sprintf("%d.%03d", when.Unix(), when.Nanosecond()/1e6)), a.Sensor, e.options.Source, e.options.Sourcetype, e.options.Index, record})
	return append(dst, event...), err
}
