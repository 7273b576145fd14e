package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/config"
	"avbeacon/internal/policy"
)

// Knowledge is what findings are judged by: catalogue, places and policy. It is replaced as a whole, never changed, so that any
// goroutine may read it. Whoever loads it closes it, after its last use.
type Knowledge struct {
	Catalog *feeds.Catalog
	Places  *feeds.Places
	Policy  *policy.Policy
}

// Load reads the files that a configuration names. After an error nothing is open.
func Load(k *config.Knowledge, policyName string) (*Knowledge, error) {
	catalog, err := LoadCatalog(k.Feeds)
	if err != nil {
		return nil, err
	}
	rules, err := policy.Load(policyName)
	if err != nil {
		return nil, err
	}
	places, err := feeds.OpenPlaces(k.Geo, !k.NoEmbeddedGeo)
	if err != nil {
		return nil, err
	}
	return &Knowledge{Catalog: catalog, Places: places, Policy: rules}, nil
}

// LoadCatalog reads a folder of catalogue files; "" means the embedded catalogue.
func LoadCatalog(folder string) (*feeds.Catalog, error) {
	if folder == "" {
		return feeds.Embedded()
	}
	c, err := feeds.LoadDir(folder)
	if err != nil {
		return nil, &CatalogError{folder, err}
	}
	return c, nil
}

// CatalogError says why a folder of catalogue files was rejected.
type CatalogError struct {
	Folder string
	Err    error
}

func (e *CatalogError) Error() string { return fmt.Sprintf("catalogue %s: %v", e.Folder, e.Err) }
func (e *CatalogError) Unwrap() error { return e.Err }

// Close closes the place databases.
func (k *Knowledge) Close() {
	if k != nil && k.Places != nil {
		k.Places.Close()
	}
}

// ReadKey reads the key for the hashes that replace personal identifiers; nil if file is "".
func ReadKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(key) < 16 {
		return nil, fmt.Errorf("%s: a key needs at least 16 bytes, this one has %d", file, len(key))
	}
	return key, nil
}

// NewKey makes a random key, for a run whose hashes need not match those of another run.
func NewKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}

// Site says where the tap is, and which addresses are the site's own.
type Site struct {
	Home     []netip.Prefix // nil: the private ranges
	SensorAt *place.Point   // nil: unknown, and no round trip refutes a place
}

// Contains reports whether an address is the site's own.
func (s Site) Contains(a netip.Addr) bool {
	home := s.Home
	if home == nil {
		home = classify.DefaultHome()
	}
	return slices.ContainsFunc(home, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ParseSite parses --home and --sensor-location, or the configuration's section site.
func ParseSite(home []string, location string) (s Site, err error) {
	for _, word := range home {
		list, err := homePrefix(word)
		if err != nil {
			return s, err
		}
		s.Home = append(s.Home, list...)
	}
	if location != "" {
		s.SensorAt, err = parsePoint(location)
	}
	return s, err
}

// homePrefix parses one value. All addresses cannot be inside, because then nothing would be outbound, and only outbound traffic is
// judged.
func homePrefix(word string) ([]netip.Prefix, error) {
	if word == "default" {
		return classify.DefaultHome(), nil
	}
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		return []netip.Prefix{netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())}, nil
	}
	p, err := netip.ParsePrefix(word)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--home %q: not a network (10.1.0.0/16), an address, or 'default' for the private ranges", word)
	case p.Bits() == 0:
		return nil, fmt.Errorf("--home %q: all addresses cannot be the site's own", word)
	case p.Addr().Is4In6():
		return nil, fmt.Errorf("--home %q: write IPv4 networks as IPv4", word)
	}
	return []netip.Prefix{p.Masked()}, nil
}

// parsePoint reads LAT,LON in decimal degrees.
func parsePoint(text string) (*place.Point, error) {
	lat, lon, ok := strings.Cut(text, ",")
	var p place.Point
	var errs [2]error
	p.Lat, errs[0] = strconv.ParseFloat(strings.TrimSpace(lat), 64)
	p.Lon, errs[1] = strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if !ok || errors.Join(errs[:]...) != nil {
		return nil, fmt.Errorf("--sensor-location %q: not LAT,LON in decimal degrees, as in 50.11,8.68 for Frankfurt", text)
	}
	if !p.Valid() {
		return nil, fmt.Errorf("--sensor-location %q: latitude is -90 to 90, longitude -180 to 180; south and west are negative", text)
	}
	return &p, nil
}
