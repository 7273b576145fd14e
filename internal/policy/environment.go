package policy

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"avbeacon/classify"
	"avbeacon/classify/place"
)

// environment is a finding as expressions see it. The tags are the language's names; README.md describes each.
type environment struct {
	Vendor          string        `expr:"vendor"`
	VendorName      string        `expr:"vendor_name"`
	VendorCountry   string        `expr:"vendor_country"`
	VendorCountries []string      `expr:"vendor_countries"`
	Group           string        `expr:"group"`
	Product         string        `expr:"product"`
	ProductVersion  string        `expr:"product_version"`
	OEM             string        `expr:"oem"`
	Verdict         string        `expr:"verdict"`
	State           string        `expr:"state"`
	HostRole        string        `expr:"host_role"`
	HostRoles       []string      `expr:"host_roles"`
	Host            host          `expr:"host"`
	Contacts        int           `expr:"contacts"`
	Lookups         int           `expr:"lookups"`
	Names           []string      `expr:"names"`
	Destinations    []destination `expr:"destinations"`
	Beacons         []beacon      `expr:"beacons"`
}

type host struct {
	Address   string   `expr:"address"`
	Addresses []string `expr:"addresses"`
	Name      string   `expr:"name"`
	MAC       string   `expr:"mac"`
	VLAN      int      `expr:"vlan"`
	VLANs     []int    `expr:"vlans"`
}

type destination struct {
	Address  string   `expr:"address"`
	Port     int      `expr:"port"`
	Names    []string `expr:"names"`
	ASN      int      `expr:"asn"`
	Owner    string   `expr:"owner"`
	RTT      float64  `expr:"rtt_ms"`
	Contacts int      `expr:"contacts"`
	Failed   int      `expr:"failed"`
	Proxy    bool     `expr:"proxy"`
	Place    location `expr:"place"`
}

// location is a place. Its words are those of place.Level, so that level compares by rank (see scale).
type location struct {
	Level      string `expr:"level"`
	Country    string `expr:"country"`
	City       string `expr:"city"`
	Registered string `expr:"registered"`
	Refuted    bool   `expr:"refuted"`

	of *place.Location // for in_city and within; expressions cannot reach it
}

type beacon struct {
	Role     string  `expr:"role"`
	Score    float64 `expr:"score"`
	Scored   bool    `expr:"scored"`
	Period   float64 `expr:"period_s"`
	Sessions int     `expr:"sessions"`
}

// lists are the names of the environment's lists, at any depth. Add a list field above, and its name here: grammar keeps lists out of
// predicates by name.
func lists() []string {
	return []string{"vendor_countries", "host_roles", "names", "destinations", "beacons", "addresses", "vlans"}
}

// newEnvironment copies a finding into the language's terms. Absent things are empty values and not nil, so that an expression needs no
// test for nil: the language has none.
func newEnvironment(f *classify.Finding) *environment {
	e := &environment{
		Vendor: f.Vendor.Key, VendorName: f.Vendor.Name, VendorCountry: f.Vendor.Country,
		VendorCountries: strings.Split(f.Vendor.Country, "/"), Group: f.Vendor.Group,
		Product: f.Product, ProductVersion: f.ProductVersion,
		Verdict: f.Verdict.String(), State: f.State.String(), HostRole: f.HostRole.String(),
		Host: newHost(&f.Host), Contacts: whole(f.Contacts), Lookups: whole(f.Lookups), Names: names(f),
	}
	if f.OEM != nil {
		e.OEM = f.OEM.In
	}
	for _, r := range f.HostRoles {
		e.HostRoles = append(e.HostRoles, r.String())
	}
	for i := range f.Destinations {
		e.Destinations = append(e.Destinations, newDestination(&f.Destinations[i]))
	}
	for i := range f.Beacons {
		b := &f.Beacons[i]
		x := beacon{Role: b.Role.String(), Scored: b.Scored, Period: b.Period.Seconds(), Sessions: b.Sessions}
		if b.Scored {
			x.Score = b.Score
		}
		e.Beacons = append(e.Beacons, x)
	}
	return e
}

func newHost(h *classify.FindingHost) host {
	x := host{Address: text(h.Address), Name: h.Name}
	if h.HasMAC {
		x.MAC = net.HardwareAddr(h.MAC[:]).String()
	}
	for _, a := range h.Addresses {
		x.Addresses = append(x.Addresses, text(a.Address))
	}
	for _, v := range h.VLANs {
		x.VLANs = append(x.VLANs, int(v))
	}
	if len(x.VLANs) > 0 {
		x.VLAN = x.VLANs[0]
	}
	return x
}

func newDestination(d *classify.Destination) destination {
	p := &d.Place
	return destination{
		Address: text(d.Address), Port: int(d.Port), Names: d.Names, ASN: int(d.ASN), Owner: d.Owner,
		RTT: float64(d.RTT) / float64(time.Millisecond), Contacts: whole(d.Contacts), Failed: whole(d.Failed), Proxy: d.Proxy,
		Place: location{Level: p.Level.String(), Country: p.Country, City: p.City, Registered: p.Registered, Refuted: p.Refuted != nil, of: p},
	}
}

// text writes an address, "" if there is none.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// whole converts a count to the language's number type. Beyond 2^53 a comparison with a fraction is not exact.
func whole(n uint64) int { return int(min(n, 1<<53)) }

// names returns every host name in the finding's destinations and evidence, sorted.
func names(f *classify.Finding) []string {
	var list []string
	for i := range f.Destinations {
		list = append(list, f.Destinations[i].Names...)
	}
	for i := range f.Evidence {
		switch e := &f.Evidence[i]; e.Kind {
		case classify.KindLookup, classify.KindSNI, classify.KindHTTPHost, classify.KindConnect, classify.KindDerived, classify.KindCertificate:
			list = append(list, e.Value)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
