package siem

import (
	"net/netip"
	"strconv"
	"strings"

	"avbeacon/internal/alert"
)

// ocsfVersion is the release of the Open Cybersecurity Schema Framework whose class 2004 appendOCSF writes.
const ocsfVersion = "1.8.0"

// appendOCSF appends a Detection Finding (category 2, class 2004) with the profiles security_control and, where a host is
// known, host. What has no place in it is under unmapped.avbeacon.
func appendOCSF(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	d := newDocument(dst, p.text)
	ocsfClass(d, a)
	ocsfTimes(d, a)
	ocsfStates(d, a)
	d.str("message", a.Message)
	ocsfMetadata(d, a, o)
	ocsfFinding(d, a)
	d.object("device")
	ocsfHost(d, a, true)
	d.end()
	d.list("evidences")
	for i := range a.Destinations[:p.destinations] {
		ocsfEvidence(d, a, &a.Destinations[i])
	}
	d.end()
	ocsfObservables(d, a, p)
	d.object("unmapped")
	appendOurs(d, a, p)
	d.end()
	return d.finish()
}

func ocsfClass(d *document, a *alert.Alert) {
	activity := kindOf(a.Event).activity
	caption := [...]string{1: "Create", 2: "Update", 3: "Close"}[activity]
	d.number("activity_id", int64(activity))
	d.word("activity_name", caption)
	d.number("category_uid", 2)
	d.word("category_name", "Findings")
	d.number("class_uid", 2004)
	d.word("class_name", "Detection Finding")
	d.number("type_uid", int64(200400+activity))
	d.word("type_name", "Detection Finding: "+caption)
}

func ocsfTimes(d *document, a *alert.Alert) {
	d.number("time", moment(a).UnixMilli())
	d.milli("start_time", a.First)
	d.milli("end_time", a.Last)
	d.number("timezone_offset", 0)
	d.count("count", min(a.Seen, 1<<31-1)) // integer_t
}

func ocsfStates(d *document, a *alert.Alert) {
	g := gradeOf(a)
	d.number("severity_id", int64(g.ocsf))
	d.word("severity", g.name)
	status, caption := ocsfStatus(a.State)
	d.number("status_id", int64(status))
	d.word("status", caption)
	d.flag("is_alert", kindOf(a.Event).activity != 3)
	confidence, caption := ocsfConfidence(a.Verdict)
	d.number("confidence_id", int64(confidence))
	d.word("confidence", caption)
	d.number("action_id", 3)
	d.word("action", "Observed")
	d.number("disposition_id", 15)
	d.word("disposition", "Detected")
}

func ocsfStatus(s alert.State) (int, string) {
	switch s {
	case alert.Open:
		return 1, "New"
	case alert.Acknowledged:
		return 2, "In Progress"
	case alert.Suppressed:
		return 3, "Suppressed"
	case alert.Closed:
		return 4, "Resolved"
	}
	return 0, "Unknown"
}

// ocsfConfidence is how sure a verdict is.
func ocsfConfidence(verdict string) (int, string) {
	switch verdict {
	case "installed":
		return 3, "High"
	case "likely":
		return 2, "Medium"
	case "possible", "visit":
		return 1, "Low"
	}
	return 0, "Unknown"
}

func ocsfMetadata(d *document, a *alert.Alert, o *EncodeOptions) {
	d.object("metadata")
	d.word("version", ocsfVersion)
	d.exact("uid", a.ID)
	d.word("event_code", class(a.Event))
	d.milli("logged_time", a.Made)
	d.list("profiles")
	d.word("", "security_control")
	if hasHost(a) {
		d.word("", "host")
	}
	d.end()
	d.word("log_name", "alert")
	d.str("log_provider", sensor(a, o))
	d.object("product")
	d.word("name", "avbeacon")
	d.word("vendor_name", "Avbeacon")
	d.str("version", a.Version)
	d.object("feature")
	d.short("name", a.Sensor, 255)
	d.end()
	d.end()
	d.end()
}

func ocsfFinding(d *document, a *alert.Alert) {
	d.object("finding_info")
	d.exact("uid", a.Finding)
	if a.Finding == "" {
		d.exact("uid", a.ID)
	}
	d.word("title", kindOf(a.Event).title)
	d.str("desc", a.Why)
	d.words("types", "Antivirus telemetry")
	d.milli("first_seen_time", a.First)
	d.milli("last_seen_time", a.Last)
	d.milli("modified_time", a.Changed)
	d.object("analytic")
	d.short("uid", a.Rule, 255)
	d.short("name", a.Rule, 255)
	d.short("category", a.Policy, 255)
	d.number("type_id", 1)
	d.word("type", "Rule")
	d.end()
	d.end()
}

// hasHost tells whether the alert speaks of one machine: a Summary does not.
func hasHost(a *alert.Alert) bool {
	return a.Host.Address.IsValid() || a.Host.Name != "" || hardware(a.Host.MAC) != ""
}

// ocsfHost writes what is known of the machine; typed says that it is a device, whose type must be told.
func ocsfHost(d *document, a *alert.Alert, typed bool) {
	if !hasHost(a) {
		return
	}
	if typed {
		d.number("type_id", 0)
		d.word("type", "Unknown")
	}
	d.short("hostname", a.Host.Name, 255)
	d.ip("ip", a.Host.Address)
	d.word("mac", strings.ToUpper(hardware(a.Host.MAC)))
}

// ocsfEvidence writes a destination as an evidence artifact: who called whom, how.
func ocsfEvidence(d *document, a *alert.Alert, to *alert.Destination) {
	d.object("")
	d.object("src_endpoint")
	ocsfHost(d, a, false)
	d.end()
	d.object("dst_endpoint")
	d.ip("ip", to.Address)
	d.integer("port", int64(to.Port))
	d.short("hostname", firstName(*to), 255)
	d.object("location")
	d.short("country", to.Country, 8)
	d.short("city", to.City, 128)
	d.end()
	d.object("autonomous_system")
	d.integer("number", int64(to.ASN))
	d.short("name", to.Owner, 255)
	d.end()
	d.end()
	d.object("connection_info")
	d.number("direction_id", 2)
	d.word("direction", "Outbound")
	d.short("protocol_name", to.Transport, 8)
	d.integer("protocol_num", protocolNumber(to.Transport))
	if family(to.Address) == "ipv4" {
		d.number("protocol_ver_id", 4)
	} else if family(to.Address) == "ipv6" {
		d.number("protocol_ver_id", 6)
	}
	d.end()
	d.end()
}

// protocolNumber is IANA's, 0 where the protocol is not known.
func protocolNumber(transport string) int64 {
	switch transport {
	case "tcp":
		return 6
	case "udp":
		return 17
	}
	return 0
}

// ocsfObservables lists what analysts pivot on, with the place where it stands in the record.
func ocsfObservables(d *document, a *alert.Alert, p portion) {
	d.list("observables")
	one := func(name string, id int64, caption, value string) {
		if value == "" {
			return
		}
		d.object("")
		d.word("name", name)
		d.number("type_id", id)
		d.word("type", caption)
		d.short("value", value, 255)
		d.end()
	}
	ip := func(name string, a netip.Addr) {
		if a = address(a); a.IsValid() {
			one(name, 2, "IP Address", a.String())
		}
	}
	ip("device.ip", a.Host.Address)
	one("device.mac", 3, "MAC Address", strings.ToUpper(hardware(a.Host.MAC)))
	one("device.hostname", 1, "Hostname", a.Host.Name)
	for i, to := range a.Destinations[:p.destinations] {
		at := "evidences[" + strconv.Itoa(i) + "].dst_endpoint"
		ip(at+".ip", to.Address)
		one(at+".hostname", 1, "Hostname", firstName(to))
	}
	d.end()
}
