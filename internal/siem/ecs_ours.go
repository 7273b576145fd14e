package siem

import (
	"avbeacon/internal/alert"
)

// appendOurs appends the object avbeacon: what an alert says that common schemas have no field for, in the words of the
// JSON report. Times in it have nanoseconds. It ends with truncated, so that it knows of all that was left out before.
func appendOurs(d *document, a *alert.Alert, p portion) {
	d.object("avbeacon")
	oursWhat(d, a)
	d.list("destinations")
	for i := range a.Destinations[:p.destinations] {
		oursDestination(d, &a.Destinations[i], p)
	}
	d.end()
	d.list("evidence")
	for i := range a.Evidence[:p.evidence] {
		oursEvidence(d, &a.Evidence[i])
	}
	d.end()
	d.list("beacon")
	for i := range a.Beacons[:p.beacons] {
		oursBeacon(d, &a.Beacons[i])
	}
	d.end()
	d.strs("reasons", a.Reasons, p.reasons)
	d.strs("hosts", hosts(a, p), p.hosts)
	d.str("note", a.Note)
	if p.less || d.cut {
		d.flag("truncated", true)
	}
	d.end()
}

// oursWhat appends what is single: event, states, rule, vendor, product, verdict.
func oursWhat(d *document, a *alert.Alert) {
	d.short("event", string(a.Event), 64)
	d.short("alert_state", string(a.State), 64)
	d.word("severity", a.Severity.String())
	d.short("policy", a.Policy, 255)
	d.short("rule", a.Rule, 255)
	d.str("concern_why", a.Why)
	d.object("finding")
	d.exact("id", a.Finding)
	d.short("state", a.FindingState, 64)
	d.end()
	d.object("vendor")
	d.short("key", a.Vendor.Key, 64)
	d.short("name", a.Vendor.Name, 128)
	d.strs("country", countries(a.Vendor.Country), 8)
	d.short("group", a.Vendor.Group, 64)
	d.end()
	d.object("product")
	d.short("name", a.Vendor.Product, 255)
	d.short("version", a.Vendor.ProductVersion, 64)
	d.end()
	d.short("verdict", a.Verdict, 64)
	d.short("host_role", a.HostRole, 64)
	d.list("vlan")
	for _, v := range a.Host.VLANs[:min(8, len(a.Host.VLANs))] {
		d.number("", int64(v))
	}
	d.end()
	d.integer("count", int64(a.Count))
	d.count("seen", a.Seen)
	d.time("first_seen", a.First, layoutNano)
	d.time("last_seen", a.Last, layoutNano)
	d.time("changed", a.Changed, layoutNano)
}

func oursDestination(d *document, to *alert.Destination, p portion) {
	d.object("")
	d.ip("address", to.Address)
	d.integer("port", int64(to.Port))
	d.short("transport", to.Transport, 8)
	d.strs("names", to.Names, p.names)
	d.integer("asn", int64(to.ASN))
	d.short("owner", to.Owner, 255)
	d.object("place")
	d.short("level", to.Level, 8)
	d.str("words", to.Where)
	d.short("country", to.Country, 8)
	d.short("city", to.City, 128)
	d.end()
	d.count("contacts", to.Contacts)
	d.count("failed", to.Failed)
	d.end()
}

func oursEvidence(d *document, e *alert.Evidence) {
	d.object("")
	d.short("kind", e.Kind, 64)
	d.str("value", e.Value)
	d.short("role", e.Role, 64)
	d.short("strength", e.Strength, 64)
	d.flag("supports", e.Supports)
	d.count("count", e.Count)
	d.time("first", e.First, layoutNano)
	d.time("last", e.Last, layoutNano)
	d.short("source", e.Source, 255)
	d.str("why", e.Why)
	d.end()
}

func oursBeacon(d *document, b *alert.Beacon) {
	d.object("")
	d.short("role", b.Role, 64)
	d.real("score", b.Score)
	d.real("period_s", b.PeriodS)
	d.integer("sessions", int64(b.Sessions))
	d.str("words", b.Words)
	d.end()
}
