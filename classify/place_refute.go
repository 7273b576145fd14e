package classify

import (
	"fmt"
	"math"
	"time"
)

// Refutation says why a place cannot be true.
type Refutation struct {
	RTT   time.Duration // least round-trip time seen
	MaxKM float64       // how far away the answering machine can be at most
}

// kmPerMS is how far a machine can be for each millisecond of round trip: light in fibre makes about 200 km in a
// millisecond, and the way is gone twice. Delays on the way only add to the time, so the bound holds.
const kmPerMS = 100

// The centre of Moscow, degrees.
const moscowLat, moscowLon = 55.7558, 37.6173

// Refute tests a claim of Moscow or Russia against the least round-trip time from a sensor whose place is known in
// degrees. A machine that answers too soon cannot be there: the place becomes N, Claimed keeps what the databases said.
// It can only refute, never confirm; without a round-trip time, or with an impossible sensor place, p comes back as it is.
func (p Place) Refute(rtt time.Duration, sensorLat, sensorLon float64) Place {
	sensor := Point{sensorLat, sensorLon}
	if rtt <= 0 || !sensor.Valid() || p.Level < PlaceR1 {
		return p
	}
	reach := float64(rtt) / float64(time.Millisecond) * kmPerMS
	claimed, away, rest := "Russia", toRussia(sensorLat, sensorLon), ""
	if p.Level >= PlaceM1 {
		if reach >= away {
			rest = " (other parts of Russia are not ruled out)"
		}
		claimed, away = "Moscow", kmBetween(sensorLat, sensorLon, moscowLat, moscowLon)-trustedRadius
	}
	if reach >= away {
		return p
	}
	p.Claimed, p.Level = p.Level, PlaceN
	p.Refuted = &Refutation{RTT: rtt, MaxKM: reach}
	p.Country, p.City = "", ""
	p.Words = fmt.Sprintf("%s refuted by a round trip of %.1f ms: what answered is within %.0f km of the sensor, and %s is at least %.0f km away%s; the databases said: %s",
		claimed, float64(rtt)/float64(time.Millisecond), reach, claimed, away, rest, p.Words)
	return p
}

// earthRadius is the mean radius in km (IUGG).
const earthRadius = 6371

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }

// kmBetween is the great-circle distance in km between two points given in degrees.
func kmBetween(lat1, lon1, lat2, lon2 float64) float64 {
	sinLat := math.Sin(radians(lat2-lat1) / 2)
	sinLon := math.Sin(radians(lon2-lon1) / 2)
	h := sinLat*sinLat + math.Cos(radians(lat1))*math.Cos(radians(lat2))*sinLon*sinLon
	return 2 * earthRadius * math.Asin(math.Min(1, math.Sqrt(h)))
}

// box is a part of the globe between two parallels and two meridians, degrees.
type box struct{ south, north, west, east float64 }

// russiaBoxes cover Russia wholly, and some of its neighbours too, so that the distance to them is never more than the
// distance to Russia. Crimea is among them because some databases call it Russia.
var russiaBoxes = []box{
	{54.2, 55.4, 19.5, 23},   // Kaliningrad
	{55.5, 70.5, 27, 60},     // the north-west and the middle
	{51.5, 55.5, 30.5, 60},   // Smolensk, Bryansk, the Volga
	{49, 51.5, 34, 60},       // Belgorod, Saratov
	{43, 49, 36.5, 49.5},     // Rostov, the Kuban, Astrakhan
	{41, 43, 39.5, 48.8},     // the Caucasus
	{44.2, 46.5, 32.3, 36.7}, // Crimea
	{49, 78, 60, 180},        // Siberia
	{42, 49, 126, 157},       // the far east, Sakhalin, the Kurils
	{61, 72, -180, -168.5},   // Chukotka
	{69, 82, 30, 180},        // the islands of the Arctic
}

// toRussia is a lower bound of the distance in km from a point to Russia.
func toRussia(lat, lon float64) float64 {
	least := math.Inf(1)
	for _, b := range russiaBoxes {
		least = math.Min(least, b.distance(lat, lon))
	}
	return least
}

// distance is the distance in km from a point to the box: straight along the meridian where the point lies between the
// box's own, and to the nearest point of either side meridian.
func (b box) distance(lat, lon float64) float64 {
	near := math.Inf(1)
	if lon >= b.west && lon <= b.east {
		near = kmBetween(lat, lon, math.Min(math.Max(lat, b.south), b.north), lon)
	}
	for _, side := range []float64{b.west, b.east} {
		turn := radians(lon - side)
		foot := math.Atan2(math.Sin(radians(lat)), math.Cos(radians(lat))*math.Cos(turn)) * 180 / math.Pi
		foot = math.Min(math.Max(foot, b.south), b.north)
		for _, at := range []float64{foot, b.south, b.north} { // the corners: foot may lie beyond a pole
			near = math.Min(near, kmBetween(lat, lon, at, side))
		}
	}
	return near
}
