// Package ocsf writes alerts as Detection Findings of the Open Cybersecurity Schema Framework.
package ocsf

import (
	"net/netip"
	"strconv"
	"strings"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// Format returns the format ocsf.
func Format() format.Format {
	return format.Format{Name: "ocsf", Size: format.DocumentSize, Least: 4 << 10, Append: appendRecord}
}

// version is the release of the Open Cybersecurity Schema Framework whose class 2004 appendRecord writes.
const version = "1.8.0"

// appendRecord appends a Detection Finding (category 2, class 2004) with the profiles security_control and, where a host is
// known, host. What has no place in it is under unmapped.avbeacon.
func appendRecord(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	d := format.NewDocument(dst, p.Text)
	class(d, a)
	times(d, a)
	states(d, a)
	d.Str("message", a.Message)
	metadata(d, a, o)
	finding(d, a)
	d.Object("device")
	host(d, a, true)
	d.End()
	d.List("evidences")
	for i := range a.Destinations[:p.Destinations] {
		evidence(d, a, &a.Destinations[i])
	}
	d.End()
	observables(d, a, p)
	d.Object("unmapped")
	format.AppendOwn(d, a, p)
	d.End()
	return d.Finish()
}

func class(d *format.Document, a *alert.Alert) {
	activity := activityOf(a.Event)
	caption := [...]string{1: "Create", 2: "Update", 3: "Close"}[activity]
	d.Number("activity_id", int64(activity))
	d.Word("activity_name", caption)
	d.Number("category_uid", 2)
	d.Word("category_name", "Findings")
	d.Number("class_uid", 2004)
	d.Word("class_name", "Detection Finding")
	d.Number("type_uid", int64(200400+activity))
	d.Word("type_name", "Detection Finding: "+caption)
}

// activityOf is the activity of a finding: 1 create, 2 update, 3 close.
func activityOf(e alert.Event) int {
	switch e {
	case alert.New, alert.Summary, alert.Test:
		return 1
	case alert.Resolved:
		return 3
	}
	return 2
}

func times(d *format.Document, a *alert.Alert) {
	d.Number("time", format.Moment(a).UnixMilli())
	d.Milli("start_time", a.First)
	d.Milli("end_time", a.Last)
	d.Number("timezone_offset", 0)
	d.Count("count", min(a.Seen, 1<<31-1)) // integer_t
}

// states writes severity, status and outcome. Action 3 and disposition 15 say that traffic was seen and not stopped: avbeacon only
// listens.
func states(d *format.Document, a *alert.Alert) {
	d.Number("severity_id", int64(format.Level(a)+1))
	d.Word("severity", format.SeverityName(a))
	status, caption := status(a.State)
	d.Number("status_id", int64(status))
	d.Word("status", caption)
	d.Flag("is_alert", activityOf(a.Event) != 3)
	confidence, caption := confidence(a.Verdict)
	d.Number("confidence_id", int64(confidence))
	d.Word("confidence", caption)
	d.Number("action_id", 3)
	d.Word("action", "Observed")
	d.Number("disposition_id", 15)
	d.Word("disposition", "Detected")
}

// status returns status_id and caption; acknowledged means that somebody works on it.
func status(s alert.State) (int, string) {
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

// confidence is how sure a verdict is.
func confidence(verdict string) (int, string) {
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

func metadata(d *format.Document, a *alert.Alert, o *format.Options) {
	d.Object("metadata")
	d.Word("version", version)
	d.Exact("uid", a.ID)
	d.Word("event_code", format.Code(a.Event))
	d.Milli("logged_time", a.Made)
	d.List("profiles")
	d.Word("", "security_control")
	if hasHost(a) {
		d.Word("", "host")
	}
	d.End()
	d.Word("log_name", "alert")
	d.Str("log_provider", format.Sensor(a, o))
	d.Object("product")
	d.Word("name", "avbeacon")
	d.Word("vendor_name", "Avbeacon")
	d.Str("version", a.Version)
	d.Object("feature")
	d.Short("name", a.Sensor, 255)
	d.End()
	d.End()
	d.End()
}

// finding writes the finding that the alert is about. The schema requires a uid; an alert without a finding (a summary) has its own id.
func finding(d *format.Document, a *alert.Alert) {
	d.Object("finding_info")
	d.Exact("uid", a.Finding)
	if a.Finding == "" {
		d.Exact("uid", a.ID)
	}
	d.Word("title", format.Title(a.Event))
	d.Str("desc", a.Why)
	d.Words("types", "Antivirus telemetry")
	d.Milli("first_seen_time", a.First)
	d.Milli("last_seen_time", a.Last)
	d.Milli("modified_time", a.Changed)
	d.Object("analytic")
	d.Short("uid", a.Rule, 255)
	d.Short("name", a.Rule, 255)
	d.Short("category", a.Policy, 255)
	d.Number("type_id", 1)
	d.Word("type", "Rule")
	d.End()
	d.End()
}

// hasHost reports whether the alert is about one machine: a Summary is not.
func hasHost(a *alert.Alert) bool {
	return a.Host.Address.IsValid() || a.Host.Name != "" || format.Hardware(a.Host.MAC) != ""
}

// host writes what is known of the machine; typed is set for a device, which must have a type.
func host(d *format.Document, a *alert.Alert, typed bool) {
	if !hasHost(a) {
		return
	}
	if typed {
		d.Number("type_id", 0)
		d.Word("type", "Unknown")
	}
	d.Short("hostname", a.Host.Name, 255)
	d.IP("ip", a.Host.Address)
	d.Word("mac", strings.ToUpper(format.Hardware(a.Host.MAC)))
}

// evidence writes a destination as an evidence artifact: who called whom, how.
func evidence(d *format.Document, a *alert.Alert, to *alert.Destination) {
	d.Object("")
	d.Object("src_endpoint")
	host(d, a, false)
	d.End()
	d.Object("dst_endpoint")
	d.IP("ip", to.Address)
	d.Integer("port", int64(to.Port))
	d.Short("hostname", format.FirstName(*to), 255)
	d.Object("location")
	d.Short("country", to.Country, 8)
	d.Short("city", to.City, 128)
	d.End()
	d.Object("autonomous_system")
	d.Integer("number", int64(to.ASN))
	d.Short("name", to.Owner, 255)
	d.End()
	d.End()
	d.Object("connection_info")
	d.Number("direction_id", 2)
	d.Word("direction", "Outbound")
	d.Short("protocol_name", to.Transport, 8)
	d.Integer("protocol_num", format.ProtocolNumber(to.Transport))
	if format.Family(to.Address) == "ipv4" {
		d.Number("protocol_ver_id", 4)
	} else if format.Family(to.Address) == "ipv6" {
		d.Number("protocol_ver_id", 6)
	}
	d.End()
	d.End()
}

// observables lists what analysts pivot on, each with its path in the record.
func observables(d *format.Document, a *alert.Alert, p format.Portion) {
	d.List("observables")
	one := func(name string, id int64, caption, value string) {
		if value == "" {
			return
		}
		d.Object("")
		d.Word("name", name)
		d.Number("type_id", id)
		d.Word("type", caption)
		d.Short("value", value, 255)
		d.End()
	}
	ip := func(name string, a netip.Addr) {
		if a = format.Address(a); a.IsValid() {
			one(name, 2, "IP Address", a.String())
		}
	}
	ip("device.ip", a.Host.Address)
	one("device.mac", 3, "MAC Address", strings.ToUpper(format.Hardware(a.Host.MAC)))
	one("device.hostname", 1, "Hostname", a.Host.Name)
	for i, to := range a.Destinations[:p.Destinations] {
		at := "evidences[" + strconv.Itoa(i) + "].dst_endpoint"
		ip(at+".ip", to.Address)
		one(at+".hostname", 1, "Hostname", format.FirstName(to))
	}
	d.End()
}
