package siem

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"avbeacon/internal/alert"
)

// AppendBundle appends one STIX 2.1 bundle of all alerts: what was seen of each as cyber observables and observed-data,
// and a sighting of what it is a sign of. Objects that several alerts share are in it once. Their ids are made of what they
// say (UUID version 5), so that the same alerts give the same bundle, and the same name the same indicator.
func AppendBundle(dst []byte, alerts []*alert.Alert, o EncodeOptions) ([]byte, error) {
	if len(alerts) == 0 {
		return dst, errors.New("a bundle of no alerts")
	}
	if err := o.complete(); err != nil {
		return dst, fmt.Errorf("format stix: %w", err)
	}
	id := ""
	b := newBundle(dst, alerts[0])
	for _, a := range alerts {
		id += a.ID + "\n"
		b.add(a, &o, whole(a))
	}
	return b.finish(id), nil
}

// appendSTIX appends a bundle of one alert.
func appendSTIX(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	b := newBundle(dst, a)
	b.add(a, o, p)
	return b.finish(a.ID + "\n")
}

// bundle appends objects, each once.
type bundle struct {
	*document
	written map[string]bool // ids
}

// stixCreated is when the objects that stay the same in every bundle (sensor, indicator, tool) count as made. A time of the
// alert would make other versions of the same object of each.
const stixCreated = "2026-01-01T00:00:00.000Z"

// newBundle leaves the bundle's own id to finish: it is the last member.
func newBundle(dst []byte, a *alert.Alert) *bundle {
	b := &bundle{newDocument(dst, mostText), make(map[string]bool)}
	b.word("type", "bundle")
	b.list("objects")
	return b
}

func (b *bundle) finish(id string) []byte {
	b.end()
	b.word("id", "bundle--"+ourID("bundle", id))
	return b.document.finish()
}

// begin opens an object, once: it is false where the bundle has it.
func (b *bundle) begin(kind, id string) bool {
	if b.written[id] {
		return false
	}
	b.written[id] = true
	b.object("")
	b.word("type", kind)
	b.word("spec_version", "2.1")
	b.word("id", id)
	return true
}

// made writes when a domain object was created; it is never modified.
func (b *bundle) made(created string) {
	b.word("created", created)
	b.word("modified", created)
}

// add writes all objects of an alert.
func (b *bundle) add(a *alert.Alert, o *EncodeOptions, p portion) {
	b.text, b.cut = p.text, false
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
func (b *bundle) sensor(a *alert.Alert, o *EncodeOptions) string {
	name := "avbeacon"
	if s := sensor(a, o); s != "" {
		name += " " + s
	}
	id := "identity--" + ourID("identity", name)
	if b.begin("identity", id) {
		b.made(stixCreated)
		b.short("name", name, 255)
		b.word("identity_class", "system")
		b.end()
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
func (b *bundle) signs(a *alert.Alert, p portion) []sighted {
	var all []sighted
	for _, to := range a.Destinations[:p.destinations] {
		pattern, name := stixPattern(to)
		if pattern == "" {
			continue
		}
		s := sighted{b.indicator(a, pattern, name), to.Contacts, placeText(to)}
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
		b.short("name", or(a.Vendor.Name, a.Vendor.Key)+": "+name, 512)
		b.list("indicator_types")
		b.word("", "anomalous-activity")
		b.end()
		b.whole("pattern", pattern)
		b.word("pattern_type", "stix")
		b.word("valid_from", stixCreated)
		b.end()
	}
	return id
}

func (b *bundle) tool(a *alert.Alert) string {
	name := or(or(a.Vendor.Name, a.Vendor.Key), "antivirus")
	id := "tool--" + ourID("tool", name)
	if b.begin("tool", id) {
		b.made(stixCreated)
		b.short("name", name, 255)
		b.end()
	}
	return id
}

func (b *bundle) observed(a *alert.Alert, who string, seen []string) string {
	id := "observed-data--" + ourID("observed-data", a.ID)
	if !b.begin("observed-data", id) {
		return id
	}
	b.word("created_by_ref", who)
	b.made(moment(a).Format(layoutMilli))
	from, to := span(a)
	b.time("first_observed", from, layoutMilli)
	b.time("last_observed", to, layoutMilli)
	b.number("number_observed", int64(min(max(a.Seen, 1), 999_999_999)))
	b.list("object_refs")
	for _, ref := range seen {
		b.word("", ref)
	}
	b.end()
	b.end()
	return id
}

// sighting says that the sensor saw it, and in properties of our own (STIX 2.1 11.1) all the rest.
func (b *bundle) sighting(a *alert.Alert, who string, of sighted, seen []string, p portion) {
	id := "sighting--" + ourID("sighting", a.ID+"\n"+of.ref)
	if !b.begin("sighting", id) {
		return
	}
	b.word("created_by_ref", who)
	b.made(moment(a).Format(layoutMilli))
	b.str("description", a.Message)
	from, to := span(a)
	b.time("first_seen", from, layoutMilli)
	b.time("last_seen", to, layoutMilli)
	b.count("count", min(of.count, 999_999_999))
	b.word("sighting_of_ref", of.ref)
	b.refs("observed_data_refs", seen)
	b.refs("where_sighted_refs", []string{who})
	b.exact("x_avbeacon_alert_id", a.ID)
	b.exact("x_avbeacon_finding_id", a.Finding)
	b.short("x_avbeacon_event", string(a.Event), 64)
	b.word("x_avbeacon_severity", a.Severity.String())
	b.short("x_avbeacon_verdict", a.Verdict, 64)
	b.short("x_avbeacon_vendor", a.Vendor.Key, 64)
	b.short("x_avbeacon_rule", a.Rule, 255)
	b.str("x_avbeacon_why", a.Why)
	b.str("x_avbeacon_place", of.place)
	b.strs("x_avbeacon_evidence", evidenceTexts(a, p), p.evidence)
	if p.less || b.cut {
		b.flag("x_avbeacon_truncated", true)
	}
	b.end()
}

func (b *bundle) refs(name string, list []string) {
	b.list(name)
	for _, ref := range list {
		b.word("", ref)
	}
	b.end()
}

// span is when the finding was seen first and last, in that order; the time of the change where it is not known.
func span(a *alert.Alert) (from, to time.Time) {
	from, to = a.First, a.Last
	if !known(from) {
		from = moment(a)
	}
	if !known(to) || to.Before(from) {
		to = from
	}
	return from, to
}
