package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"
)

// ID returns the id of the alert for an event of a finding: the first 16 bytes of
//
//	SHA-256(finding "\x00" rule "/" event "\x00" changed)
//
// in hex, where changed is the packet time of the change in decimal nanoseconds since 1970. The same capture always yields
// the same IDs, and an alert keeps its ID if it is sent late or twice.
func ID(finding, rule string, e Event, changed time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s/%s\x00%d", finding, rule, e, changed.UnixNano()))
	return hex.EncodeToString(sum[:16])
}

// fromFinding makes the alert for an event of a finding. changed is the packet time of the change; known are the places of
// concern that earlier alerts reported, which come after new ones. Except for strings, nothing is shared with the finding.
func fromFinding(f *classify.Finding, d *policy.Decision, e Event, changed time.Time, opt *Options, known []placeKey) *Alert {
	a := &Alert{
		ID: ID(f.ID, d.Rule, e, changed), Finding: f.ID, Sensor: opt.Sensor, Event: e, State: Open, Severity: severityOf(d), Policy: opt.Policy,
		Rule: d.Rule, Why: text(d.Why), Changed: changed.UTC(), Decided: changed.UTC(), Count: 1, Seen: f.Contacts + f.Lookups,
		First: f.FirstSeen.UTC(), Last: f.LastSeen.UTC(), Version: opt.Version,
		Vendor: Vendor{Key: f.Vendor.Key, Name: text(f.Vendor.Name), Country: f.Vendor.Country, Group: f.Vendor.Group,
			Product: text(f.Product), ProductVersion: text(f.ProductVersion)},
		Verdict: f.Verdict.String(), HostRole: f.HostRole.String(), FindingState: f.State.String(),
		Host: hostOf(f), Destinations: destinations(f, opt.Concern, known), Evidence: evidence(f), Beacons: beacons(f), Reasons: reasons(f),
	}
	if e == Resolved {
		a.State = Closed
	}
	a.Message = message(a)
	return a
}

func hostOf(f *classify.Finding) Host {
	h := Host{Address: f.Host.Address, Name: text(f.Host.Name), VLANs: slices.Clone(f.Host.VLANs)}
	if f.Host.HasMAC {
		h.MAC = net.HardwareAddr(f.Host.MAC[:]).String()
	}
	if len(h.VLANs) > mostVLANs {
		h.VLANs = h.VLANs[:mostVLANs]
	}
	return h
}

// Bounds of the shorter lists.
const (
	mostVLANs   = 16
	mostNames   = 8  // of a destination
	mostBeacons = 16 // more than there are roles
)

// destinations orders by interest: first one destination for each new place of concern, then the others of concern, then the
// rest. Within each part the finding's order stays, which is by contacts.
func destinations(f *classify.Finding, concern func(*classify.Finding, *classify.Destination) bool, known []placeKey) []Destination {
	type ranked struct{ at, rank int }
	order := make([]ranked, len(f.Destinations))
	known = slices.Clone(known)
	for i := range f.Destinations {
		d := &f.Destinations[i]
		order[i] = ranked{i, 2}
		if !concern(f, d) {
			continue
		}
		order[i].rank = 1
		if key := keyOf(&d.Place); !slices.Contains(known, key) {
			order[i].rank = 0
			known = append(known, key)
		}
	}
	slices.SortStableFunc(order, func(a, b ranked) int { return a.rank - b.rank })
	order = order[:min(len(order), MostDestinations)]
	out := make([]Destination, len(order))
	for i, o := range order {
		out[i] = newDestination(&f.Destinations[o.at], o.rank < 2)
	}
	return out
}

func newDestination(d *classify.Destination, concern bool) Destination {
	x := Destination{Address: d.Address, Port: d.Port, ASN: d.ASN, Owner: text(d.Owner), Level: d.Place.Level.String(),
		Where: text(d.Place.Words), Country: d.Place.Country, City: text(d.Place.City), Contacts: d.Contacts, Failed: d.Failed, Concern: concern}
	for _, n := range d.Names[:min(len(d.Names), mostNames)] {
		x.Names = append(x.Names, text(n))
	}
	return x
}

func evidence(f *classify.Finding) []Evidence {
	out := make([]Evidence, min(len(f.Evidence), MostEvidence))
	for i := range out {
		e := &f.Evidence[i]
		out[i] = Evidence{Kind: e.Kind.String(), Value: text(e.Value), Role: e.Role.String(), Strength: e.Strength.String(), Supports: e.Supports,
			Count: e.Count, First: e.First.UTC(), Last: e.Last.UTC(), Source: text(e.Source), Why: text(e.Why)}
	}
	return out
}

func beacons(f *classify.Finding) []Beacon {
	var out []Beacon
	for i := range f.Beacons[:min(len(f.Beacons), mostBeacons)] {
		b := &f.Beacons[i]
		x := Beacon{Role: b.Role.String(), PeriodS: rounded(b.Period.Seconds()), Sessions: b.Sessions, Words: text(b.Words)}
		if b.Scored {
			x.Score = rounded(b.Score)
		}
		out = append(out, x)
	}
	return out
}

// rounded rounds to four decimals, as reports do.
func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }

func reasons(f *classify.Finding) []string {
	var out []string
	for _, r := range f.Reasons[:min(len(f.Reasons), MostReasons)] {
		out = append(out, text(r))
	}
	return out
}
