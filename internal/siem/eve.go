package siem

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
)

// appendEVE appends an alert as Suricata's EVE log has it (user guide, "Eve JSON Format"; field names and types as in its
// etc/schema.json, release 8.0). What EVE has no field for is in alert.metadata, whose members are lists of texts. There is
// no flow_id: an alert is of a finding, not of one flow.
func appendEVE(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	d := newDocument(dst, p.text)
	to := first(a)
	d.time("timestamp", moment(a), layoutEVE)
	d.word("event_type", "alert")
	d.ip("src_ip", a.Host.Address)
	d.ip("dest_ip", to.Address)
	d.integer("dest_port", int64(to.Port))
	d.short("proto", strings.ToUpper(to.Transport), 8)
	d.integer("ip_v", eveVersion(to.Address, a.Host.Address))
	d.list("vlan")
	for _, v := range a.Host.VLANs[:min(8, len(a.Host.VLANs))] {
		d.number("", int64(v))
	}
	d.end()
	if len(a.Destinations) > 0 {
		d.word("direction", "to_server")
	}
	d.short("host", sensor(a, o), 255)
	d.object("ether")
	d.word("src_mac", hardware(a.Host.MAC))
	d.end()
	eveAlert(d, a, p)
	return d.finish()
}

func eveVersion(addresses ...netip.Addr) int64 {
	switch family(addresses...) {
	case "ipv4":
		return 4
	case "ipv6":
		return 6
	}
	return 0
}

func eveAlert(d *document, a *alert.Alert, p portion) {
	g := gradeOf(a)
	d.object("alert")
	d.word("action", "allowed")
	d.number("gid", 1)
	d.number("signature_id", int64(signature(a)))
	d.number("rev", 1)
	d.word("signature", "AVBEACON "+kindOf(a.Event).title)
	d.word("category", "Potential Corporate Privacy Violation")
	d.number("severity", int64(g.eve))
	d.object("metadata")
	m := &metadata{d}
	m.exact("alert_id", a.ID)
	m.exact("finding_id", a.Finding)
	m.words("signature_severity", g.class)
	m.words("severity", a.Severity.String())
	eveFinding(m, a)
	eveDestination(m, first(a), p)
	eveLists(m, a, p)
	if p.less || d.cut {
		m.words("truncated", "true")
	}
	d.end()
	d.end()
}

// metadata writes members that are lists of texts. An empty text is left out, and a list of none.
type metadata struct{ *document }

func (m *metadata) add(name string, values ...string) { m.strs(name, values, len(values)) }

// exact writes an identifier, which is never shortened.
func (m *metadata) exact(name, s string) {
	m.list(name)
	m.document.exact("", s)
	m.end()
}

func (m *metadata) when(name string, t time.Time) {
	if known(t) {
		m.words(name, t.UTC().Format(layoutMicro))
	}
}

func eveFinding(m *metadata, a *alert.Alert) {
	m.add("event", string(a.Event))
	m.add("alert_state", string(a.State))
	m.add("policy", a.Policy)
	m.add("rule", a.Rule)
	m.add("concern_why", a.Why)
	m.add("message", a.Message)
	m.add("vendor", a.Vendor.Name)
	m.add("vendor_key", a.Vendor.Key)
	m.add("vendor_country", countries(a.Vendor.Country)...)
	m.add("product", a.Vendor.Product)
	m.add("product_version", a.Vendor.ProductVersion)
	m.add("verdict", a.Verdict)
	m.add("host_role", a.HostRole)
	m.add("host_name", a.Host.Name)
	m.add("finding_state", a.FindingState)
	m.words("count", decimal(uint64(max(a.Count, 0))))
	m.words("seen", decimal(a.Seen))
	m.when("first_seen", a.First)
	m.when("last_seen", a.Last)
	m.when("created_at", a.Made)
	m.add("sensor", a.Sensor)
	m.add("version", a.Version)
}

func eveDestination(m *metadata, to alert.Destination, p portion) {
	m.strs("dest_names", to.Names, p.names)
	m.words("dest_asn", decimal(uint64(to.ASN)))
	m.add("dest_owner", to.Owner)
	m.add("place_level", to.Level)
	m.add("place", to.Where)
	m.add("dest_country", to.Country)
	m.add("dest_city", to.City)
}

func eveLists(m *metadata, a *alert.Alert, p portion) {
	var more []string
	for _, to := range a.Destinations[min(1, p.destinations):p.destinations] {
		more = append(more, destinationText(to))
	}
	m.add("more_destinations", more...)
	m.add("beacon", beaconTexts(a, p)...)
	m.add("evidence", evidenceTexts(a, p)...)
	m.strs("reasons", a.Reasons, p.reasons)
	m.strs("hosts", hosts(a, p), p.hosts)
	m.add("note", a.Note)
}

// destinationText is a server in a few words: "203.0.113.9:443/tcp update.example M3 Moscow".
func destinationText(to alert.Destination) string {
	var parts []string
	if ip := address(to.Address); ip.IsValid() {
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
	for _, s := range []string{firstName(to), placeText(to)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}
