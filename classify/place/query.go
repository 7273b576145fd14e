package place

import (
	"strings"

	"avbeacon/feeds"
)

// City names a city for Location.In: by its GeoNames number, or by country and English name.
type City struct {
	ID      uint32 // geonames.org number, 0 if the city is given by name
	Country string // ISO 3166 alpha-2; valid iff ID is 0
	Name    string // valid iff ID is 0
}

// moscow reports whether the city is Moscow, by number or by name.
func (c City) moscow() bool {
	return c.ID == feeds.MoscowID || c.ID == 0 && c.Country == "RU" && strings.EqualFold(c.Name, "Moscow")
}

// In reports whether the location is in a city: a counted vote names it with a radius of at most 100 km, and no counted vote
// names another country. For Moscow the ladder decides: M3 or M2. A refuted location, or one of level X, is in no city.
func (l *Location) In(c City) bool {
	if c.moscow() {
		return l.Level >= M2
	}
	return l.undisputed(func(v *Vote) bool { return v.in(c) })
}

func (v *Vote) in(c City) bool {
	if v.City == "" || v.RadiusKM > trustedRadius {
		return false
	}
	if c.ID != 0 {
		return v.GeonameID == c.ID
	}
	name, _, _ := strings.Cut(v.City, " (") // some makers add the district
	return v.Country == c.Country && (strings.EqualFold(v.City, c.Name) || strings.EqualFold(name, c.Name))
}

// Within reports whether the location is at most km kilometres from a point in degrees. It needs a counted vote with a point,
// a city and a known radius of at most 100 km, and no counted vote for another country. A city, because the record of a whole
// country has a point too, and Russia's lies in central Moscow.
func (l *Location) Within(lat, lon, km float64) bool {
	return l.undisputed(func(v *Vote) bool {
		return v.HasPoint && v.City != "" && v.RadiusKM > 0 && v.RadiusKM <= trustedRadius && kmBetween(lat, lon, v.Lat, v.Lon) <= km
	})
}

// undisputed reports whether a counted vote matches, and no other counted vote names another country.
func (l *Location) undisputed(matches func(*Vote) bool) bool {
	if l.Level <= X || l.Refuted != nil {
		return false
	}
	country, counted := "", l.counted()
	for i := range counted {
		if v := &counted[i]; matches(v) {
			country = v.Country
			break
		}
	}
	if country == "" {
		return false
	}
	for i := range counted {
		v := &counted[i]
		if v.NotRussia && country == "RU" || v.Country != "" && v.Country != country {
			return false
		}
	}
	return true
}

// CoversMoscow reports whether a circle around a point in degrees covers the point in central Moscow that databases give to
// records of Russia as a whole.
func CoversMoscow(lat, lon, km float64) bool { return kmBetween(lat, lon, moscowLat, moscowLon) <= km }
