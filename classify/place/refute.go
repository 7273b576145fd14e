package place

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Point is a point on the globe, in degrees: north and east are positive.
type Point struct{ Lat, Lon float64 }

// Valid reports whether there is such a point.
func (p Point) Valid() bool {
	return math.Abs(p.Lat) <= 90 && math.Abs(p.Lon) <= 180 // false for NaN
}

// Refutation returns why a location cannot be true.
type Refutation struct {
	RTT   time.Duration // least round-trip time seen
	MaxKM float64       // how far away the machine that answered can be at most
}

// leastRTT is the shortest round trip that is believed. No network path is shorter: less is a clock that ticks in coarser
// steps, or an answer made at the tap.
const leastRTT = 50 * time.Microsecond

// maxTrips bounds the addresses in RoundTrips; further ones are not kept.
const maxTrips = 1 << 16

// RoundTrips holds the shortest SYN to SYN-ACK time of each destination, whichever host called it. The time bounds the
// distance from the tap to the machine that answered, wherever between client and server the tap is.
type RoundTrips map[netip.Addr]time.Duration

// Note records one completed handshake.
func (r RoundTrips) Note(a netip.Addr, rtt time.Duration) {
	least, known := r[a]
	if rtt < leastRTT || known && least <= rtt || !known && len(r) >= maxTrips {
		return
	}
	r[a] = rtt
}

// kmPerMS is how far away a machine can be for each millisecond of round trip: light in fibre travels about 200 km in a
// millisecond, and it goes there and back. Delays only add to the time, so the bound holds.
const kmPerMS = 100

// The centre of Moscow, degrees.
const moscowLat, moscowLon = 55.7558, 37.6173

// Refute tests a claim of Moscow or Russia against the least round-trip time from a sensor at a known point. A machine that
// answers too soon cannot be there: the level becomes N, and Claimed keeps what the databases said. Refute never confirms;
// without a round-trip time or with an invalid sensor point it returns l unchanged.
func (l Location) Refute(rtt time.Duration, sensor Point) Location {
	if rtt <= 0 || !sensor.Valid() || l.Level < R1 {
		return l
	}
	reach := float64(rtt) / float64(time.Millisecond) * kmPerMS
	claimed, away, rest := "Russia", toRussia(sensor.Lat, sensor.Lon), ""
	if l.Level >= M1 {
		if reach >= away {
			rest = " (other parts of Russia are not ruled out)"
		}
		claimed, away = "Moscow", kmBetween(sensor.Lat, sensor.Lon, moscowLat, moscowLon)-trustedRadius
	}
	if reach >= away {
		return l
	}
	l.Claimed, l.Level = l.Level, N
	l.Refuted = &Refutation{RTT: rtt, MaxKM: reach}
	l.Country, l.City = "", ""
	l.Words = fmt.Sprintf("%s refuted by a round trip of %.1f ms: the machine that answered is within %.0f km of the sensor, and %s is at least %.0f km away%s; the databases say: %s",
		claimed, float64(rtt)/float64(time.Millisecond), reach, claimed, away, rest, l.Words)
	return l
}

// earthRadius is the mean radius in km (IUGG).
const earthRadius = 6371

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }

// kmBetween is the great-circle distance in km between two points in degrees.
func kmBetween(lat1, lon1, lat2, lon2 float64) float64 {
	sinLat := math.Sin(radians(lat2-lat1) / 2)
	sinLon := math.Sin(radians(lon2-lon1) / 2)
	h := sinLat*sinLat + math.Cos(radians(lat1))*math.Cos(radians(lat2))*sinLon*sinLon
	return 2 * earthRadius * math.Asin(math.Min(1, math.Sqrt(h)))
}

// box is a part of the globe between two parallels and two meridians, degrees.
type box struct{ south, north, west, east float64 }

// russiaBoxes cover all of Russia and parts of its neighbours, so that the distance to a box is never more than the distance
// to Russia. Crimea is included because some databases place it in Russia.
var russiaBoxes = []box{
	{54.2, 55.4, 19.5, 23},   // Kaliningrad
	{55.5, 70.5, 27, 60},     // the north-west and the centre
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

// distance is the distance in km from a point to the box: along the meridian if the point lies between the box's own, else to
// the nearest point of either side.
func (b box) distance(lat, lon float64) float64 {
	near := math.Inf(1)
	if lon >= b.west && lon <= b.east {
		near = kmBetween(lat, lon, math.Min(math.Max(lat, b.south), b.north), lon)
	}
	for _, side := range []float64{b.west, b.east} {
		// The foot of the perpendicular from the point to the side's great circle.
		turn := radians(lon - side)
		foot := math.Atan2(math.Sin(radians(lat)), math.Cos(radians(lat))*math.Cos(turn)) * 180 / math.Pi
		foot = math.Min(math.Max(foot, b.south), b.north)
		for _, at := range []float64{foot, b.south, b.north} { // the corners too: foot may lie beyond a pole
			near = math.Min(near, kmBetween(lat, lon, at, side))
		}
	}
	return near
}
