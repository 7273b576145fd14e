package place

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/feeds"
)

// said makes a place from opinions of makers A, B, ...
func said(opinions ...feeds.Opinion) *Location {
	for i := range opinions {
		opinions[i].Maker = string('A' + rune(i))
		opinions[i].Database, opinions[i].Date = opinions[i].Maker, "2026-11-01"
	}
	p := Grade(somewhere, opinions)
	return &p
}

func at(country, city string, id uint32, lat, lon float64, radius uint16) feeds.Opinion {
	return feeds.Opinion{Country: country, City: city, GeonameID: id, Lat: lat, Lon: lon, HasPoint: true, Radius: radius}
}

func TestPlaceIn(t *testing.T) {
	moscowCity, perm := City{ID: feeds.MoscowID}, City{Country: "RU", Name: "perm"}
	sure := at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 20)
	for name, c := range map[string]struct {
		place *Location
		city  City
		want  bool
	}{
		"Moscow by one":              {said(sure), moscowCity, true},
		"Moscow by name":             {said(sure), City{Country: "RU", Name: "moscow"}, true},
		"Moscow disputed":            {said(sure, at("CH", "", 0, 47, 8, 50)), moscowCity, false},
		"Moscow too unsure":          {said(at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 200)), moscowCity, false},
		"Moscow of another country":  {said(at("US", "Moscow", 5601538, 46.7, -117, 20)), City{Country: "RU", Name: "Moscow"}, false},
		"Russia as a whole":          {said(at("RU", "", 0, 55.7386, 37.6068, 1000)), moscowCity, false},
		"a city by name":             {said(at("RU", "Perm", 511196, 58, 56.3, 20)), perm, true},
		"a city by id":               {said(at("RU", "Perm", 511196, 58, 56.3, 20)), City{ID: 511196}, true},
		"with its district":          {said(at("RU", "Perm (Leninsky)", 0, 58, 56.3, 0)), perm, true},
		"of another country":         {said(at("US", "Perm", 1, 58, 56.3, 20)), perm, false},
		"another maker says no city": {said(at("RU", "Perm", 511196, 58, 56.3, 20), at("RU", "", 0, 55.7, 37.6, 1000)), perm, true},
		"another country too":        {said(at("RU", "Perm", 511196, 58, 56.3, 20), at("NL", "", 0, 52, 5, 100)), perm, false},
		"not Russia by an extract":   {said(at("RU", "Perm", 511196, 58, 56.3, 20), feeds.Opinion{NotCovered: true}), perm, false},
	} {
		require.Equal(t, c.want, c.place.In(c.city), name)
	}
}

func TestPlaceWithin(t *testing.T) {
	const lat, lon = 55.7558, 37.6173
	for name, c := range map[string]struct {
		place *Location
		want  bool
	}{
		"a city's record":            {said(at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 20)), true},
		"a suburb's":                 {said(at("RU", "Khimki", 550280, 55.9, 37.43, 10)), true},
		"Russia as a whole":          {said(at("RU", "", 0, 55.7386, 37.6068, 1000)), false},
		"no city, small radius":      {said(at("RU", "", 0, 55.7386, 37.6068, 50)), false},
		"a city too unsure":          {said(at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 200)), false},
		"of unknown radius":          {said(at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 0)), false},
		"far away":                   {said(at("RU", "Perm", 511196, 58, 56.3, 20)), false},
		"disputed":                   {said(at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 20), at("CH", "Zurich", 1, 47, 8, 50)), false},
		"anycast":                    {said(feeds.Opinion{Country: "RU", City: "Moscow", Lat: 55.75, Lon: 37.6, HasPoint: true, Radius: 20, Anycast: true}), false},
		"a city without a point":     {said(feeds.Opinion{Country: "RU", City: "Moscow", Radius: 20}), false},
		"nobody knows":               {said(), false},
		"the same, nobody was asked": {&Location{}, false},
	} {
		require.Equal(t, c.want, c.place.Within(lat, lon, 50), name)
	}
	refuted := said(at("RU", "Moscow", feeds.MoscowID, 55.75, 37.6, 20)).Refute(5*time.Millisecond, Point{50.11, 8.68})
	require.False(t, refuted.Within(lat, lon, 50))
	require.False(t, refuted.In(City{ID: feeds.MoscowID}))
	require.True(t, CoversMoscow(56, 38, 100))
	require.False(t, CoversMoscow(59.93, 30.33, 300))
}

func TestRoundTripsKeepTheShortest(t *testing.T) {
	r := RoundTrips{}
	a := netip.MustParseAddr("91.103.66.9")
	for _, rtt := range []time.Duration{time.Microsecond, 9 * time.Millisecond, 5 * time.Millisecond, 7 * time.Millisecond, 0} {
		r.Note(a, rtt)
	}
	require.Equal(t, RoundTrips{a: 5 * time.Millisecond}, r)
}
