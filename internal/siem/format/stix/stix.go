// Package stix writes alerts as STIX 2.1 bundles: indicators, observables and sightings.
package stix

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// Format returns the format stix: a bundle of one alert.
func Format() format.Format {
	return format.Format{Name: "stix", Size: format.DocumentSize, Least: 6 << 10, Append: appendRecord}
}

// AppendBundle appends one STIX 2.1 bundle of all alerts: what was seen of each as cyber observables and observed-data,
// and a sighting of what it is a sign of. Objects that several alerts share are in it once. Their ids are made of what they
// say (UUID version 5), so that the same alerts give the same bundle, and the same name the same indicator.
func AppendBundle(dst []byte, alerts []*alert.Alert, o format.Options) ([]byte, error) {
	if len(alerts) == 0 {
		return dst, errors.New("a bundle of no alerts")
	}
	id := ""
	b := newBundle(dst, alerts[0])
	for _, a := range alerts {
		id += a.ID + "\n"
		b.add(a, &o, format.Whole(a))
	}
	return b.close(id), nil
}

// appendRecord appends a bundle of one alert.
func appendRecord(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	b := newBundle(dst, a)
	b.add(a, o, p)
	return b.close(a.ID + "\n")
}

// bundle appends objects, each once.
type bundle struct {
	*format.Document
	written map[string]bool // ids
}

// stixCreated is when the objects that stay the same in every bundle (sensor, indicator, tool) count as made. A time of the
// alert would make other versions of the same object of each.
const stixCreated = "2026-01-01T00:00:00.000Z"

// newBundle leaves the bundle's own id to close: it is the last member.
func newBundle(dst []byte, a *alert.Alert) *bundle {
	b := &bundle{format.NewDocument(dst, format.MostText), make(map[string]bool)}
	b.Word("type", "bundle")
	b.List("objects")
	return b
}

func (b *bundle) close(id string) []byte {
	b.End()
	b.Word("id", "bundle--"+ourID("bundle", id))
	return b.Document.Finish()
}

// begin opens an object, once: it is false where the bundle has it.
func (b *bundle) begin(kind, id string) bool {
	if b.written[id] {
		return false
	}
	b.written[id] = true
	b.Object("")
	b.Word("type", kind)
	b.Word("spec_version", "2.1")
	b.Word("id", id)
	return true
}

// made writes when a domain object was created; it is never modified.
func (b *bundle) made(created string) {
	b.Word("created", created)
	b.Word("modified", created)
}

// add writes all objects of an alert.
func (b *bundle) add(a *alert.Alert, o *format.Options, p format.Portion) {
	b.Text, b.Cut = p.Text, false
	who := b.sensor(a, o)
	of := b.signs(a, p)
	seen := b.observables(a, p)
	if len(seen) > 0 {
		seen = []string{b.observed(a, who, seen)}
	}
	for _, s := range of {
		b.sighting(a, who, s, seen, p)
	}
}

// sensor writes the identity that saw it all.
func (b *bundle) sensor(a *alert.Alert, o *format.Options) string {
	name := "avbeacon"
	if s := format.Sensor(a, o); s != "" {
		name += " " + s
	}
	id := "identity--" + ourID("identity", name)
	if b.begin("identity", id) {
		b.made(stixCreated)
		b.Short("name", name, 255)
		b.Word("identity_class", "system")
		b.End()
	}
	return id
}

// sighted is what was sighted, how often, and where it is.
type sighted struct {
	ref   string
	count uint64
	place string
}

// signs writes what the alert is a sign of: an indicator for each name or address of a destination; the product as a tool
// where there is none. Indicators are the same whichever sensor writes them.
func (b *bundle) signs(a *alert.Alert, p format.Portion) []sighted {
	var all []sighted
	for _, to := range a.Destinations[:p.Destinations] {
		pattern, name := stixPattern(to)
		if pattern == "" {
			continue
		}
		s := sighted{b.indicator(a, pattern, name), to.Contacts, format.PlaceText(to)}
		if i := slices.IndexFunc(all, func(have sighted) bool { return have.ref == s.ref }); i >= 0 {
			all[i].count += s.count
		} else {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		all = append(all, sighted{ref: b.tool(a), count: a.Seen})
	}
	return all
}

func (b *bundle) indicator(a *alert.Alert, pattern, name string) string {
	id := "indicator--" + ourID("indicator", pattern+"\n"+a.Vendor.Key)
	if b.begin("indicator", id) {
		b.made(stixCreated)
		b.Short("name", cmp.Or(a.Vendor.Name, a.Vendor.Key)+": "+name, 512)
		b.Words("indicator_types", "anomalous-activity")
		b.Whole("pattern", pattern)
		b.Word("pattern_type", "stix")
		b.Word("valid_from", stixCreated)
		b.End()
	}
	return id
}

func (b *bundle) tool(a *alert.Alert) string {
	name := cmp.Or(a.Vendor.Name, a.Vendor.Key, "antivirus")
	id := "tool--" + ourID("tool", name)
	if b.begin("tool", id) {
		b.made(stixCreated)
		b.Short("name", name, 255)
		b.End()
	}
	return id
}

func (b *bundle) observed(a *alert.Alert, who string, seen []string) string {
	id := "observed-data--" + ourID("observed-data", a.ID)
	if !b.begin("observed-data", id) {
		return id
	}
	b.Word("created_by_ref", who)
	b.made(format.Moment(a).Format(format.LayoutMilli))
	from, to := span(a)
	b.Time("first_observed", from, format.LayoutMilli)
	b.Time("last_observed", to, format.LayoutMilli)
	b.Number("number_observed", int64(min(max(a.Seen, 1), 999_999_999)))
	b.Words("object_refs", seen...)
	b.End()
	return id
}

// sighting says that the sensor saw it, and in properties of our own (STIX 2.1 11.1) all the rest.
func (b *bundle) sighting(a *alert.Alert, who string, of sighted, seen []string, p format.Portion) {
	id := "sighting--" + ourID("sighting", a.ID+"\n"+of.ref)
	if !b.begin("sighting", id) {
		return
	}
	b.Word("created_by_ref", who)
	b.made(format.Moment(a).Format(format.LayoutMilli))
	b.Str("description", a.Message)
	from, to := span(a)
	b.Time("first_seen", from, format.LayoutMilli)
	b.Time("last_seen", to, format.LayoutMilli)
	b.Count("count", min(of.count, 999_999_999))
	b.Word("sighting_of_ref", of.ref)
	b.Words("observed_data_refs", seen...)
	b.Words("where_sighted_refs", who)
	b.Exact("x_avbeacon_alert_id", a.ID)
	b.Exact("x_avbeacon_finding_id", a.Finding)
	b.Short("x_avbeacon_event", string(a.Event), 64)
	b.Word("x_avbeacon_severity", a.Severity.String())
	b.Short("x_avbeacon_verdict", a.Verdict, 64)
	b.Short("x_avbeacon_vendor", a.Vendor.Key, 64)
	b.Short("x_avbeacon_rule", a.Rule, 255)
	b.Str("x_avbeacon_why", a.Why)
	b.Str("x_avbeacon_place", of.place)
	b.Strs("x_avbeacon_evidence", format.EvidenceTexts(a, p), p.Evidence)
	if p.Less || b.Cut {
		b.Flag("x_avbeacon_truncated", true)
	}
	b.End()
}

// span is when the finding was seen first and last, in that order; the time of the change where it is not known.
func span(a *alert.Alert) (from, to time.Time) {
	from, to = a.First, a.Last
	if !format.Known(from) {
		from = format.Moment(a)
	}
	if !format.Known(to) || to.Before(from) {
		to = from
	}
	return from, to
}
