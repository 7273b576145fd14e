package feeds

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"
)

// base is one open database.
type base struct {
	reader *maxminddb.Reader
	about  Database
	means  meaning
	owner  bool     // its `name` is the owner of the network
	absent *Opinion // what the lack of a record means, nil: nothing
	cache  *slots
	broken atomic.Uint64
}

// meaning is what the country of a database's records is the country of.
type meaning uint8

const (
	hostCountry       meaning = iota // where the address is
	registeredCountry                // where it is registered: never votes
	noCountry                        // of the network's owner, a carrier, ...: says nothing
)

// openFile opens one database that the user gave.
func openFile(file string) (b *base, err error) {
	defer survive(debug.SetPanicOnFault(true), func() { b, err = nil, errors.New("it was cut short while it was read") })
	info, err := os.Stat(file)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	reader, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("not a usable MaxMind DB (.mmdb) file: %w", reason(err))
	}
	return newBase(reader, file)
}

// reason drops the path that the os package repeats.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// newBase finds out what the database holds. It owns the reader, and closes it on failure.
func newBase(reader *maxminddb.Reader, file string) (*base, error) {
	b := &base{reader: reader, cache: new(slots)}
	b.about = describe(reader.Metadata, file)
	b.means = countryMeans(b.about)
	b.owner = strings.Contains(b.about.Type, "_asn_")
	if err := b.probe(); err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	if b.about.Extract {
		b.absent = b.blank()
		b.absent.NotCovered = true
	}
	return b, nil
}

// describe reads the metadata and the file's name.
func describe(m maxminddb.Metadata, file string) Database {
	d := Database{Name: m.DatabaseType, Type: m.DatabaseType, File: file, IPv4: true, IPv6: m.IPVersion == 6}
	if m.BuildEpoch > 0 && m.BuildEpoch < 1<<33 {
		d.Date = m.BuildTime().UTC().Format("2006-01-02")
	}
	stem := strings.TrimSuffix(filepath.Base(file), ".mmdb")
	d.Maker, d.Attribution = makerOf(m.DatabaseType, stem)
	switch {
	case m.DatabaseType == placesType:
		d.Extract, d.Name, d.Attribution = true, placesName, m.Description["en"]
	case flat(m.DatabaseType) || d.Name == "":
		d.Name = stem // the type is only `city ipv4`
	}
	return d
}

// flat reports whether the type is one of the project ip-location-db, which repacks many makers' data in one schema.
func flat(databaseType string) bool { return flatType.MatchString(databaseType) }

var flatType = regexp.MustCompile(`^(city|country|asn) ipv`)

// makers are the beginnings of database types and, for repacked data, parts of file names that identify the maker; and the sentence
// that the maker asks for where its data is shown.
var makers = []struct{ begins, contains, maker, attribution string }{
	{"GeoLite2", "geolite2", "MaxMind", maxMind},
	{"GeoIP", "geoip2", "MaxMind", maxMind},
	{"DBIP", "dbip", "DB-IP", "IP Geolocation by DB-IP (https://db-ip.com)"},
	{"ipinfo", "ipinfo", "IPinfo", "IP address data powered by IPinfo (https://ipinfo.io)"},
	{"IP2L", "ip2location", "IP2Location", "This product uses IP2Location LITE data available from https://lite.ip2location.com"},
	{placesType, "avbeacon-places", "DB-IP", ""}, // the file has its own
}

const maxMind = "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com"

// makerOf returns who made the data, or "". The file's name counts only if the type names no maker.
func makerOf(databaseType, stem string) (maker, attribution string) {
	for _, m := range makers {
		if strings.HasPrefix(databaseType, m.begins) {
			return m.maker, m.attribution
		}
	}
	stem = strings.ToLower(stem)
	for _, m := range makers {
		if strings.Contains(stem, m.contains) {
			return m.maker, m.attribution
		}
	}
	return "", ""
}

// countryMeans returns the meaning of a database's countries. Makers sell files of owners, carriers and registrations too,
// and repacked registration data looks exactly like place data: the type or the file's name must distinguish them.
func countryMeans(d Database) meaning {
	kind := strings.ToLower(d.Type)
	if flat(d.Type) {
		kind = strings.ToLower(d.Name)
	}
	switch {
	case has(kind, "iptoasn", "carrier", "poi_"):
		return noCountry
	case has(kind, "whois", "abuse", "company", "asn-country"):
		return registeredCountry
	case d.Maker == "IPinfo" && !has(kind, "location", "country"):
		return noCountry
	}
	return hostCountry
}

func has(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}

// probeRecords is how many records are read to find out what a database holds, and probeSteps how many networks, empty
// ones too, are walked for them: a tree that leads back into itself has more than can ever be walked.
const probeRecords, probeSteps = 256, 1 << 16

// probe reads the first records and rejects a database without usable ones.
func (b *base) probe() error {
	records, steps, broken := 0, 0, error(nil)
	for r := range b.reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		var o Opinion
		if err := b.decode(r, &o); err != nil {
			broken = err
		}
		b.about.Country = b.about.Country || o.Country != "" || o.Registered != ""
		b.about.City = b.about.City || o.City != ""
		b.about.ASN = b.about.ASN || o.ASN != 0
		if r.Found() {
			records++
		}
		if steps++; records >= probeRecords || steps >= probeSteps || r.Err() != nil {
			break
		}
	}
	if b.about.Country || b.about.City || b.about.ASN {
		return nil
	}
	if broken != nil {
		return fmt.Errorf("no record can be read: %w", broken)
	}
	return fmt.Errorf("type %q holds neither places nor networks", b.about.Type)
}

// blank is an opinion that says only whose it is.
func (b *base) blank() *Opinion {
	return &Opinion{Database: b.about.Name, Maker: b.about.Maker, Date: b.about.Date, Extract: b.about.Extract}
}

// decode reads the record of r into o.
func (b *base) decode(r maxminddb.Result, o *Opinion) error {
	var f fields
	if err := r.Decode(&f); err != nil {
		return err
	}
	*o = *b.blank()
	b.place(&f, o)
	o.ASN, o.Owner = f.asn, cmp.Or(f.owner, f.isp)
	if b.owner && o.Owner == "" {
		o.Owner = f.name
	}
	o.Network = networkOf(f.network)
	return nil
}

// networkOf reads the words that cmd/mkgeo writes.
func networkOf(word string) Network {
	return Network(max(0, slices.Index([]string{"", "vendor", "cdn", "resolver", "proxy"}, word)))
}

// place takes over what the record says of the place, by what the database's countries mean.
func (b *base) place(f *fields, o *Opinion) {
	country := cmp.Or(isoCode(f.countryCode), isoCode(f.country))
	o.Registered = isoCode(f.registered)
	switch b.means {
	case noCountry:
		return
	case registeredCountry:
		o.Registered = country
		return
	}
	o.Country, o.City, o.Anycast = country, f.city, f.anycast
	o.GeonameID = cmp.Or(f.cityID, f.cityFlatID)
	if f.radius >= 1 && f.radius <= maxRadius {
		o.Radius = uint16(f.radius)
	}
	if f.hasLat && f.hasLon && math.Abs(f.lat) <= 90 && math.Abs(f.lon) <= 180 {
		o.Lat, o.Lon, o.HasPoint = f.lat, f.lon, true
	}
}

// isoCode returns the two capital letters of a country, "" for anything else: names, ZZ and T1 (Tor) are no countries.
func isoCode(s string) string {
	if len(s) != 2 || s == "ZZ" || s == "XX" {
		return ""
	}
	s = strings.ToUpper(s)
	if s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		return ""
	}
	return s
}

var moscowName = regexp.MustCompile(`^Moscow( \(|$)`)

// IsMoscow reports whether the database names the city of Moscow in Russia: by GeoNames number, or by the makers' own
// spellings ("Moscow", "Moscow (Tsentralnyy administrativnyy okrug)"). Coordinates never decide: the point of a record
// that knows only 'Russia' lies in central Moscow.
func (o *Opinion) IsMoscow() bool {
	if o.Country != "RU" {
		return false
	}
	return o.GeonameID == MoscowID || moscowName.MatchString(o.City)
}
