package format

import (
	"avbeacon/internal/alert"
)

// AppendOwn appends the object avbeacon: what an alert says that common schemas have no field for, in the words of the
// JSON report. Times in it have nanoseconds. It ends with truncated, so that it knows of all that was left out before.
func AppendOwn(d *Document, a *alert.Alert, p Portion) {
	d.Object("avbeacon")
	ownSingle(d, a)
	d.List("destinations")
	for i := range a.Destinations[:p.Destinations] {
		ownDestination(d, &a.Destinations[i], p)
	}
	d.End()
	d.List("evidence")
	for i := range a.Evidence[:p.Evidence] {
		ownEvidence(d, &a.Evidence[i])
	}
	d.End()
	d.List("beacon")
	for i := range a.Beacons[:p.Beacons] {
		ownBeacon(d, &a.Beacons[i])
	}
	d.End()
	d.Strs("reasons", a.Reasons, p.Reasons)
	d.Strs("hosts", Hosts(a, p), p.Hosts)
	d.Str("note", a.Note)
	if p.Less || d.Cut {
		d.Flag("truncated", true)
	}
	d.End()
}

// ownSingle appends what is single: event, states, rule, vendor, product, verdict.
func ownSingle(d *Document, a *alert.Alert) {
	d.Short("event", string(a.Event), 64)
	d.Short("alert_state", string(a.State), 64)
	d.Word("severity", a.Severity.String())
	d.Short("policy", a.Policy, 255)
	d.Short("rule", a.Rule, 255)
	d.Str("concern_why", a.Why)
	d.Object("finding")
	d.Exact("id", a.Finding)
	d.Short("state", a.FindingState, 64)
	d.End()
	d.Object("vendor")
	d.Short("key", a.Vendor.Key, 64)
	d.Short("name", a.Vendor.Name, 128)
	d.Strs("country", Countries(a.Vendor.Country), 8)
	d.Short("group", a.Vendor.Group, 64)
	d.End()
	d.Object("product")
	d.Short("name", a.Vendor.Product, 255)
	d.Short("version", a.Vendor.ProductVersion, 64)
	d.End()
	d.Short("verdict", a.Verdict, 64)
	d.Short("host_role", a.HostRole, 64)
	d.List("vlan")
	for _, v := range a.Host.VLANs[:min(8, len(a.Host.VLANs))] {
		d.Number("", int64(v))
	}
	d.End()
	d.Integer("count", int64(a.Count))
	d.Count("seen", a.Seen)
	d.Time("first_seen", a.First, LayoutNano)
	d.Time("last_seen", a.Last, LayoutNano)
	d.Time("changed", a.Changed, LayoutNano)
}

func ownDestination(d *Document, to *alert.Destination, p Portion) {
	d.Object("")
	d.IP("address", to.Address)
	d.Integer("port", int64(to.Port))
	d.Short("transport", to.Transport, 8)
	d.Strs("names", to.Names, p.Names)
	d.Integer("asn", int64(to.ASN))
	d.Short("owner", to.Owner, 255)
	d.Object("place")
	d.Short("level", to.Level, 8)
	d.Str("words", to.Where)
	d.Short("country", to.Country, 8)
	d.Short("city", to.City, 128)
	d.End()
	d.Count("contacts", to.Contacts)
	d.Count("failed", to.Failed)
	d.End()
}

func ownEvidence(d *Document, e *alert.Evidence) {
	d.Object("")
	d.Short("kind", e.Kind, 64)
	d.Str("value", e.Value)
	d.Short("role", e.Role, 64)
	d.Short("strength", e.Strength, 64)
	d.Flag("supports", e.Supports)
	d.Count("count", e.Count)
	d.Time("first", e.First, LayoutNano)
	d.Time("last", e.Last, LayoutNano)
	d.Short("source", e.Source, 255)
	d.Str("why", e.Why)
	d.End()
}

func ownBeacon(d *Document, b *alert.Beacon) {
	d.Object("")
	d.Short("role", b.Role, 64)
	d.Real("score", b.Score)
	d.Real("period_s", b.PeriodS)
	d.Integer("sessions", int64(b.Sessions))
	d.Str("words", b.Words)
	d.End()
}
