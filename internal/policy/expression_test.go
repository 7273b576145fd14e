package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

// full is a finding with everything that an expression can ask.
func full() *classify.Finding {
	return &classify.Finding{
		Vendor:  &feeds.Vendor{Key: "avast", Name: "Avast", Country: "CZ/US", Group: "gendigital"},
		Product: "Avast Free", ProductVersion: "24.1",
		Host: classify.FindingHost{Address: netip.MustParseAddr("10.0.0.5"), Name: "pc-5", MAC: [6]byte{2, 0, 0, 0, 0, 5}, HasMAC: true, VLANs: []uint16{7},
			Addresses: []classify.AddressSpan{{Address: netip.MustParseAddr("10.0.0.5")}}},
		HostRole: classify.HostEndpoint, HostRoles: []classify.HostRole{classify.HostEndpoint},
		Verdict: classify.Likely, State: classify.Active, Contacts: 12, Lookups: 40,
		Destinations: []classify.Destination{
			{Address: netip.MustParseAddr("91.103.66.9"), Port: 443, ASN: 200107, Owner: "Kaspersky Lab", Names: []string{"a.avast.com"}, Contacts: 11,
				RTT: 40 * time.Millisecond, Place: place.Grade(netip.MustParseAddr("91.103.66.9"), []feeds.Opinion{
					{Database: "A", Maker: "A", Date: "2026-11-01", Country: "RU", City: "Moscow", GeonameID: feeds.MoscowID, Lat: 55.75, Lon: 37.6, HasPoint: true, Radius: 20},
					{Database: "B", Maker: "B", Date: "2026-11-01", Country: "RU", Lat: 55.7386, Lon: 37.6068, HasPoint: true, Radius: 1000},
				})},
			{Address: netip.MustParseAddr("5.62.40.1"), Port: 80, Names: []string{"su.ff.avast.com"}, Contacts: 1,
				Place: place.Grade(netip.MustParseAddr("5.62.40.1"), []feeds.Opinion{
					{Database: "A", Maker: "A", Date: "2026-11-01", Country: "CZ", City: "Prague", GeonameID: 3067696, Lat: 50.08, Lon: 14.43, HasPoint: true, Radius: 50},
				})},
			{Address: netip.MustParseAddr("95.1.1.1"), Port: 80, // a record of Russia as a whole: its point lies in Moscow
				Place: place.Grade(netip.MustParseAddr("95.1.1.1"), []feeds.Opinion{
					{Database: "B", Maker: "B", Date: "2026-11-01", Country: "RU", Lat: 55.7386, Lon: 37.6068, HasPoint: true, Radius: 1000},
				})},
		},
		Beacons:  []classify.Beacon{{Role: feeds.RoleUpdate, Scored: true, Score: 0.9, Period: 2 * time.Hour, Sessions: 30}},
		Evidence: []classify.Evidence{{Kind: classify.KindLookup, Value: "r0000.avast.com", Supports: true}},
	}
}

func TestExpressions(t *testing.T) {
	for text, want := range map[string]bool{
		`true`:                                           true,
		`vendor == "avast"`:                              true,
		`vendor in ["kaspersky", "drweb"]`:               false,
		`vendor not in ["kaspersky", "drweb"]`:           true,
		`"US" in vendor_countries`:                       true,
		`vendor_country == "CZ/US"`:                      true,
		`group == "gendigital" and product != ""`:        true,
		`product matches "(?i)^avast"`:                   true,
		`verdict >= "likely"`:                            true,
		`verdict > "likely"`:                             false,
		`"installed" > verdict`:                          true,
		`verdict < "installed"`:                          true,
		`verdict == "likely"`:                            true,
		`verdict in ["visit", "possible"]`:               false,
		`at_least("possible") && !at_least("installed")`: true,
		`state == "active" and host_role == "endpoint"`:  true,
		`"endpoint" in host_roles`:                       true,
		`host.name startsWith "pc-" and host.vlan == 7 and 7 in host.vlans`:                    true,
		`host.mac == "02:00:00:00:00:05"`:                                                      true,
		`in_network(host.address, "10.0.0.0/8")`:                                               true,
		`in_network(host.name, "10.0.0.0/8")`:                                                  false,
		`contacts >= 12 and lookups / contacts > 3.3 and contacts + lookups == 52`:             true,
		`any(destinations, .port == 443)`:                                                      true,
		`all(destinations, .port in [80, 443])`:                                                true,
		`count(destinations, .place.level >= "M2") == 1`:                                       true,
		`any(destinations, .place.level == "M3")`:                                              false,
		`none(destinations, "R1" == .place.level)`:                                             false,
		`any(destinations, .place.country == "CZ" and .place.city == "Prague")`:                true,
		`any(destinations, in_network(.address, "91.103.64.0/19") and .asn == 200107)`:         true,
		`any(destinations, any(.names, under(#, "avast.com")))`:                                true,
		`any(destinations, any(.names, under(#, "vast.com")))`:                                 false,
		`any(names, under(#, "r0000.avast.com"))`:                                              true,
		`any(destinations, in_city(#, 524901))`:                                                true,
		`count(destinations, in_city(#, "ru/moscow")) == 1`:                                    true,
		`any(destinations, in_city(#, 3067696)) and any(destinations, in_city(#, "CZ/Praha"))`: false,
		`any(destinations, in_city(#, "CZ/prague"))`:                                           true,
		`any(destinations, within(#, 50, 14, 100))`:                                            true,
		`any(destinations, within(#, 50.0, 14.0, 5))`:                                          false,
		`any(destinations, within(#, -50, -14, 100))`:                                          false,
		`count(destinations, within(#, 55.7386, 37.6068, 50)) == 1`:                            true,
		`any(beacons, .role == "update" and .score > 0.8 and .period_s == 7200 and .scored)`:   true,
		`len(filter(destinations, .rtt_ms > 1)) == 1`:                                          true,
		`lower(vendor_name) == "avast" ? contacts > 1 : false`:                                 true,
		`any(map(destinations, .place), .level >= "M2")`:                                       true,
		`any(destinations, .place.refuted) or oem != ""`:                                       false,
	} {
		x, err := compile(text)
		require.NoError(t, err, text)
		got, err := x.eval(&subject{Finding: full()})
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestMistakesInExpressions(t *testing.T) {
	for text, want := range map[string]string{
		`vendr == "avast"`:                        `0: unknown name vendr`,
		`host.nam == "x"`:                         `5: type policy.host has no field nam`,
		`any(destinations, .prt == 1)`:            `19: type policy.destination has no field prt`,
		`contacts == "12"`:                        `9: invalid operation: == (mismatched types int and string)`,
		`vendor`:                                  `0: expected bool, but got string`,
		`contacts + 1`:                            `0: expected bool`,
		`verdict >= "sure"`:                       `11: "sure" is not a verdict; use one of visit, possible, likely, installed`,
		`verdict == "Likely"`:                     `11: "Likely" is not a verdict`,
		`verdict in ["likely", "instaled"]`:       `22: "instaled" is not a verdict`,
		`at_least("sure")`:                        `9: "sure" is not a verdict`,
		`at_least(vendor)`:                        `9: at_least takes a verdict in quotes`,
		`verdict >= 3`:                            `11: compare verdict with one of`,
		`verdict >= vendor`:                       `11: compare verdict with one of`,
		`state == "blokked"`:                      `9: "blokked" is not a state`,
		`state > "active"`:                        `6: texts cannot be ordered`,
		`host_role != "pc"`:                       `13: "pc" is not a host_role`,
		`vendor > "a"`:                            `7: texts cannot be ordered`,
		`any(destinations, .place.level >= "M4")`: `34: "M4" is not a level`,
		`any(map(destinations, .place.level), # >= "M2")`:              `39: texts cannot be ordered`,
		`under(vendr, "x.com")`:                                        `6: unknown name vendr`,
		`any(destinations, any(.names, under(.x, "x.com")))`:           `37: type string has no field x`,
		`lower(vendr) == "x"`:                                          `6: unknown name vendr`,
		`in_network(contacts, "10.0.0.0/8")`:                           `11: cannot use int`,
		`vendor + group == "x"`:                                        `7: + adds numbers, not texts`,
		`in_network(host.address, "10.0.0.0")`:                         `25: netip.ParsePrefix("10.0.0.0")`,
		`in_network(host.address, vendor)`:                             `25: netip.ParsePrefix`,
		`any(destinations, in_network(#, "10.0.0.0/8"))`:               `29: cannot use`,
		`any(destinations, in_city(#, "Moscow"))`:                      `29: city "Moscow" is neither`,
		`any(destinations, within(#, 95, 0, 10))`:                      `28: 95, 0 is not a point`,
		`any(destinations, within(#, 5, 0, 0))`:                        `28: the radius`,
		`any(destinations, within(#, 5, 0))`:                           `18: within takes 4 arguments`,
		`any(destinations, within(#, .port, 0, 1))`:                    `29: within takes numbers`,
		`any(names, under(#, "*.x.com"))`:                              `20: under takes a domain`,
		`vendor matches "("`:                                           `15: error parsing regexp`,
		`vendor matches group`:                                         `15: matches takes a regular expression in quotes`,
		`vendor matches "(a{1000}|b{1000}|c{1000})"`:                   `15: the regular expression is too large`,
		`vendor matches "((a{100}){100}){100}"`:                        `15: error parsing regexp`,
		`let x = 1; x == 1`:                                            `4: this is not part of the language`,
		`1..1000000 == []`:                                             `1: the operator .. is not part`,
		`destinations[0].port == 1`:                                    `12: lists have no indexes`,
		`host?.name == ""`:                                             `6: this is not part`,
		`len(names[1:2]) == 1`:                                         `9: this is not part`,
		`repeat("a", 1000000) == ""`:                                   `0: the function repeat is not part`,
		`reduce(names, #acc, "") == ""`:                                `0: the function reduce is not part`,
		`now() == now()`:                                               `0: the function now is not part`,
		`any(1..9, true)`:                                              `5: the operator ..`,
		`any(["a"], true)`:                                             `4: any is for the finding's lists`,
		`any(destinations, any(destinations, true))`:                   `22: the list destinations cannot be used inside`,
		`any(destinations, "x" in host.addresses)`:                     `30: the list addresses of the host`,
		`any(destinations, any(.names, any(.x, true)))`:                `30: predicates can be nested 2 deep at most`,
		`any(map(destinations, [#, #]), true)`:                         `23: a list in brackets can hold only texts and numbers`,
		`$env.vendor == "x"`:                                           `0: $env is not part`,
		`vendor.ToUpper() == "X"`:                                      `7: values have no functions`,
		`host.of == 1`:                                                 `5: type policy.host has no field of`,
		`any(destinations, .place.of == 1)`:                            `25: type policy.location has no field of`,
		`rank_of_verdict("x") == 1`:                                    `0: there is no function rank_of_verdict`,
		`print("x")`:                                                   `0: there is no function print`,
		`vendor == "avast" and`:                                        `unexpected token EOF`,
		`vendor = "avast"`:                                             `7: `,
		`{"a": 1} == {"a": 1}`:                                         `0: this is not part`,
		`vendor == nil`:                                                `10: this is not part`,
		`contacts ** 99 > 1`:                                           `9: the operator **`,
		strings.Repeat("(", 4000) + "true" + strings.Repeat(")", 4000): `an expression has at most 4096 bytes`,
		strings.Repeat("true and ", 400) + "true":                      `exceeds maximum allowed nodes`,
	} {
		_, err := compile(text)
		var m *mistake
		require.ErrorAs(t, err, &m, text)
		require.Contains(t, fmt.Sprintf("%d: %s", m.offset, m.text), want, text)
	}
}

// Hostile expressions at the bounds compile, or fail, soon; and what compiles runs soon on the largest finding.
func TestHostileExpressionsAreCheap(t *testing.T) {
	f := full()
	for range 512 {
		f.Destinations = append(f.Destinations, f.Destinations[0])
	}
	nested := strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000)
	walks := "any(destinations, all(.names, # matches \"(a?){30}a{30}$\" or true) and false)"
	for _, text := range []string{
		nested, strings.Repeat("not ", 490) + "true", strings.Repeat("!", 490) + "true",
		walks + strings.Repeat(" or "+walks, 24),
		"len(" + strings.Repeat("map(", 100) + "names" + strings.Repeat(", lower(#))", 100) + ") > 1",
	} {
		begin := time.Now()
		x, err := compile(text)
		require.NoError(t, err)
		_, _ = x.eval(&subject{Finding: f})
		require.Less(t, time.Since(begin), 20*time.Second, text[:20])
	}
}

func TestAnExpressionThatGrowsTooLargeFits(t *testing.T) {
	f := full()
	for range 5000 {
		f.Destinations = append(f.Destinations, f.Destinations[0])
	}
	text := "len(" + strings.Repeat("map(", 60) + "destinations" + strings.Repeat(", #)", 60) + ") < 0"
	p, err := Parse("p.yaml", []byte("rules:\n  - name: big\n    when: '"+text+"'\n"))
	require.NoError(t, err)
	is, why := p.Judge(f)
	require.True(t, is)
	require.Contains(t, why, "cannot be evaluated")
}

func TestPlacesOfMistakesInFiles(t *testing.T) {
	for text, want := range map[string]string{
		"rules:\n  - when: vendr == \"x\"\n":                                          "p.yaml:2:11: unknown name vendr",
		"rules:\n  - when: contacts > 1 and vendr == \"x\"\n":                         "p.yaml:2:28: unknown name vendr",
		"rules:\n  - when: 'contacts > 1 and vendr == \"x\"'\n":                       "p.yaml:2:29: unknown name vendr",
		"rules:\n  - when: \"product == \\\"x\\\" and vendr == \\\"x\\\"\"\n":         "p.yaml:2:33: unknown name vendr",
		"rules:\n  - when: |\n      contacts > 1\n      and vendr == \"x\"\n":         "p.yaml:4:11: unknown name vendr",
		"rules:\n  - when: >-\n      contacts > 1\n      and vendr == \"x\"\n":        "p.yaml:4:11: unknown name vendr",
		"rules:\n  - name: é\n    unless: product == \"é\" and vendr == \"x\"\n":      "p.yaml:3:32: unknown name vendr",
		"rules:\n  - name: a\n  - name: b\n    when: contacts > 1\n      and vendr\n": "p.yaml:5:11: unknown name vendr",
	} {
		_, err := Parse("p.yaml", []byte(text))
		require.ErrorContains(t, err, want, text)
	}
}
