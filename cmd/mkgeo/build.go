package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/inserter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"
	"go4.org/netipx"
)

// databaseType marks the result as an extract: avbeacon reads a missing record as "not in Russia".
const databaseType = "avbeacon-Places"

// description is the attribution, carried inside the file.
const description = "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0, modified: extract of Russia and of security vendors' networks; " +
	"network numbers and owners by RouteViews (routeviews.org), DB-IP and NRO (nro.net), registration by NRO, CC BY 4.0, modified: extract"

// moscow is the GeoNames number of the city; its region's ISO 3166-2 code is RU-MOW.
const moscow = 524901

// isMoscow reports whether a city is Moscow or one of its districts, "Moscow (Arbat)". Only valid for Russia.
func isMoscow(city string) bool { return city == "Moscow" || strings.HasPrefix(city, "Moscow (") }

// builder fills the tree. Order matters: places first, then owners and registrations merge into them.
type builder struct {
	tree  *mmdbwriter.Tree
	nets  networks
	count counts
}

// counts is the numbers of records, for SOURCES.
type counts struct{ russian, moscow, vendor, owned, registered int }

func newBuilder(nets networks, date time.Time) (*builder, error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		BuildEpoch: date.Unix(), DatabaseType: databaseType, Languages: []string{"en"},
		Description: map[string]string{"en": description}, IPVersion: 6, RecordSize: 24, IncludeReservedNetworks: true,
	})
	return &builder{tree: tree, nets: nets}, err
}

// flatCity is a record of DB-IP's city databases.
type flatCity struct {
	Country string `maxminddb:"country_code"`
	City    string `maxminddb:"city"`
	State   string `maxminddb:"state1"`
}

// dateOf returns the build date of the oldest database: the result is no fresher than that.
func dateOf(files ...string) (time.Time, error) {
	var oldest time.Time
	for _, file := range files {
		err := read(file, func(r *maxminddb.Reader) error {
			if built := r.Metadata.BuildTime().UTC(); oldest.IsZero() || built.Before(oldest) {
				oldest = built
			}
			return nil
		})
		if err != nil {
			return oldest, err
		}
	}
	return oldest, nil
}

// read opens a database, calls use and closes it.
func read(file string, use func(*maxminddb.Reader) error) error {
	reader, err := maxminddb.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := errors.Join(use(reader), reader.Close()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// cities adds Russia and the vendors' networks from the city databases.
func (b *builder) cities(files ...string) error {
	for _, file := range files {
		if err := read(file, b.citiesOf); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) citiesOf(reader *maxminddb.Reader) error {
	for r := range reader.Networks() {
		var c flatCity
		if err := r.Decode(&c); err != nil {
			return err
		}
		parts := []netip.Prefix{r.Prefix()}
		if c.Country != "RU" {
			parts = b.nets.within(r.Prefix())
			b.count.vendor += len(parts)
		} else {
			b.count.russian++
			if isMoscow(c.City) {
				b.count.moscow++
			}
		}
		for _, p := range parts {
			if err := b.tree.Insert(netipx.PrefixIPNet(p), c.nested()); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
		}
	}
	return nil
}

// nested returns the record in the shape of MaxMind's City databases. Moscow gets its GeoNames number and loses its district.
func (c flatCity) nested() mmdbtype.Map {
	record := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(c.Country)}}
	city, state := mmdbtype.Map{}, mmdbtype.Map{}
	name := c.City
	if c.Country == "RU" && isMoscow(name) {
		name = "Moscow"
		city["geoname_id"] = mmdbtype.Uint32(moscow)
		state["iso_code"] = mmdbtype.String("MOW")
	}
	if name != "" {
		city["names"] = mmdbtype.Map{"en": mmdbtype.String(name)}
		record["city"] = city
	}
	if c.State != "" && c.Country == "RU" {
		state["names"] = mmdbtype.Map{"en": mmdbtype.String(c.State)}
		record["subdivisions"] = mmdbtype.Slice{state}
	}
	return record
}

// owners adds number, owner and kind to the described networks.
func (b *builder) owners() error {
	for _, n := range b.nets.ranges {
		add := mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(n.asn),
			"autonomous_system_organization": mmdbtype.String(n.owner),
			"network_kind":                   mmdbtype.String(n.kind),
		}
		err := b.tree.InsertRangeFunc(n.first.AsSlice(), n.last.AsSlice(), inserter.TopLevelMergeWith(add))
		if err != nil {
			return fmt.Errorf("AS%d %s-%s: %w", n.asn, n.first, n.last, err)
		}
		b.count.owned++
	}
	return nil
}

// registrations adds the country of registration to the vendors' networks: who holds the range, not where it is.
func (b *builder) registrations(files ...string) error {
	for _, file := range files {
		for row, err := range rows(file, 3) {
			if err != nil {
				return err
			}
			r, err := netipx.ParseIPRange(row[0] + "-" + row[1])
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			add := mmdbtype.Map{"registered_country": mmdbtype.Map{"iso_code": mmdbtype.String(strings.Clone(row[2]))}}
			for _, p := range r.Prefixes() {
				for _, part := range b.nets.within(p) {
					if err := b.tree.InsertFunc(netipx.PrefixIPNet(part), inserter.TopLevelMergeWith(add)); err != nil {
						return fmt.Errorf("%s: %w", part, err)
					}
					b.count.registered++
				}
			}
		}
	}
	return nil
}

// create writes a file through a buffer.
func create(file string, fill func(io.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(fill(w), w.Flush(), f.Close())
}

// writeSources names every input with its hash, so that the result can be made again and checked.
func writeSources(file, out string, in inputs, date time.Time, n counts) error {
	return create(file, func(w io.Writer) error {
		fmt.Fprintf(w, "Made by cmd/mkgeo. Date of the place data: %s.\n", date.Format(time.DateOnly))
		fmt.Fprintf(w, "Ranges: %d of Russia, %d of them Moscow; %d of vendors elsewhere; %d with owner; %d with registration.\n",
			n.russian, n.moscow, n.vendor, n.owned, n.registered)
		for _, name := range slices.Concat(in.city, in.asn, in.whois, []string{in.networks, out}) {
			sum, err := hashOf(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "sha256 %x  %s\n", sum, filepath.Base(name))
		}
		return nil
	})
}

func hashOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
