// Package alert decides which changes of findings are worth an alert, and when it may be sent. Changed findings with the
// policy's decision go in (Book.Judge), packet time goes in (Book.Tick); alerts come out. An Alert is self-contained: it can
// be stored, encoded and sent without the finding, the catalogue or the policy.
//
// Start with Book in book.go. deliver.go decides whether an alert is sent or held back, due.go handles what happens by time
// alone, record.go is what a Book remembers of a finding, and restore.go rebuilds a Book after a restart.
package alert

import (
	"net/netip"
	"time"

	"avbeacon/internal/policy"
)

// Event is the change of a finding that an alert reports.
type Event string

// The events.
const (
	New        Event = "new"         // the host was not known to run this vendor's product
	Raised     Event = "raised"      // the verdict is stronger than any reported before
	Place      Event = "place"       // first contact with this place of concern
	Returned   Event = "returned"    // active again after a quiet time
	Blocked    Event = "blocked"     // all recent connection attempts failed: the product still runs
	RemovalDue Event = "removal_due" // the removal deadline has passed
	Repeated   Event = "repeated"    // nothing new, but still active
	Resolved   Event = "resolved"    // quiet for the configured time (alerts.resolve)
	Summary    Event = "summary"     // many findings of one vendor changed at once
	Test       Event = "test"        // sent by `avbeacon siem test`
)

// State is the state of an alert's finding when the alert was made, or Acknowledged if somebody took it over since.
type State string

// The states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Suppressed   State = "suppressed"
	Closed       State = "resolved"
)

// Silence is why an alert was made but not sent. Such alerts are stored too: Restore needs them.
type Silence string

// The silences.
const (
	Sent        Silence = ""            // not silenced: it is sent
	Unasked     Silence = "unasked"     // alerts.tell does not list its event
	Silenced    Silence = "suppressed"  // a suppression matches
	Maintenance Silence = "maintenance" // made during a maintenance window of its host
	Held        Silence = "held"        // waits until quiet hours end
	Grouped     Silence = "grouped"     // part of a Summary
)

// Alert reports one change of one finding, or for a Summary of several. The JSON form is the stored one; internal/siem
// encodes what receivers get. Unknown values are left out.
type Alert struct {
	ID       string          `json:"id"`      // hash of finding id, rule and packet time of the change: the same capture gives the same
	Finding  string          `json:"finding"` // id of the finding; for a Summary a hash of those it sums up
	Sensor   string          `json:"sensor,omitempty"`
	Event    Event           `json:"event"`
	State    State           `json:"state"`
	Severity policy.Severity `json:"severity"` // a number in JSON; higher is more severe
	Policy   string          `json:"policy"`
	Rule     string          `json:"rule"`           // the policy rule that made the finding one of concern
	Why      string          `json:"why"`            // the policy's sentence
	Message  string          `json:"message"`        // one line for people: host, product, destination
	Changed  time.Time       `json:"changed"`        // packet time of the change: of the traffic that caused it, or when it came due
	Made     time.Time       `json:"made"`           // wall-clock time of the decision; zero in a run over captures
	Count    int             `json:"count"`          // number of findings: 1 unless it is a Summary
	Seen     uint64          `json:"seen"`           // connections and DNS queries of the finding so far
	First    time.Time       `json:"first"`          // of the finding
	Last     time.Time       `json:"last"`           // of the finding
	Version  string          `json:"version"`        // of avbeacon
	Note     string          `json:"note,omitempty"` // why it was not sent, since when it was held back, or what was cut
	Sequence uint64          `json:"sequence"`       // order of the Book's decisions, from 1
	Decided  time.Time       `json:"decided"`        // packet time of the decision; later than Changed if the alert was held back
	Unsaid   Silence         `json:"unsaid,omitempty"`
	By       string          `json:"by,omitempty"` // id of the suppression or maintenance window in Unsaid

	Vendor       Vendor        `json:"vendor"`
	Verdict      string        `json:"verdict"` // this and the next two: the words that reports use
	HostRole     string        `json:"host_role"`
	FindingState string        `json:"finding_state"`
	Host         Host          `json:"host"`
	Destinations []Destination `json:"destinations,omitempty"` // of concern first, at most MostDestinations
	Evidence     []Evidence    `json:"evidence,omitempty"`     // strongest first, at most MostEvidence
	Beacons      []Beacon      `json:"beacons,omitempty"`
	Reasons      []string      `json:"reasons,omitempty"` // sentences, at most MostReasons
	Hosts        []string      `json:"hosts,omitempty"`   // of a Summary: addresses, at most MostHosts
}

// Bounds of an Alert's lists. Reports have the full lists.
const (
	MostDestinations = 16
	MostEvidence     = 16
	MostReasons      = 16
	MostHosts        = 100
)

// Vendor is the maker of the product, and the product as far as it is known.
type Vendor struct {
	Key            string `json:"key"`
	Name           string `json:"name"`
	Country        string `json:"country,omitempty"` // ISO 3166 alpha-2, several with "/"
	Group          string `json:"group,omitempty"`
	Product        string `json:"product,omitempty"`
	ProductVersion string `json:"product_version,omitempty"`
}

// Host is the machine that the finding is about.
type Host struct {
	Address netip.Addr `json:"address,omitzero"` // the latest
	MAC     string     `json:"mac,omitempty"`    // lower case with colons; never a router's MAC
	Name    string     `json:"name,omitempty"`
	VLANs   []uint16   `json:"vlans,omitempty"`
}

// Destination is one server of the vendor that the host connected to, or tried to.
type Destination struct {
	Address   netip.Addr `json:"address"`
	Port      uint16     `json:"port"`
	Transport string     `json:"transport,omitempty"` // tcp, udp; "" if unknown
	Names     []string   `json:"names,omitempty"`
	ASN       uint32     `json:"asn,omitempty"`
	Owner     string     `json:"owner,omitempty"`
	Level     string     `json:"level,omitempty"` // place level: M3, M2 ...
	Where     string     `json:"where,omitempty"` // the place as a sentence
	Country   string     `json:"country,omitempty"`
	City      string     `json:"city,omitempty"`
	Contacts  uint64     `json:"contacts"`
	Failed    uint64     `json:"failed,omitempty"`
	Concern   bool       `json:"concern,omitempty"` // in a place of concern
}

// Evidence is one piece of evidence, as in reports.
type Evidence struct {
	Kind     string    `json:"kind"`
	Value    string    `json:"value"`
	Role     string    `json:"role,omitempty"`
	Strength string    `json:"strength"`
	Supports bool      `json:"supports"`
	Count    uint64    `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Source   string    `json:"source,omitempty"`
	Why      string    `json:"why"`
}

// Beacon is how regular the host's traffic for one purpose is, as in reports.
type Beacon struct {
	Role     string  `json:"role"`
	Score    float64 `json:"score,omitempty"` // 0 to 1
	PeriodS  float64 `json:"period_s,omitempty"`
	Sessions int     `json:"sessions"`
	Words    string  `json:"words"`
}
