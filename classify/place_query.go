package classify

import (
	"strings"

	"avbeacon/feeds"
)

// City names a city for Place.In: by its GeoNames number, or by country and English name.
type City struct {
	ID      uint32 // geonames.org number, 0 where the city is named
	Country string // ISO 3166 alpha-2; valid iff ID is 0
	Name    string // valid iff ID is 0
}

// moscow reports whether the city is Moscow, however it is named.
func (c City) moscow() bool {
	return c.ID == feeds.MoscowID || c.ID == 0 && c.Country == "RU" && strings.EqualFold(c.Name, "Moscow")
}

// In reports whether the place is in a city: a counted vote names it with a radius of at most 100 km, and none names
// another country. Moscow is the ladder's business: M3 or M2. A refuted place, or one without meaning, is in no city.
func (p *Place) In(c City) bool {
	if c.moscow() {
		return p.Level >= PlaceM2
	}
	return p.undisputed(func(v *PlaceVote) bool { return v.in(c) })
}

func (v *PlaceVote) in(c City) bool {
	if v.City == "" || v.RadiusKM > trustedRadius {
		return false
	}
	if c.ID != 0 {
		return v.GeonameID == c.ID
	}
	name, _, _ := strings.Cut(v.City, " (") // some makers add the district
	return v.Country == c.Country && (strings.EqualFold(v.City, c.Name) || strings.EqualFold(name, c.Name))
}

// Within reports whether the place is at most km kilometres from a point in degrees. It asks for a counted vote with a point,
// a city and a known radius of at most 100 km, and that none names another country: a record of a whole country bears a
// point too, and Russia's lies in central Moscow.
func (p *Place) Within(lat, lon, km float64) bool {
	return p.undisputed(func(v *PlaceVote) bool {
		return v.HasPoint && v.City != "" && v.RadiusKM > 0 && v.RadiusKM <= trustedRadius && kmBetween(lat, lon, v.Lat, v.Lon) <= km
	})
}

// undisputed reports whether a counted vote is as asked, and no other counted vote speaks for another country.
func (p *Place) undisputed(asked func(*PlaceVote) bool) bool {
	if p.Level <= PlaceX || p.Refuted != nil {
		return false
	}
	country, counted := "", p.counted()
	for i := range counted {
		if v := &counted[i]; asked(v) {
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

// CircleHoldsMoscow reports whether a circle around a point in degrees holds the point in central Moscow that records of
// Russia as a whole bear.
func CircleHoldsMoscow(lat, lon, km float64) bool {
	return kmBetween(lat, lon, moscowLat, moscowLon) <= km
}
