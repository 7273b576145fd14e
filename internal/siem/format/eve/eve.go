// Package eve writes alerts as Suricata's EVE log has them.
package eve

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// Format returns the format eve.
func Format() format.Format {
	return format.Format{Name: "eve", Size: format.DocumentSize, Least: 4 << 10, Append: appendRecord}
}

const layout = "2006-01-02T15:04:05.000000-0700" // of timestamp

// appendRecord appends an alert as Suricata's EVE log has it (user guide, "Eve JSON Format"; field names and types as in its
// etc/schema.json, release 8.0). What EVE has no field for is in alert.metadata, whose members are lists of texts. There is
// no flow_id: an alert is of a finding, not of one flow.
func appendRecord(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	d := format.NewDocument(dst, p.Text)
	to := format.First(a)
	d.Time("timestamp", format.Moment(a), layout)
	d.Word("event_type", "alert")
	d.IP("src_ip", a.Host.Address)
	d.IP("dest_ip", to.Address)
	d.Integer("dest_port", int64(to.Port))
	d.Short("proto", strings.ToUpper(to.Transport), 8)
	d.Integer("ip_v", ipVersion(to.Address, a.Host.Address))
	d.List("vlan")
	for _, v := range a.Host.VLANs[:min(8, len(a.Host.VLANs))] {
		d.Number("", int64(v))
	}
	d.End()
	if len(a.Destinations) > 0 {
		d.Word("direction", "to_server")
	}
	d.Short("host", format.Sensor(a, o), 255)
	d.Object("ether")
	d.Word("src_mac", format.Hardware(a.Host.MAC))
	d.End()
	alertObject(d, a, p)
	return d.Finish()
}

func ipVersion(addresses ...netip.Addr) int64 {
	switch format.Family(addresses...) {
	case "ipv4":
		return 4
	case "ipv6":
		return 6
	}
	return 0
}

// alertObject writes what Suricata writes of a rule that matched. gid 1 and rev 1 are those of an ordinary rule; action is allowed,
// because avbeacon only listens. Severity 1 is the gravest, as in Suricata.
func alertObject(d *format.Document, a *alert.Alert, p format.Portion) {
	d.Object("alert")
	d.Word("action", "allowed")
	d.Number("gid", 1)
	d.Number("signature_id", int64(signature(a)))
	d.Number("rev", 1)
	d.Word("signature", "AVBEACON "+format.Title(a.Event))
	d.Word("category", "Potential Corporate Privacy Violation")
	d.Number("severity", [...]int64{4, 3, 2, 1, 1}[format.Level(a)])
	d.Object("metadata")
	m := &metadata{d}
	m.exact("alert_id", a.ID)
	m.exact("finding_id", a.Finding)
	m.Words("signature_severity", [...]string{"Informational", "Minor", "Major", "Critical", "Critical"}[format.Level(a)])
	m.Words("severity", a.Severity.String())
	finding(m, a)
	destination(m, format.First(a), p)
	lists(m, a, p)
	if p.Less || d.Cut {
		m.Words("truncated", "true")
	}
	d.End()
	d.End()
}

// metadata writes members that are lists of texts. An empty text is left out, and a list of none.
type metadata struct{ *format.Document }

func (m *metadata) add(name string, values ...string) { m.Strs(name, values, len(values)) }

// exact writes an identifier, which is never shortened.
func (m *metadata) exact(name, s string) {
	m.List(name)
	m.Document.Exact("", s)
	m.End()
}

func (m *metadata) when(name string, t time.Time) {
	if format.Known(t) {
		m.Words(name, t.UTC().Format(format.LayoutMicro))
	}
}

func finding(m *metadata, a *alert.Alert) {
	m.add("event", string(a.Event))
	m.add("alert_state", string(a.State))
	m.add("policy", a.Policy)
	m.add("rule", a.Rule)
	m.add("concern_why", a.Why)
	m.add("message", a.Message)
	m.add("vendor", a.Vendor.Name)
	m.add("vendor_key", a.Vendor.Key)
	m.add("vendor_country", format.Countries(a.Vendor.Country)...)
	m.add("product", a.Vendor.Product)
	m.add("product_version", a.Vendor.ProductVersion)
	m.add("verdict", a.Verdict)
	m.add("host_role", a.HostRole)
	m.add("host_name", a.Host.Name)
	m.add("finding_state", a.FindingState)
	m.Words("count", format.Decimal(uint64(max(a.Count, 0))))
	m.Words("seen", format.Decimal(a.Seen))
	m.when("first_seen", a.First)
	m.when("last_seen", a.Last)
	m.when("created_at", a.Made)
	m.add("sensor", a.Sensor)
	m.add("version", a.Version)
}

func destination(m *metadata, to alert.Destination, p format.Portion) {
	m.Strs("dest_names", to.Names, p.Names)
	m.Words("dest_asn", format.Decimal(uint64(to.ASN)))
	m.add("dest_owner", to.Owner)
	m.add("place_level", to.Level)
	m.add("place", to.Where)
	m.add("dest_country", to.Country)
	m.add("dest_city", to.City)
}

// lists writes what has several values. The first destination has members of its own, so it is not repeated.
func lists(m *metadata, a *alert.Alert, p format.Portion) {
	var more []string
	for _, to := range a.Destinations[min(1, p.Destinations):p.Destinations] {
		more = append(more, destinationText(to))
	}
	m.add("more_destinations", more...)
	m.add("beacon", format.BeaconTexts(a, p)...)
	m.add("evidence", format.EvidenceTexts(a, p)...)
	m.Strs("reasons", a.Reasons, p.Reasons)
	m.Strs("hosts", format.Hosts(a, p), p.Hosts)
	m.add("note", a.Note)
}

// destinationText is a server in a few words: "203.0.113.9:443/tcp update.example M3 Moscow".
func destinationText(to alert.Destination) string {
	var parts []string
	if ip := format.Address(to.Address); ip.IsValid() {
		text := ip.String()
		if to.Port != 0 {
			text = netip.AddrPortFrom(ip, to.Port).String()
		}
		if to.Transport != "" {
			text += "/" + to.Transport
		}
		parts = append(parts, text)
	}
	if to.ASN != 0 {
		parts = append(parts, "AS"+strconv.FormatUint(uint64(to.ASN), 10))
	}
	for _, s := range []string{format.FirstName(to), format.PlaceText(to)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

// Signature numbers lie in 3,900,000 to 3,999,999, a range that no public rule set uses: firstSignature, plus 8192 for each
// number of an event, plus a hash of policy and rule. Two rules may share a number; the metadata names the rule.
const (
	firstSignature     = 3_900_000
	signaturesPerEvent = 8192
)

// signature is a stable number for an event and a rule.
func signature(a *alert.Alert) int {
	h := fnv.New32a()
	h.Write([]byte(a.Policy + "\x00" + a.Rule))
	return firstSignature + eventNumber(a.Event)*signaturesPerEvent + int(h.Sum32()%signaturesPerEvent)
}

// eventNumber is an event's number in signatures: it never changes and is never used again. 0 is an unknown event.
func eventNumber(e alert.Event) int {
	return 1 + slices.Index([]alert.Event{alert.New, alert.Raised, alert.Place, alert.Returned, alert.Blocked, alert.RemovalDue,
		alert.Repeated, alert.Resolved, alert.Summary, alert.Test}, e)
}
