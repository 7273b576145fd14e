package alert

import (
	"net/netip"
	"slices"
	"strings"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/internal/policy"
)

// placeKey identifies a place for place alerts: level and country.
type placeKey struct{ level, country string }

func keyOf(p *place.Location) placeKey { return placeKey{p.Level.String(), p.Country} }

// mostPlaces bounds the places remembered for a finding; further ones cause no alert.
const mostPlaces = 64

func inMoscow(_ *classify.Finding, d *classify.Destination) bool {
	return d.Place.Level >= place.M2
}

// PlacesOf returns Options.Concern for a policy. The first rule decides that has a condition on places, countries, cities,
// circles, networks or ASNs and whose place and vendor conditions match: the place is of concern unless the rule passes.
// Expressions and product conditions are ignored.
func PlacesOf(p *policy.Policy) func(*classify.Finding, *classify.Destination) bool {
	rules := slices.DeleteFunc(slices.Clone(p.Rules), func(r policy.Rule) bool {
		return len(r.Places)+len(r.Countries)+len(r.Cities)+len(r.Circles)+len(r.Networks)+len(r.ASNs) == 0
	})
	return func(f *classify.Finding, d *classify.Destination) bool {
		for i := range rules {
			if r := &rules[i]; vendorMatches(r, f) && placeMatches(r, d) {
				return !r.Passes
			}
		}
		return false
	}
}

func vendorMatches(r *policy.Rule, f *classify.Finding) bool {
	v := f.Vendor
	return (len(r.Vendors) == 0 || slices.Contains(r.Vendors, v.Key)) &&
		(len(r.Groups) == 0 || slices.Contains(r.Groups, v.Group)) &&
		(len(r.VendorCountries) == 0 || fromOneOf(v.Country, r.VendorCountries))
}

func fromOneOf(homes string, countries []string) bool {
	return slices.ContainsFunc(strings.Split(homes, "/"), func(home string) bool { return slices.Contains(countries, home) })
}

func placeMatches(r *policy.Rule, d *classify.Destination) bool {
	if len(r.Places) > 0 && !slices.Contains(r.Places, d.Place.Level) ||
		len(r.Countries) > 0 && !slices.Contains(r.Countries, d.Place.Country) ||
		len(r.ASNs) > 0 && !slices.Contains(r.ASNs, d.ASN) {
		return false
	}
	a := d.Address.Unmap()
	return (len(r.Networks) == 0 || slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(a) })) &&
		(len(r.Cities) == 0 || slices.ContainsFunc(r.Cities, d.Place.In)) &&
		(len(r.Circles) == 0 || slices.ContainsFunc(r.Circles, func(c policy.Circle) bool { return d.Place.Within(c.Lat, c.Lon, c.KM) }))
}
