package alert

import (
	"slices"
	"strings"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/internal/policy"
)

// placeKey is what makes a place another one: how sure it is, and which country.
type placeKey struct{ level, country string }

func keyOf(p *place.Location) placeKey { return placeKey{p.Level.String(), p.Country} }

// mostPlaces bounds what is remembered of a finding; what is beyond it is not told as new.
const mostPlaces = 64

func inMoscow(_ *classify.Finding, d *classify.Destination) bool {
	return d.Place.Level >= place.M2
}

// PlacesOf gives Options.Concern for a policy: a destination is in a place of concern where a rule that names places,
// countries, cities, circles, networks or ASNs names it, and the finding's vendor where it names vendors too. A rule that
// passes comes first where it stands first. Expressions and products are not asked.
func PlacesOf(p *policy.Policy) func(*classify.Finding, *classify.Destination) bool {
	rules := slices.DeleteFunc(slices.Clone(p.Rules), func(r policy.Rule) bool {
		return len(r.Places)+len(r.Countries)+len(r.Cities)+len(r.Circles)+len(r.Networks)+len(r.ASNs) == 0
	})
	return func(f *classify.Finding, d *classify.Destination) bool {
		for i := range rules {
			if r := &rules[i]; maker(r, f) && at(r, d) {
				return !r.Passes
			}
		}
		return false
	}
}

func maker(r *policy.Rule, f *classify.Finding) bool {
	v := f.Vendor
	return (len(r.Vendors) == 0 || slices.Contains(r.Vendors, v.Key)) &&
		(len(r.Groups) == 0 || slices.Contains(r.Groups, v.Group)) &&
		(len(r.VendorCountries) == 0 || fromOneOf(v.Country, r.VendorCountries))
}

func fromOneOf(homes string, countries []string) bool {
	for home := range strings.SplitSeq(homes, "/") {
		if slices.Contains(countries, home) {
			return true
		}
	}
	return false
}

func at(r *policy.Rule, d *classify.Destination) bool {
	if len(r.Places) > 0 && !slices.Contains(r.Places, d.Place.Level) ||
		len(r.Countries) > 0 && !slices.Contains(r.Countries, d.Place.Country) ||
		len(r.ASNs) > 0 && !slices.Contains(r.ASNs, d.ASN) {
		return false
	}
	return (len(r.Networks) == 0 || network(r, d)) && (len(r.Cities) == 0 || city(r, d)) && (len(r.Circles) == 0 || circle(r, d))
}

func network(r *policy.Rule, d *classify.Destination) bool {
	a := d.Address.Unmap()
	for _, n := range r.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

func city(r *policy.Rule, d *classify.Destination) bool {
	for _, c := range r.Cities {
		if d.Place.In(c) {
			return true
		}
	}
	return false
}

func circle(r *policy.Rule, d *classify.Destination) bool {
	for _, c := range r.Circles {
		if d.Place.Within(c.Lat, c.Lon, c.KM) {
			return true
		}
	}
	return false
}
