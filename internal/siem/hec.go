package siem

import (
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
)

// appendHEC appends an event for Splunk's HTTP Event Collector: its envelope, and under event the names of the Common
// Information Model (Alerts, Intrusion Detection) beside our own object. Records stay below 9 KB, since Splunk cuts a line
// at 10,000 bytes unless it is told otherwise (TRUNCATE in props.conf).
func appendHEC(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	d := newDocument(dst, p.text)
	d.seconds("time", moment(a))
	d.short("host", sensor(a, o), 255)
	d.exact("source", or(o.HECSource, "avbeacon"))
	d.exact("sourcetype", or(o.HECSourcetype, "avbeacon:alert"))
	d.exact("index", o.HECIndex)
	d.object("event")
	hecModel(d, a, o)
	appendOurs(d, a, p)
	d.end()
	d.object("fields")
	d.exact("alert_id", a.ID)
	d.exact("finding_id", a.Finding)
	d.short("rule_id", a.Rule, 255)
	d.short("vendor_key", a.Vendor.Key, 64)
	d.end()
	return d.finish()
}

// seconds writes a time in seconds since 1970 with six digits behind the point.
func (d *document) seconds(name string, t time.Time) {
	d.name(name)
	micro := t.UnixMicro()
	d.dst = strconv.AppendInt(d.dst, micro/1e6, 10)
	d.dst = append(d.dst, '.')
	fraction := strconv.Itoa(int(micro % 1e6))
	d.dst = append(append(d.dst, "000000"[len(fraction):]...), fraction...)
}

func hecModel(d *document, a *alert.Alert, o *EncodeOptions) {
	to := first(a)
	d.exact("id", a.ID)
	d.word("type", "alert")
	d.word("app", "avbeacon")
	d.word("vendor_product", "Avbeacon avbeacon")
	d.word("ids_type", "network")
	d.word("signature", kindOf(a.Event).title)
	d.word("signature_id", class(a.Event))
	d.word("category", "Antivirus telemetry")
	d.word("severity", strings.ToLower(gradeOf(a).name))
	d.number("severity_id", int64(gradeOf(a).ecs))
	d.word("action", "allowed")
	d.str("description", a.Message)
	d.short("dvc", sensor(a, o), 255)
	d.ip("src", a.Host.Address)
	d.ip("src_ip", a.Host.Address)
	d.word("src_mac", hardware(a.Host.MAC))
	d.short("src_host", a.Host.Name, 255)
	d.ip("dest", to.Address)
	d.ip("dest_ip", to.Address)
	d.integer("dest_port", int64(to.Port))
	d.short("dest_host", firstName(to), 255)
	d.short("dest_country", to.Country, 8)
	d.short("dest_city", to.City, 128)
	d.integer("dest_asn", int64(to.ASN))
	d.short("transport", to.Transport, 8)
	d.time("created", a.Made, layoutMicro)
	d.str("version", a.Version)
	d.short("sensor", a.Sensor, 255)
}
