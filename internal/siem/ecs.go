package siem

import (
	"net/netip"
	"strconv"
	"strings"

	"avbeacon/internal/alert"
)

// ecsVersion is the release of the Elastic Common Schema whose field names appendECS uses.
const ecsVersion = "9.4.0"

// appendECS appends the native record: a document of the Elastic Common Schema, and under avbeacon what has no place there.
func appendECS(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	d := newDocument(dst, p.text)
	d.time("@timestamp", moment(a), layoutMilli)
	d.object("ecs")
	d.word("version", ecsVersion)
	d.end()
	d.str("message", a.Message)
	ecsEvent(d, a)
	ecsRule(d, a)
	ecsObserver(d, a, o)
	ecsSource(d, a)
	ecsDestination(d, first(a))
	ecsNetwork(d, a)
	ecsThreat(d, a)
	ecsRelated(d, a, p)
	d.words("tags", tags(a)...)
	appendOurs(d, a, p)
	return d.finish()
}

// tags are words to filter by.
func tags(a *alert.Alert) []string {
	list := []string{"avbeacon"}
	if a.Event == alert.Test {
		list = append(list, "test")
	}
	return list
}

func ecsEvent(d *document, a *alert.Alert) {
	d.object("event")
	d.word("kind", "alert")
	d.words("category", "network", "intrusion_detection")
	d.words("type", "info")
	d.word("action", class(a.Event))
	d.word("module", "avbeacon")
	d.word("provider", "avbeacon")
	d.word("dataset", "avbeacon.alert")
	d.exact("id", a.ID)
	d.number("severity", int64(gradeOf(a).ecs))
	d.time("start", a.First, layoutMilli)
	d.time("end", a.Last, layoutMilli)
	d.time("created", a.Made, layoutMilli)
	d.str("reason", a.Why)
	d.end()
}

func ecsRule(d *document, a *alert.Alert) {
	d.object("rule")
	d.str("id", a.Rule)
	d.str("name", a.Rule)
	d.str("ruleset", a.Policy)
	d.word("category", kindOf(a.Event).title)
	d.end()
}

func ecsObserver(d *document, a *alert.Alert, o *EncodeOptions) {
	d.object("observer")
	d.str("name", a.Sensor)
	d.str("hostname", sensor(a, o))
	d.word("vendor", "Avbeacon")
	d.word("product", "avbeacon")
	d.word("type", "ids")
	d.str("version", a.Version)
	d.end()
}

func ecsSource(d *document, a *alert.Alert) {
	d.object("source")
	d.ip("ip", a.Host.Address)
	d.word("mac", strings.ToUpper(strings.ReplaceAll(hardware(a.Host.MAC), ":", "-")))
	d.short("domain", a.Host.Name, 255)
	d.end()
}

func ecsDestination(d *document, to alert.Destination) {
	d.object("destination")
	d.ip("ip", to.Address)
	d.integer("port", int64(to.Port))
	d.short("domain", firstName(to), 255)
	d.object("geo")
	d.short("country_iso_code", to.Country, 8)
	d.short("city_name", to.City, 128)
	d.end()
	d.object("as")
	d.integer("number", int64(to.ASN))
	d.object("organization")
	d.short("name", to.Owner, 255)
	d.end()
	d.end()
	d.end()
}

func ecsNetwork(d *document, a *alert.Alert) {
	to := first(a)
	d.object("network")
	d.short("transport", to.Transport, 8)
	d.word("type", family(to.Address, a.Host.Address))
	if len(a.Destinations) > 0 {
		d.word("direction", "outbound")
	}
	if len(a.Host.VLANs) > 0 {
		d.object("vlan")
		d.word("id", strconv.Itoa(int(a.Host.VLANs[0])))
		d.end()
	}
	d.end()
}

// family names the IP version of the first address that is known.
func family(addresses ...netip.Addr) string {
	for _, a := range addresses {
		switch a = address(a); {
		case a.Is4():
			return "ipv4"
		case a.Is6():
			return "ipv6"
		}
	}
	return ""
}

// ecsThreat gives the name or address that was called as an indicator.
func ecsThreat(d *document, a *alert.Alert) {
	to := first(a)
	name, what := firstName(to), "domain-name"
	if name == "" {
		if !to.Address.IsValid() {
			return
		}
		name, what = address(to.Address).String(), family(to.Address)+"-addr"
	}
	d.object("threat")
	d.object("indicator")
	d.word("type", what)
	d.short("name", name, 255)
	d.time("first_seen", a.First, layoutMilli)
	d.time("last_seen", a.Last, layoutMilli)
	d.count("sightings", a.Seen)
	d.word("provider", "avbeacon")
	d.end()
	d.end()
}

// ecsRelated lists every address and name of the record, which is what analysts pivot on.
func ecsRelated(d *document, a *alert.Alert, p portion) {
	ips, hosts := related(a, p)
	d.object("related")
	d.words("ip", ips...)
	d.strs("hosts", hosts, len(hosts))
	d.end()
}

// related gives the addresses and the names that an alert tells of, each once.
func related(a *alert.Alert, p portion) (ips, names []string) {
	var addresses, called set
	addresses.addIP(a.Host.Address)
	called.add(a.Host.Name)
	for _, to := range a.Destinations[:p.destinations] {
		addresses.addIP(to.Address)
		called.add(to.Names[:min(p.names, len(to.Names))]...)
	}
	for _, h := range hosts(a, p) {
		if _, ok := parseAddress(h); ok {
			addresses.add(h)
		} else {
			called.add(h)
		}
	}
	return addresses.list, called.list
}
