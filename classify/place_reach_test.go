package classify

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
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
func inMoscow(a netip.Addr) Place {
	return Ladder(a, []feeds.Opinion{
		{Database: "A", Maker: "A", Date: "2026-11-01", Country: "RU", City: "Moscow", GeonameID: feeds.MoscowID},
		{Database: "B", Maker: "B", Date: "2026-11-01", Country: "RU", City: "Moscow"},
	})
}

func TestSensorLocation(t *testing.T) {
	const server = "91.103.66.9:443"
	ms := time.Millisecond
	for name, c := range map[string]struct {
		at      *Point
		rtts    []time.Duration
		outcome capture.Outcome
		level   PlaceLevel
	}{
		"Frankfurt, 5 ms":                  {&Point{50.11, 8.68}, []time.Duration{60 * ms, 5 * ms, 48 * ms}, capture.Established, PlaceN},
		"Frankfurt, 48 ms":                 {&Point{50.11, 8.68}, []time.Duration{60 * ms, 48 * ms}, capture.Established, PlaceM3},
		"Frankfurt, just enough for 1,921": {&Point{50.11, 8.68}, []time.Duration{19220 * time.Microsecond}, capture.Established, PlaceM3},
		"Helsinki, 5 ms":                   {&Point{60.17, 24.94}, []time.Duration{5 * ms}, capture.Established, PlaceN},
		"Moscow, 5 ms":                     {&Point{55.75, 37.62}, []time.Duration{5 * ms}, capture.Established, PlaceM3},
		"Tver, 1 ms":                       {&Point{56.86, 35.9}, []time.Duration{1 * ms}, capture.Established, PlaceM3},
		"New York, 30 ms":                  {&Point{40.7, -74}, []time.Duration{30 * ms}, capture.Established, PlaceN},
		"Sydney, 100 ms":                   {&Point{-33.9, 151.2}, []time.Duration{100 * ms}, capture.Established, PlaceN},
		"sensor unknown":                   {nil, []time.Duration{5 * ms}, capture.Established, PlaceM3},
		"no handshake seen":                {&Point{50.11, 8.68}, []time.Duration{0}, capture.Midstream, PlaceM3},
		"a firewall refused":               {&Point{50.11, 8.68}, []time.Duration{5 * ms}, capture.Refused, PlaceM3},
		"a clock too coarse":               {&Point{50.11, 8.68}, []time.Duration{time.Microsecond}, capture.Established, PlaceM3},
	} {
		k := New(Options{Catalog: embedded(t), Locate: inMoscow, SensorAt: c.at})
		for i, rtt := range c.rtts {
			handshake(k, addrOf(1), server, i, rtt, c.outcome)
		}
		f := k.Findings()[0]
		p := f.Destinations[0].Place
		require.Equal(t, c.level.String(), p.Level.String(), "%s: %s", name, p.Words)
		if c.level == PlaceM3 {
			require.Nil(t, p.Refuted, name)
			continue
		}
		require.Equal(t, PlaceM3, p.Claimed, name)
		require.InDelta(t, float64(p.Refuted.RTT)/float64(ms)*100, p.Refuted.MaxKM, 1e-6, name)
		require.Contains(t, p.Words, "refuted", name)
		require.Contains(t, f.Reasons[len(f.Reasons)-1], "cannot be where the databases say", name)
	}
}

// The shortest time bounds the server's distance, whichever host it was seen with, and a proxy's bounds nothing.
func TestSensorLocationOverHosts(t *testing.T) {
	k := New(Options{Catalog: embedded(t), Locate: inMoscow, SensorAt: &Point{50.11, 8.68}})
	handshake(k, addrOf(1), "91.103.66.9:443", 0, 5*time.Millisecond, capture.Established)
	handshake(k, addrOf(2), "91.103.66.9:443", 1, 90*time.Millisecond, capture.Established)
	for _, f := range k.Findings() {
		require.Equal(t, PlaceN, f.Destinations[0].Place.Level)
		require.Equal(t, 5*time.Millisecond, f.Destinations[0].Place.Refuted.RTT)
	}
	k.noteReach(netip.MustParseAddr("91.103.66.10"), time.Millisecond, &flow{proxy: true}, true)
	require.NotContains(t, k.reach, netip.MustParseAddr("91.103.66.10"))
}

func TestDefaultHomeIsWhatHomeSays(t *testing.T) {
	c, named := New(Options{Catalog: embedded(t)}), New(Options{Catalog: embedded(t), Home: DefaultHome()})
	for _, a := range []string{"10.0.0.0", "172.16.0.1", "172.32.0.1", "192.168.255.255", "100.64.0.1", "100.128.0.1", "169.254.9.9", "127.0.0.1", "8.8.8.8",
		"fd00::1", "fe80::1", "::1", "2001:db8::1", "::ffff:10.0.0.1"} {
		x := netip.MustParseAddr(a).Unmap()
		require.Equal(t, c.home(x), named.home(x), a)
	}
}
