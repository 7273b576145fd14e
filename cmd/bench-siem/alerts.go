package main

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/format"
)

// sample is alert n of 250 hosts, of five severities.
func sample(n int) *alert.Alert {
	first := time.Date(2026, 11, 22, 10, 15, 0, 1002003, time.UTC)
	last := first.Add(24 * time.Hour)
	host := netip.AddrFrom4([4]byte{10, 20, 30, byte(n % 250)})
	return &alert.Alert{
		ID: fmt.Sprintf("a3f1c09d5b7e46a2a3f1c09d%08x", n), Finding: fmt.Sprintf("f00dfeed1234567890abcdef%08x", n%250), Sensor: "tap01",
		Event: alert.New, State: alert.Open, Severity: policy.Severity(n / 250 % 5), Policy: "moscow", Rule: "russian-vendors",
		Why:     "Rule russian-vendors: Kaspersky is a vendor of concern.",
		Message: host.String() + " (ws-042) runs Kaspersky Endpoint Security: installed, calls 203.0.113.55 (RU, Moscow)",
		Changed: last, Made: last, Count: 1, Seen: 118, First: first, Last: last, Version: "0.4.0",
		Vendor: alert.Vendor{Key: "kaspersky", Name: "Kaspersky", Country: "RU", Group: "kaspersky",
			Product: "Kaspersky Endpoint Security", ProductVersion: "21.3"},
		Verdict: "installed", HostRole: "endpoint", FindingState: "active",
		Host: alert.Host{Address: host, MAC: fmt.Sprintf("02:00:5e:10:00:%02x", n%250), Name: "ws-042.corp.example", VLANs: []uint16{30}},
		Destinations: []alert.Destination{
			{Address: netip.MustParseAddr("203.0.113.55"), Port: 443, Transport: "tcp",
				Names: []string{"dnl-01.geo.kaspersky.example", "ksn-a-stat.kaspersky.example"}, ASN: 64511, Owner: "Example Cloud LLP",
				Level: "M2", Where: "two of three databases say Moscow", Country: "RU", City: "Moscow", Contacts: 110, Failed: 2},
			{Address: netip.MustParseAddr("198.51.100.7"), Port: 443, Transport: "udp", Names: []string{"ds.kaspersky.example"},
				ASN: 64510, Owner: "Example Transit AG", Level: "N", Where: "all databases say Germany", Country: "DE", City: "Frankfurt", Contacts: 8},
		},
		Evidence: []alert.Evidence{
			{Kind: "tls_sni", Value: "dnl-01.geo.kaspersky.example", Role: "update", Strength: "strong", Supports: true, Count: 60,
				First: first, Last: last, Source: "vendors/kaspersky.yaml:12", Why: "the update servers of the product"},
			{Kind: "http_user_agent", Value: `Kaspersky "KAV" 21.3`, Role: "update", Strength: "strong", Supports: true, Count: 3,
				First: first, Last: last, Source: "vendors/kaspersky.yaml:40", Why: "only the product writes it"},
			{Kind: "dns_query", Value: "www.kaspersky.example", Role: "web", Strength: "weak", Count: 1, First: first, Last: first,
				Why: "a person may have looked at the web site"},
		},
		Beacons: []alert.Beacon{{Role: "update", Score: 0.93125, PeriodS: 732.2, Sessions: 118, Words: "every 12 min 12 s, very regular"}},
		Reasons: []string{"User-Agent and name in one session.", "Two sessions with strong signs."},
	}
}

// formats prints the speed of each encoder.
func formats(out io.Writer, long time.Duration) error {
	var lines []string
	a := sample(1)
	for _, name := range siem.Formats() {
		e, err := siem.Encoding(name, format.Options{Hostname: "sensor"})
		if err != nil {
			return err
		}
		var dst []byte
		n, begin := 0, time.Now()
		for ; time.Since(begin) < long; n++ {
			if dst, err = e.Append(dst[:0], a); err != nil {
				return err
			}
		}
		took := time.Since(begin)
		lines = append(lines, fmt.Sprintf("%s\t%.0f\t%.1f us\t%d", name, rate(n, took), float64(took.Microseconds())/float64(n), len(dst)))
	}
	table(out, "format\talerts/s\tan alert\tbytes", lines)
	return nil
}
