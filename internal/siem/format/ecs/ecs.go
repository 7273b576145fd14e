// Package ecs writes alerts in the native format: documents of the Elastic Common Schema, with an object avbeacon for what
// the schema has no field for.
package ecs

import (
	"net/netip"
	"strconv"
	"strings"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// Format returns the format ecs.
func Format() format.Format {
	return format.Format{Name: "ecs", Size: format.DocumentSize, Least: 4 << 10, Append: appendRecord}
}

// version is the release of the Elastic Common Schema whose field names appendRecord uses.
const version = "9.4.0"

// appendRecord appends the native record: a format.Document of the Elastic Common Schema, and under avbeacon what has no place there.
func appendRecord(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	d := format.NewDocument(dst, p.Text)
	d.Time("@timestamp", format.Moment(a), format.LayoutMilli)
	d.Object("ecs")
	d.Word("version", version)
	d.End()
	d.Str("message", a.Message)
	event(d, a)
	rule(d, a)
	observer(d, a, o)
	source(d, a)
	destination(d, format.First(a))
	network(d, a)
	threat(d, a)
	pivots(d, a, p)
	d.Words("tags", tags(a)...)
	format.AppendOwn(d, a, p)
	return d.Finish()
}

// tags are words to filter by.
func tags(a *alert.Alert) []string {
	list := []string{"avbeacon"}
	if a.Event == alert.Test {
		list = append(list, "test")
	}
	return list
}

func event(d *format.Document, a *alert.Alert) {
	d.Object("event")
	d.Word("kind", "alert")
	d.Words("category", "network", "intrusion_detection")
	d.Words("type", "info")
	d.Word("action", format.Code(a.Event))
	d.Word("module", "avbeacon")
	d.Word("provider", "avbeacon")
	d.Word("dataset", "avbeacon.alert")
	d.Exact("id", a.ID)
	d.Number("severity", format.ECSSeverity(a))
	d.Time("start", a.First, format.LayoutMilli)
	d.Time("end", a.Last, format.LayoutMilli)
	d.Time("created", a.Made, format.LayoutMilli)
	d.Str("reason", a.Why)
	d.End()
}

// rule writes the policy's rule. Its name is its only identifier, so id and name are equal.
func rule(d *format.Document, a *alert.Alert) {
	d.Object("rule")
	d.Str("id", a.Rule)
	d.Str("name", a.Rule)
	d.Str("ruleset", a.Policy)
	d.Word("category", format.Title(a.Event))
	d.End()
}

func observer(d *format.Document, a *alert.Alert, o *format.Options) {
	d.Object("observer")
	d.Str("name", a.Sensor)
	d.Str("hostname", format.Sensor(a, o))
	d.Word("vendor", "Avbeacon")
	d.Word("product", "avbeacon")
	d.Word("type", "ids")
	d.Str("version", a.Version)
	d.End()
}

// source writes the host. ECS has MAC addresses in capitals with hyphens (RFC 7042).
func source(d *format.Document, a *alert.Alert) {
	d.Object("source")
	d.IP("ip", a.Host.Address)
	d.Word("mac", strings.ToUpper(strings.ReplaceAll(format.Hardware(a.Host.MAC), ":", "-")))
	d.Short("domain", a.Host.Name, 255)
	d.End()
}

func destination(d *format.Document, to alert.Destination) {
	d.Object("destination")
	d.IP("ip", to.Address)
	d.Integer("port", int64(to.Port))
	d.Short("domain", format.FirstName(to), 255)
	d.Object("geo")
	d.Short("country_iso_code", to.Country, 8)
	d.Short("city_name", to.City, 128)
	d.End()
	d.Object("as")
	d.Integer("number", int64(to.ASN))
	d.Object("organization")
	d.Short("name", to.Owner, 255)
	d.End()
	d.End()
	d.End()
}

// network writes the first destination's transport. A finding from DNS queries only has no direction: nothing was sent to the vendor.
func network(d *format.Document, a *alert.Alert) {
	to := format.First(a)
	d.Object("network")
	d.Short("transport", to.Transport, 8)
	d.Word("type", format.Family(to.Address, a.Host.Address))
	if len(a.Destinations) > 0 {
		d.Word("direction", "outbound")
	}
	if len(a.Host.VLANs) > 0 {
		d.Object("vlan")
		d.Word("id", strconv.Itoa(int(a.Host.VLANs[0])))
		d.End()
	}
	d.End()
}

// threat writes the contacted name or address as an indicator.
func threat(d *format.Document, a *alert.Alert) {
	to := format.First(a)
	name, what := format.FirstName(to), "domain-name"
	if name == "" {
		if !to.Address.IsValid() {
			return
		}
		name, what = format.Address(to.Address).String(), format.Family(to.Address)+"-addr"
	}
	d.Object("threat")
	d.Object("indicator")
	d.Word("type", what)
	d.Short("name", name, 255)
	d.Time("first_seen", a.First, format.LayoutMilli)
	d.Time("last_seen", a.Last, format.LayoutMilli)
	d.Count("sightings", a.Seen)
	d.Word("provider", "avbeacon")
	d.End()
	d.End()
}

// pivots lists every address and name of the record, which is what analysts pivot on.
func pivots(d *format.Document, a *alert.Alert, p format.Portion) {
	ips, hosts := related(a, p)
	d.Object("related")
	d.Words("ip", ips...)
	d.Strs("hosts", hosts, len(hosts))
	d.End()
}

// related returns the addresses and the names in an alert, each once.
func related(a *alert.Alert, p format.Portion) (ips, names []string) {
	address := func(a netip.Addr) {
		if a = format.Address(a); a.IsValid() {
			ips = format.AddOnce(ips, a.String())
		}
	}
	address(a.Host.Address)
	names = format.AddOnce(names, a.Host.Name)
	for _, to := range a.Destinations[:p.Destinations] {
		address(to.Address)
		names = format.AddOnce(names, to.Names[:min(p.Names, len(to.Names))]...)
	}
	for _, h := range format.Hosts(a, p) {
		if _, ok := format.ParseAddress(h); ok {
			ips = format.AddOnce(ips, h)
		} else {
			names = format.AddOnce(names, h)
		}
	}
	return ips, names
}
