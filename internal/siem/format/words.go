package format

import "avbeacon/internal/alert"

// Level returns the alert's severity as an index from 0 (info) to 4 (critical), for the scales of the formats. An unknown
// severity, which a later version may add, counts as critical.
func Level(a *alert.Alert) int { return min(int(a.Severity), 4) }

// SeverityName returns the alert's severity in words, as OCSF writes it.
func SeverityName(a *alert.Alert) string {
	return [...]string{"Informational", "Low", "Medium", "High", "Critical"}[Level(a)]
}

// ECSSeverity returns the alert's event.severity, in the steps of Elastic's own rules.
func ECSSeverity(a *alert.Alert) int64 { return [...]int64{1, 21, 47, 73, 99}[Level(a)] }

// Title describes an event in a constant text, without the name of a host, vendor or rule.
func Title(e alert.Event) string {
	if title := titles()[e]; title != "" {
		return title
	}
	return "Antivirus calls home, other event"
}

func titles() map[alert.Event]string {
	return map[alert.Event]string{
		alert.New:        "Antivirus calls home",
		alert.Raised:     "Antivirus calls home, verdict raised",
		alert.Place:      "Antivirus calls home to a new location of concern",
		alert.Returned:   "Antivirus calls home again after a silence",
		alert.Blocked:    "Antivirus tries to call home and fails",
		alert.RemovalDue: "Antivirus still calls home after its removal deadline",
		alert.Repeated:   "Antivirus still calls home",
		alert.Resolved:   "Antivirus no longer calls home",
		alert.Summary:    "Antivirus calls home from many hosts",
		alert.Test:       "Test alert",
	}
}

// Code names an event where a format asks for a code: no names, and no punctuation that formats treat specially.
func Code(e alert.Event) string {
	if titles()[e] == "" {
		return "avbeacon-other"
	}
	return "avbeacon-" + string(e)
}
