package siem

import (
	"hash/fnv"

	"avbeacon/internal/alert"
)

// grade is what a severity is called elsewhere.
type grade struct {
	ecs    int    // event.severity, in the steps of Elastic's own rules
	ocsf   int    // severity_id
	name   string // OCSF's caption
	cef    int    // 0 to 10
	leef   int    // 1 to 10
	syslog int    // RFC 5424 6.2.1, 0 is the gravest
	eve    int    // a rule's priority, 1 is the gravest
	class  string // signature_severity in the metadata of public Suricata rules
}

// gradeOf gives the words and numbers of an alert's severity; one that is graver than critical counts as critical.
func gradeOf(a *alert.Alert) grade {
	grades := [...]grade{ // in the order of policy.Severity
		{1, 1, "Informational", 1, 1, 6, 4, "Informational"},
		{21, 2, "Low", 3, 3, 5, 3, "Minor"},
		{47, 3, "Medium", 6, 5, 4, 2, "Major"},
		{73, 4, "High", 8, 8, 3, 1, "Critical"},
		{99, 5, "Critical", 10, 10, 2, 1, "Critical"},
	}
	return grades[min(int(a.Severity), len(grades)-1)]
}

// kind is what is constant for all alerts of an event.
type kind struct {
	title    string // a static text: no name of a host, vendor or rule is in it
	number   int    // of the event in signature numbers; never changes, never used again
	activity int    // of OCSF's findings: 1 create, 2 update, 3 close
}

func kindOf(e alert.Event) kind {
	switch e {
	case alert.New:
		return kind{"Antivirus calls home", 1, 1}
	case alert.Raised:
		return kind{"Antivirus calls home, surer than told before", 2, 2}
	case alert.Place:
		return kind{"Antivirus calls home at a new place of concern", 3, 2}
	case alert.Returned:
		return kind{"Antivirus calls home again after a quiet time", 4, 2}
	case alert.Blocked:
		return kind{"Antivirus tries to call home and fails", 5, 2}
	case alert.RemovalDue:
		return kind{"Antivirus calls home after it was due to be removed", 6, 2}
	case alert.Repeated:
		return kind{"Antivirus still calls home", 7, 2}
	case alert.Resolved:
		return kind{"Antivirus calls home no longer", 8, 3}
	case alert.Summary:
		return kind{"Antivirus calls home from many hosts", 9, 1}
	case alert.Test:
		return kind{"Test alert", 10, 1}
	}
	return kind{"Antivirus calls home, other event", 0, 2}
}

// class names the kind of record where a format asks for a code: no names and no punctuation that formats trip over.
func class(e alert.Event) string {
	if kindOf(e).number == 0 {
		return "avbeacon-other"
	}
	return "avbeacon-" + string(e)
}

// Numbers of signatures lie in 3,900,000 to 3,999,999, a range that no public rule set uses: firstSignature, plus 8192 for
// each number of an event, plus a hash of policy and rule. Two rules may share a number; the metadata names the rule.
const (
	firstSignature   = 3_900_000
	signaturesOfKind = 8192
)

// signature is a stable number for an event and a rule.
func signature(a *alert.Alert) int {
	h := fnv.New32a()
	h.Write([]byte(a.Policy + "\x00" + a.Rule))
	return firstSignature + kindOf(a.Event).number*signaturesOfKind + int(h.Sum32()%signaturesOfKind)
}
