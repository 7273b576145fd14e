package report

import (
	"math"
	"strconv"
	"time"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// Facts is everything that a report is made from.
type Facts struct {
	Version   string
	Generated time.Time
	Catalog   *feeds.Catalog
	Places    []feeds.Database
	Policy    string
	// Judge reports whether a finding is of concern, and why. The report of a store judges again, by the policy of today.
	Judge    func(*classify.Finding) (concern bool, why string)
	Inputs   []capture.Input
	Findings []*classify.Finding
	Stats    capture.Stats
	Judged   classify.Stats
	Remarks  []classify.Remark
	// HiddenDoH counts flows to known DNS over HTTPS resolvers.
	HiddenDoH uint64
}

// New makes a report. It copies what it needs from f, so that the classifier may go on. Lists without elements are empty and not nil:
// JSON then has [] for them, as the schema requires. Text that came from the network or from files passes valid here, once; what writes
// for a terminal has to apply Clean as well.
func New(f *Facts) *Report {
	r := &Report{
		Schema: Schema, Version: f.Version, Generated: at(f.Generated), Policy: valid(f.Policy),
		Catalog:   Catalog{Date: f.Catalog.Date(), SHA256: f.Catalog.SHA256(), Entries: f.Catalog.Len()},
		PlaceData: []PlaceData{}, Inputs: []Input{}, Findings: []Finding{},
	}
	for _, d := range f.Places {
		r.PlaceData = append(r.PlaceData, PlaceData{Database: valid(d.Name), Date: d.Date, Maker: valid(d.Maker), File: valid(d.File),
			Attribution: d.Attribution})
	}
	r.Notes = staleWords(f)
	for i := range f.Inputs {
		r.Inputs = append(r.Inputs, newInput(&f.Inputs[i]))
	}
	for _, x := range f.Findings {
		y := newFinding(x)
		concern, why := f.Judge(x)
		y.Concern, y.ConcernWhy = concern, valid(why)
		r.Findings = append(r.Findings, y)
	}
	r.Remarks = newRemarks(f.Remarks)
	r.Coverage = newCoverage(f)
	return r
}

func newInput(in *capture.Input) Input {
	x := Input{File: valid(in.Name), SHA256: in.SHA256, Packets: in.Packets, Bytes: in.Bytes, Truncated: in.Truncated}
	if in.Packets > 0 {
		x.First, x.Last = at(time.Unix(0, in.First)), at(time.Unix(0, in.Last))
	}
	if in.Err != nil {
		x.Error = valid(in.Err.Error())
	}
	return x
}

func newFinding(f *classify.Finding) Finding {
	x := Finding{
		ID: f.ID, Vendor: f.Vendor.Key, VendorName: f.Vendor.Name, VendorCountry: f.Vendor.Country,
		Product: valid(f.Product), ProductVersion: valid(f.ProductVersion), Host: newHost(&f.Host), HostRole: f.HostRole.String(),
		HostRoles: []string{}, Verdict: f.Verdict.String(), State: f.State.String(), FirstSeen: at(f.FirstSeen), LastSeen: at(f.LastSeen),
		Contacts: f.Contacts, Lookups: f.Lookups, Destinations: []Destination{}, Beacon: []Beacon{}, Evidence: []Evidence{},
		Reasons: validAll(f.Reasons), Dropped: f.Dropped,
	}
	for _, r := range f.HostRoles {
		x.HostRoles = append(x.HostRoles, r.String())
	}
	if b := f.Behind; b != nil {
		x.Behind = &Behind{Estimate: b.Estimate, AtLeast: b.AtLeast, Words: valid(b.Words)}
	}
	if o := f.OEM; o != nil {
		x.OEM = &OEM{Engine: o.Engine, In: valid(o.In), Source: valid(o.Source)}
	}
	for i := range f.Destinations {
		x.Destinations = append(x.Destinations, newDestination(&f.Destinations[i]))
	}
	for i := range f.Beacons {
		x.Beacon = append(x.Beacon, newBeacon(&f.Beacons[i]))
	}
	for i := range f.Evidence {
		x.Evidence = append(x.Evidence, newEvidence(&f.Evidence[i]))
	}
	return x
}

func newHost(h *classify.FindingHost) Host {
	x := Host{Name: valid(h.Name), VLAN: append([]uint16{}, h.VLANs...), Addresses: []Address{}}
	if h.Address.IsValid() {
		x.Address = h.Address.String()
	}
	if h.HasMAC {
		x.MAC = mac(h.MAC)
	}
	for _, a := range h.Addresses {
		x.Addresses = append(x.Addresses, Address{Address: a.Address.String(), From: at(a.From), To: at(a.To)})
	}
	return x
}

func newDestination(d *classify.Destination) Destination {
	x := Destination{
		Address: d.Address.String(), Port: d.Port, Names: validAll(d.Names), ASN: d.ASN, Owner: valid(d.Owner), RTT: ms(d.RTT),
		Contacts: d.Contacts, Failed: d.Failed, Proxy: d.Proxy,
	}
	// None means that no database was asked; X, that a location means nothing for this address, which is worth a line.
	if d.Place.Level != place.None {
		x.Place = newPlace(&d.Place)
	}
	return x
}

func newPlace(p *place.Location) *Place {
	x := &Place{
		Level: p.Level.String(), Words: valid(p.Words), Country: p.Country, City: valid(p.City), Registered: p.Registered, By: []Vote{},
	}
	if p.Refuted != nil {
		x.Claimed = p.Claimed.String()
		x.Refuted = &Refutation{By: "rtt", RTT: ms(p.Refuted.RTT), MaxKM: p.Refuted.MaxKM}
	}
	for i := range p.Votes {
		v := &p.Votes[i]
		x.By = append(x.By, Vote{
			Database: valid(v.Database), Date: v.Date, Maker: valid(v.Maker), Country: v.Country, City: valid(v.City), GeonameID: v.GeonameID,
			RadiusKM: v.RadiusKM, NotRussia: v.NotRussia, Counted: v.Counted,
		})
	}
	return x
}

func newBeacon(b *classify.Beacon) Beacon {
	x := Beacon{Role: b.Role.String(), PeriodS: rounded(b.Period.Seconds()), Sessions: b.Sessions, Words: valid(b.Words)}
	if b.Scored {
		score := rounded(b.Score)
		x.Score = &score
	}
	return x
}

func newEvidence(e *classify.Evidence) Evidence {
	x := Evidence{
		Kind: e.Kind.String(), Value: valid(e.Value), Role: e.Role.String(), Strength: e.Strength.String(), Supports: e.Supports,
		Weight: rounded(e.Weight), Count: e.Count, First: at(e.First), Last: at(e.Last), Frames: []Frame{}, Pattern: valid(e.Pattern),
		Source: valid(e.Source), Date: e.Date, Note: valid(e.Note), Why: valid(e.Why),
	}
	if e.File != "" {
		x.Entry = valid(e.File) + ":" + strconv.Itoa(e.Line)
	}
	for _, f := range e.Frames {
		x.Frames = append(x.Frames, Frame{Input: f.Input, Frame: f.Frame})
	}
	return x
}

// ms returns a duration in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// rounded returns v to four decimals: more would be noise.
func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }
