// Package samples makes alerts for the tests of formats and deliveries: one of each sort, and any number of plain ones.
package samples

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
)

// Sample is an alert with a name for its golden files.
type Sample struct {
	Name  string
	Alert *alert.Alert
}

// All returns alerts of each sort, the same at every call.
func All() []Sample {
	return []Sample{
		{"new", New()}, {"place", Place()}, {"blocked", Blocked()}, {"summary", Summary()},
		{"resolved", Resolved()}, {"test", Test()}, {"hostile", Hostile()},
	}
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

// New is a complete alert from a run over captures.
func New() *alert.Alert {
	first, last := at("2026-11-22T10:15:00.001002003Z"), at("2026-11-23T10:15:04.123456789Z")
	return &alert.Alert{
		ID: "a3f1c09d5b7e46a2a3f1c09d5b7e46a2", Finding: "f00dfeed1234567890abcdef12345678", Sensor: "tap01",
		Event: alert.New, State: alert.Open, Severity: policy.High, Policy: "moscow", Rule: "russian-vendors",
		Why:     "Rule russian-vendors: Kaspersky is a vendor of concern.",
		Message: "10.20.30.40 (ws-042) runs Kaspersky Endpoint Security: installed, calls 203.0.113.55 (RU, Moscow)",
		Changed: last, Count: 1, Seen: 118, First: first, Last: last, Version: "0.4.0",
		Vendor: alert.Vendor{Key: "kaspersky", Name: "Kaspersky", Country: "RU", Group: "kaspersky",
			Product: "Kaspersky Endpoint Security", ProductVersion: "21.3"},
		Verdict: "installed", HostRole: "endpoint", FindingState: "active",
		Host: alert.Host{Address: netip.MustParseAddr("10.20.30.40"), MAC: "02:00:5e:10:00:2a", Name: "ws-042.corp.example", VLANs: []uint16{30}},
		Destinations: []alert.Destination{{
			Address: netip.MustParseAddr("203.0.113.55"), Port: 443, Transport: "tcp",
			Names: []string{"dnl-01.geo.kaspersky.example", "ksn-a-stat.kaspersky.example"}, ASN: 64511, Owner: "Example Cloud LLP",
			Level: "M2", Where: "two of three databases say Moscow", Country: "RU", City: "Moscow", Contacts: 110, Failed: 2,
		}, {
			Address: netip.MustParseAddr("198.51.100.7"), Port: 443, Transport: "udp", Names: []string{"ds.kaspersky.example"},
			ASN: 64510, Owner: "Example Transit AG", Level: "N", Where: "all databases say Germany", Country: "DE", City: "Frankfurt", Contacts: 8,
		}},
		Evidence: []alert.Evidence{
			{Kind: "tls_sni", Value: "dnl-01.geo.kaspersky.example", Role: "update", Strength: "strong", Supports: true, Count: 60,
				First: first, Last: last, Source: "vendors/kaspersky.yaml:12", Why: "the update servers of the product"},
			{Kind: "http_user_agent", Value: `Kaspersky "KAV" 21.3`, Role: "update", Strength: "strong", Supports: true, Count: 3,
				First: first, Last: last, Source: "vendors/kaspersky.yaml:40", Why: "only the product writes it"},
			{Kind: "dns_query", Value: "www.kaspersky.example", Role: "web", Strength: "weak", Supports: false, Count: 1,
				First: first, Last: first, Why: "a person may have looked at the web site"},
		},
		Beacons: []alert.Beacon{{Role: "update", Score: 0.93125, PeriodS: 732.2, Sessions: 118, Words: "every 12 min 12 s, very regular"}},
		Reasons: []string{"User-Agent and name in one session.", "Two sessions with strong signs."},
	}
}

// Place is about a connection over IPv6. Its zone and its IPv4-mapped address must not appear in records.
func Place() *alert.Alert {
	a := New()
	a.ID, a.Event, a.Severity = "b4f1c09d5b7e46a2a3f1c09d5b7e46a2", alert.Place, policy.Critical
	a.Vendor = alert.Vendor{Key: "drweb", Name: "Dr.Web", Country: "RU/KZ"}
	a.Host = alert.Host{Address: netip.MustParseAddr("fe80::1:2ff:fe03:4%eth0"), Name: "буратино.example"}
	a.Message = "fe80::1:2ff:fe03:4 (буратино.example) calls a new place: Moscow, 2001:db8:77::25"
	a.Made = at("2026-11-23T11:00:00.5+01:00")
	a.Destinations = []alert.Destination{
		{Address: netip.MustParseAddr("2001:db8:77::25"), Port: 443, Transport: "tcp", Names: []string{"update.drweb.example"},
			ASN: 64500, Level: "M3", Where: "every database says Moscow", Country: "RU", City: "Москва", Contacts: 1},
		{Address: netip.MustParseAddr("::ffff:192.0.2.9"), Port: 80, Transport: "tcp", Contacts: 3},
	}
	return a
}

// Blocked has a destination without port, name and country.
func Blocked() *alert.Alert {
	a := New()
	a.ID, a.Event, a.Severity, a.FindingState = "c4f1c09d5b7e46a2a3f1c09d5b7e46a2", alert.Blocked, policy.Medium, "blocked"
	a.Made, a.Beacons, a.Reasons, a.Evidence = at("2026-11-23T10:15:05Z"), nil, nil, a.Evidence[:1]
	a.Host = alert.Host{Address: netip.MustParseAddr("::ffff:10.20.30.41"), MAC: "router"}
	a.Destinations = []alert.Destination{{Address: netip.MustParseAddr("192.0.2.77"), Contacts: 24, Failed: 24}}
	a.Message = "10.20.30.41 tries to call Kaspersky, all 24 attempts failed"
	return a
}

// Summary names many hosts and no destination.
func Summary() *alert.Alert {
	a := New()
	return &alert.Alert{
		ID: "d4f1c09d5b7e46a2a3f1c09d5b7e46a2", Finding: "0123456789abcdef0123456789abcdef", Sensor: "tap01", Event: alert.Summary,
		State: alert.Open, Severity: policy.High, Policy: "moscow", Rule: "russian-vendors", Why: a.Why,
		Message: "37 hosts run Kaspersky, 3 of them named here", Changed: a.Changed, Made: at("2026-11-23T10:15:05Z"), Count: 37,
		First: a.First, Last: a.Last, Version: "0.4.0", Vendor: alert.Vendor{Key: "kaspersky", Name: "Kaspersky", Country: "RU"},
		Hosts: []string{"10.20.30.40", "10.20.30.41", "2001:db8::5"}, Note: "34 hosts are left out",
	}
}

// Resolved is the alert of a finding that has ended.
func Resolved() *alert.Alert {
	a := Blocked()
	a.ID, a.Event, a.State, a.Severity = "e4f1c09d5b7e46a2a3f1c09d5b7e46a2", alert.Resolved, alert.Closed, policy.Low
	a.FindingState, a.Changed = "quiet", at("2026-12-23T00:00:00Z")
	return a
}

// Test has only the fields that every alert has.
func Test() *alert.Alert {
	return &alert.Alert{ID: "t1", Event: alert.Test, State: alert.Open, Changed: at("2026-11-24T00:00:00Z"), Message: "avbeacon siem test"}
}

// Hostile has characters that break naive parsers in every text that comes from the wire.
func Hostile() *alert.Alert {
	const bad = "x\\y=\"q\"|p^t\tn\nr\r\x00]}\x1b[31m\u202egpj\u2028\xff\xfe 'a' key=v; cs1=forged CEF:0|\ufeff"
	a := New()
	a.ID = "e5f1c09d5b7e46a2a3f1c09d5b7e46a2"
	a.Message, a.Why, a.Note, a.Rule, a.Version = "msg "+bad, "why "+bad, "note "+bad, "rule|"+bad, "1|2\n3"
	a.Sensor = "tap 01\n" + bad
	a.Host.Name, a.Host.MAC = bad, bad
	a.Vendor.Name, a.Vendor.Product = bad, strings.Repeat("產品\U0001F9FF", 200)
	a.Destinations[0].Names = []string{bad, strings.Repeat("a.", 900)}
	a.Destinations[0].Owner, a.Destinations[0].City, a.Destinations[0].Transport = bad, bad, "t=c|p"
	for i := range a.Evidence {
		a.Evidence[i].Value = bad
	}
	a.Reasons = append(a.Reasons, bad, strings.Repeat("long ", 1000))
	a.Hosts = []string{bad, "fe80::1%eth0"}
	a.Beacons[0].Words = bad
	return a
}

// Numbered returns alerts with the ids a0000, a0001 and so on.
func Numbered(from, to int) []*alert.Alert {
	var batch []*alert.Alert
	for i := from; i < to; i++ {
		when := time.Date(2026, 11, 24, 10, 0, 0, 123456789, time.UTC).Add(time.Duration(i) * time.Second)
		batch = append(batch, &alert.Alert{
			ID: fmt.Sprintf("a%04d", i), Finding: "f1", Sensor: "tap01", Event: alert.New, State: alert.Open, Severity: 3,
			Policy: "moscow", Rule: "moscow", Why: "Home is in Moscow.",
			Message: "10.0.0.5 runs Касперский and calls dnl-01.geo.kaspersky.com",
			Changed: when, First: when, Last: when, Count: 1, Seen: 7, Version: "1.0",
			Vendor:  alert.Vendor{Key: "kaspersky", Name: "Kaspersky"},
			Verdict: "installed", HostRole: "endpoint", FindingState: "active",
			Host: alert.Host{Address: netip.MustParseAddr("10.0.0.5"), Name: "ws-042"},
			Destinations: []alert.Destination{{Address: netip.MustParseAddr("93.159.228.11"), Port: 443, Transport: "tcp",
				Names: []string{"dnl-01.geo.kaspersky.com"}, Level: "M2", Country: "RU", City: "Moscow", Contacts: 7}},
		})
	}
	return batch
}
