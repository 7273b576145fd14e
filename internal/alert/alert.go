// Package alert decides what is told of findings: a finding that changed and what the policy says of it go in, alerts
// come out. An Alert stands for itself: it can be stored, encoded and sent without the finding, the catalogue or the policy.
package alert

import (
	"net/netip"
	"time"

	"avbeacon/internal/policy"
)

// Event is the change of a finding that an alert tells.
type Event string

// The events.
const (
	New        Event = "new"         // the host was not known to run this vendor's product
	Raised     Event = "raised"      // the verdict is surer than what was told
	Place      Event = "place"       // it calls a place of concern that it did not call before
	Returned   Event = "returned"    // contact again after it had been quiet
	Blocked    Event = "blocked"     // every attempt of late failed: the product is still there
	RemovalDue Event = "removal_due" // the time to remove it is over
	Repeated   Event = "repeated"    // nothing new, but it goes on
	Resolved   Event = "resolved"    // it has been quiet for as long as the policy asks
	Summary    Event = "summary"     // many findings of one vendor changed at once
	Test       Event = "test"        // sent by `avbeacon siem test`
)

// State is how far an alert came.
type State string

// The states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged"
	Suppressed   State = "suppressed"
	Closed       State = "resolved"
)

// Silence is why an alert was made and not told. It is kept all the same: it is part of the Book's memory.
type Silence string

// The silences.
const (
	Told        Silence = ""            // it was told
	Unasked     Silence = "unasked"     // the configuration does not ask for its event
	Silenced    Silence = "suppressed"  // a suppression fits
	Maintenance Silence = "maintenance" // it happened in a maintenance
	Held        Silence = "held"        // it waits for the end of quiet hours
	Grouped     Silence = "grouped"     // a Summary tells it
)

// Alert is one change of one finding that is to be told (for a Summary: of several). The JSON form is that of the spool
// and the store, not the one that receivers get: internal/siem encodes that. A value that is not known is left out.
type Alert struct {
	ID       string          `json:"id"`      // hash of finding id, rule and packet time of the change: the same capture gives the same
	Finding  string          `json:"finding"` // id of the finding; for a Summary a hash of those it sums up
	Sensor   string          `json:"sensor,omitempty"`
	Event    Event           `json:"event"`
	State    State           `json:"state"`
	Severity policy.Severity `json:"severity"` // as a number, greater is graver
	Policy   string          `json:"policy"`
	Rule     string          `json:"rule"`           // of the policy, which decided that the finding is of concern
	Why      string          `json:"why"`            // the policy's sentence
	Message  string          `json:"message"`        // one line for people: who, what, where to
	Changed  time.Time       `json:"changed"`        // packet time of the change: the contact that brought it, or when it came due
	Made     time.Time       `json:"made"`           // when it was decided, by the wall clock; zero in a run over captures
	Count    int             `json:"count"`          // findings that it speaks of: 1 but for a Summary
	Seen     uint64          `json:"seen"`           // contacts and look-ups of the finding so far
	First    time.Time       `json:"first"`          // of the finding
	Last     time.Time       `json:"last"`           // of the finding
	Version  string          `json:"version"`        // of avbeacon
	Note     string          `json:"note,omitempty"` // what else is to be said: suppressed by what, cut from what
	Sequence uint64          `json:"sequence"`       // in which order the Book decided, from 1 on
	Decided  time.Time       `json:"decided"`        // packet clock at the decision, which other hosts move on too
	Unsaid   Silence         `json:"unsaid,omitempty"`
	By       string          `json:"by,omitempty"` // id of the suppression or maintenance that silences it

	Vendor       Vendor        `json:"vendor"`
	Verdict      string        `json:"verdict"`       // in OUTPUT.md's words, as are the next two
	HostRole     string        `json:"host_role"`     //
	FindingState string        `json:"finding_state"` //
	Host         Host          `json:"host"`
	Destinations []Destination `json:"destinations,omitempty"` // those of concern first, at most MostDestinations
	Evidence     []Evidence    `json:"evidence,omitempty"`     // strongest first, at most MostEvidence
	Beacons      []Beacon      `json:"beacons,omitempty"`
	Reasons      []string      `json:"reasons,omitempty"` // sentences, at most MostReasons
	Hosts        []string      `json:"hosts,omitempty"`   // of a Summary: addresses, at most MostHosts
}

// Bounds of an Alert's lists; what is beyond them stands in the report.
const (
	MostDestinations = 16
	MostEvidence     = 16
	MostReasons      = 16
	MostHosts        = 100
)

// Vendor is whose product it is.
type Vendor struct {
	Key            string `json:"key"`
	Name           string `json:"name"`
	Country        string `json:"country,omitempty"` // ISO 3166 alpha-2, several with "/"
	Group          string `json:"group,omitempty"`
	Product        string `json:"product,omitempty"`
	ProductVersion string `json:"product_version,omitempty"`
}

// Host is the machine that an alert speaks of.
type Host struct {
	Address netip.Addr `json:"address,omitzero"` // the latest
	MAC     string     `json:"mac,omitempty"`    // lower case with colons; never a router's
	Name    string     `json:"name,omitempty"`
	VLANs   []uint16   `json:"vlans,omitempty"`
}

// Destination is one server that the host called for the vendor.
type Destination struct {
	Address   netip.Addr `json:"address"`
	Port      uint16     `json:"port"`
	Transport string     `json:"transport,omitempty"` // tcp, udp; "" where not known
	Names     []string   `json:"names,omitempty"`
	ASN       uint32     `json:"asn,omitempty"`
	Owner     string     `json:"owner,omitempty"`
	Level     string     `json:"level,omitempty"` // place level of OUTPUT.md
	Where     string     `json:"where,omitempty"` // a sentence
	Country   string     `json:"country,omitempty"`
	City      string     `json:"city,omitempty"`
	Contacts  uint64     `json:"contacts"`
	Failed    uint64     `json:"failed,omitempty"`
	Concern   bool       `json:"concern,omitempty"` // in a place of concern
}

// Evidence is one sign, as in OUTPUT.md.
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

// Beacon is how regularly the host calls in one role, as in OUTPUT.md.
type Beacon struct {
	Role     string  `json:"role"`
	Score    float64 `json:"score,omitempty"` // 0 to 1
	PeriodS  float64 `json:"period_s,omitempty"`
	Sessions int     `json:"sessions"`
	Words    string  `json:"words"`
}
