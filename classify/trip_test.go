package classify

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// handshake is a handshake of a host with a vendor's server that took rtt, and how it ended.
func handshake(c *Classifier, host netip.Addr, server string, n int, rtt time.Duration, outcome capture.Outcome) {
	at := day.Add(time.Duration(n) * 5 * time.Minute)
	h := helloFrom(host, "ds.kaspersky.com", at)
	h.Src = netip.AddrPortFrom(host, uint16(2000+n))
	h.Dst = netip.MustParseAddrPort(server)
	c.Observe(h)
	r := *h
	r.Kind, r.Hello = capture.Contact, nil
	r.Flow = &capture.FlowRecord{First: at, Last: at, Outcome: outcome, Final: true, Proto: capture.TLS, RTT: rtt}
	c.Observe(&r)
}

// inMoscow says Moscow of any address, by two makers.
func inMoscow(a netip.Addr) place.Location {
	return place.Grade(a, []feeds.Opinion{
		{Database: "A", Maker: "A", Date: "2026-11-01", Country: "RU", City: "Moscow", GeonameID: feeds.MoscowID},
		{Database: "B", Maker: "B", Date: "2026-11-01", Country: "RU", City: "Moscow"},
	})
}

func TestSensorLocation(t *testing.T) {
	const server = "91.103.66.9:443"
	ms := time.Millisecond
	for name, c := range map[string]struct {
		at      *place.Point
		rtts    []time.Duration
		outcome capture.Outcome
		level   place.Level
	}{
		"Frankfurt, 5 ms":                  {&place.Point{Lat: 50.11, Lon: 8.68}, []time.Duration{60 * ms, 5 * ms, 48 * ms}, capture.Established, place.N},
		"Frankfurt, 48 ms":                 {&place.Point{Lat: 50.11, Lon: 8.68}, []time.Duration{60 * ms, 48 * ms}, capture.Established, place.M3},
		"Frankfurt, just enough for 1,921": {&place.Point{Lat: 50.11, Lon: 8.68}, []time.Duration{19220 * time.Microsecond}, capture.Established, place.M3},
		"Helsinki, 5 ms":                   {&place.Point{Lat: 60.17, Lon: 24.94}, []time.Duration{5 * ms}, capture.Established, place.N},
		"Moscow, 5 ms":                     {&place.Point{Lat: 55.75, Lon: 37.62}, []time.Duration{5 * ms}, capture.Established, place.M3},
		"Tver, 1 ms":                       {&place.Point{Lat: 56.86, Lon: 35.9}, []time.Duration{1 * ms}, capture.Established, place.M3},
		"New York, 30 ms":                  {&place.Point{Lat: 40.7, Lon: -74}, []time.Duration{30 * ms}, capture.Established, place.N},
		"Sydney, 100 ms":                   {&place.Point{Lat: -33.9, Lon: 151.2}, []time.Duration{100 * ms}, capture.Established, place.N},
		"sensor unknown":                   {nil, []time.Duration{5 * ms}, capture.Established, place.M3},
		"no handshake seen":                {&place.Point{Lat: 50.11, Lon: 8.68}, []time.Duration{0}, capture.Midstream, place.M3},
		"a firewall refused":               {&place.Point{Lat: 50.11, Lon: 8.68}, []time.Duration{5 * ms}, capture.Refused, place.M3},
		"a clock too coarse":               {&place.Point{Lat: 50.11, Lon: 8.68}, []time.Duration{time.Microsecond}, capture.Established, place.M3},
	} {
		k := New(Options{Catalog: embedded(t), Locate: inMoscow, SensorAt: c.at})
		for i, rtt := range c.rtts {
			handshake(k, addrOf(1), server, i, rtt, c.outcome)
		}
		f := k.Findings()[0]
		got := f.Destinations[0].Place
		require.Equal(t, c.level.String(), got.Level.String(), "%s: %s", name, got.Words)
		if c.level == place.M3 {
			require.Nil(t, got.Refuted, name)
			continue
		}
		require.Equal(t, place.M3, got.Claimed, name)
		require.InDelta(t, float64(got.Refuted.RTT)/float64(ms)*100, got.Refuted.MaxKM, 1e-6, name)
		require.Contains(t, got.Words, "refuted", name)
		require.Contains(t, f.Reasons[len(f.Reasons)-1], "cannot be where the databases place them", name)
	}
}

// The shortest time bounds the server's distance, whichever host it was seen with, and a proxy's bounds nothing.
func TestSensorLocationOverHosts(t *testing.T) {
	k := New(Options{Catalog: embedded(t), Locate: inMoscow, SensorAt: &place.Point{Lat: 50.11, Lon: 8.68}})
	handshake(k, addrOf(1), "91.103.66.9:443", 0, 5*time.Millisecond, capture.Established)
	handshake(k, addrOf(2), "91.103.66.9:443", 1, 90*time.Millisecond, capture.Established)
	for _, f := range k.Findings() {
		require.Equal(t, place.N, f.Destinations[0].Place.Level)
		require.Equal(t, 5*time.Millisecond, f.Destinations[0].Place.Refuted.RTT)
	}
	k.noteTrip(netip.MustParseAddr("91.103.66.10"), time.Millisecond, &flow{proxy: true}, true)
	require.NotContains(t, k.trips, netip.MustParseAddr("91.103.66.10"))
}

func TestDefaultHomeIsWhatHomeSays(t *testing.T) {
	c, named := New(Options{Catalog: embedded(t)}), New(Options{Catalog: embedded(t), Home: DefaultHome()})
	for _, a := range []string{"10.0.0.0", "172.16.0.1", "172.32.0.1", "192.168.255.255", "100.64.0.1", "100.128.0.1", "169.254.9.9", "127.0.0.1", "8.8.8.8",
		"fd00::1", "fe80::1", "::1", "2001:db8::1", "::ffff:10.0.0.1"} {
		x := netip.MustParseAddr(a).Unmap()
		require.Equal(t, c.home(x), named.home(x), a)
	}
}
