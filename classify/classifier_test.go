package classify

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/classify/place"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

func addrOf(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func helloFrom(host netip.Addr, name string, at time.Time) *capture.Observation {
	o := helloTo(name, at, 1)
	o.Src = netip.AddrPortFrom(host, o.Src.Port())
	o.Host.Addr = host
	return o
}

func flowOf(host netip.Addr, port uint16, at time.Time) *capture.Observation {
	return &capture.Observation{Kind: capture.Contact, Proto: capture.TCP, Transport: capture.TCP, FromClient: true, Time: at, Frame: 1,
		Src: netip.AddrPortFrom(host, port), Dst: netip.MustParseAddrPort("203.0.113.9:443"), Host: capture.Host{Addr: host},
		Flow: &capture.FlowRecord{First: at, Last: at, Outcome: capture.Established, Final: true, TTL: 64}}
}

func TestHostsAreBounded(t *testing.T) {
	c := New(Options{Catalog: embedded(t), MaxHosts: 100})
	c.Observe(helloFrom(addrOf(1), "ds.kaspersky.com", day))
	for i := range 5000 {
		c.Observe(flowOf(addrOf(i+10), 1000, day.Add(time.Duration(i)*time.Second)))
	}
	s := c.Stats()
	require.LessOrEqual(t, s.Hosts, 100)
	require.LessOrEqual(t, c.hosts.byAddr.used, 100)
	require.Equal(t, uint64(5001-100), s.HostsEvicted)
	require.Len(t, c.Findings(), 1, "a host with a finding outlives those without")
}

func TestEvidenceIsBounded(t *testing.T) {
	c := New(Options{Catalog: embedded(t), MaxEvidence: 5, MaxDestinations: 3, MaxFlows: 4})
	for i := range 20 {
		o := helloFrom(addrOf(1), fmt.Sprintf("s%02d.upd.kaspersky.com", i), day.Add(time.Duration(i)*time.Minute))
		o.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 443)
		c.Observe(o)
	}
	f := c.Findings()
	require.Len(t, f, 1)
	require.Equal(t, Installed, f[0].Verdict)
	signs := slices.DeleteFunc(slices.Clone(f[0].Evidence), func(e Evidence) bool { return e.Kind >= KindRoles })
	require.Len(t, signs, 5, "behaviour comes beside them")
	require.Len(t, f[0].Destinations, 3)
	require.Equal(t, uint64(20), f[0].Contacts)
	s := c.Stats()
	require.Equal(t, uint64(15), s.EvidenceDropped)
	require.Equal(t, uint64(17), s.DestDropped)
	require.Equal(t, uint64(15+17), f[0].Dropped)
	require.Positive(t, s.FlowsEvicted)
	require.LessOrEqual(t, len(c.flows.flows), 4)
}

func TestPendingLookupsAreBounded(t *testing.T) {
	c := New(Options{Catalog: embedded(t), MaxPending: 3})
	for i := range 10 {
		o := helloFrom(addrOf(1), "dnl-01.geo.kaspersky.com", day)
		o.Kind, o.Proto, o.Hello = capture.Lookup, capture.DNS, nil
		o.DNS = &wire.DNS{ID: uint16(i), RD: true, Questions: []wire.DNSQuestion{{Name: o.Name, QType: "A"}}}
		c.Observe(o)
	}
	require.Equal(t, uint64(7), c.Stats().PendingEvicted)
	require.Len(t, c.pending.open, 3)
	require.Equal(t, uint64(10), c.Findings()[0].Lookups)
	require.Empty(t, c.pending.open)
}

// A tap that sees each packet twice sees one DNS query, and one answer to it.
func TestPacketsTwice(t *testing.T) {
	c := New(Options{Catalog: embedded(t)})
	q := helloFrom(addrOf(1), "ds.kaspersky.com", day)
	q.Kind, q.Proto, q.Hello = capture.Lookup, capture.DNS, nil
	q.DNS = &wire.DNS{ID: 7, RD: true, Questions: []wire.DNSQuestion{{Name: q.Name, QType: "A"}}}
	r := *q
	r.Kind, r.FromClient, r.Src, r.Dst, r.Time = capture.Answer, false, q.Dst, q.Src, day.Add(time.Millisecond)
	for _, o := range []*capture.Observation{q, q, &r, &r} {
		c.Observe(o)
	}
	f := c.Findings()[0]
	require.Equal(t, uint64(1), f.Lookups)
	require.Equal(t, Possible, f.Verdict)
	c = New(Options{Catalog: embedded(t)}) // the questions are not in the capture
	c.Observe(&r)
	c.Observe(&r)
	require.Equal(t, uint64(1), c.Findings()[0].Lookups)
}

// Observe returns changes: new evidence, a stronger verdict, another hour; and of nothing else.
func TestChanges(t *testing.T) {
	c := New(Options{Catalog: embedded(t)})
	host := addrOf(1)
	f, changed := observed(c, helloFrom(host, "ds.kaspersky.com", day))
	require.True(t, changed)
	require.Equal(t, Likely, f.Verdict)
	_, changed = observed(c, helloFrom(host, "ds.kaspersky.com", day.Add(time.Second)))
	require.False(t, changed)
	f, changed = observed(c, helloFrom(host, "ds.kaspersky.com", day.Add(2*time.Minute)))
	require.True(t, changed)
	require.Equal(t, Installed, f.Verdict)
	_, changed = observed(c, helloFrom(host, "ds.kaspersky.com", day.Add(3*time.Minute)))
	require.False(t, changed)
	_, changed = observed(c, helloFrom(host, "ds.kaspersky.com", day.Add(70*time.Minute)))
	require.True(t, changed, "a new hour")
}

// A flow's hello, its record while open and its end are one contact.
func TestOneFlowOneContact(t *testing.T) {
	c := New(Options{Catalog: embedded(t)})
	h := helloFrom(addrOf(1), "ds.kaspersky.com", day)
	c.Observe(h)
	for i := range 3 {
		r := *h
		r.Kind, r.Hello, r.Time = capture.Contact, nil, day.Add(time.Duration(i+1)*10*time.Minute)
		r.Flow = &capture.FlowRecord{First: day, Last: r.Time, Outcome: capture.Established, Final: i == 2, Proto: capture.TLS, RTT: 20 * time.Millisecond}
		c.Observe(&r)
	}
	f := c.Findings()[0]
	require.Equal(t, uint64(1), f.Contacts)
	require.Equal(t, Likely, f.Verdict)
	require.Equal(t, 20*time.Millisecond, f.Destinations[0].RTT)
	require.Equal(t, day.Add(30*time.Minute), f.LastSeen)
	require.Empty(t, c.flows.flows)
}

// The same packets in another order of arrival, as late flow records make, give the same verdict.
func TestLateObservations(t *testing.T) {
	c := New(Options{Catalog: embedded(t)})
	for _, m := range []int{180, 0, 120, 60} {
		c.Observe(helloFrom(addrOf(1), "ds.kaspersky.com", day.Add(time.Duration(m)*time.Minute)))
	}
	f := c.Findings()[0]
	require.Equal(t, Installed, f.Verdict)
	require.Equal(t, day, f.FirstSeen)
	require.Equal(t, 4, f.Beacons[0].Sessions)
	require.Equal(t, time.Hour, f.Beacons[0].Period)
}

func TestFindingIDs(t *testing.T) {
	id := func(sensor string, host int, name string) string {
		c := New(Options{Catalog: embedded(t), Sensor: sensor})
		c.Observe(helloFrom(addrOf(host), name, day))
		return c.Findings()[0].ID
	}
	require.Equal(t, id("", 1, "ds.kaspersky.com"), id("", 1, "s07.upd.kaspersky.com"))
	require.NotEqual(t, id("", 1, "ds.kaspersky.com"), id("", 2, "ds.kaspersky.com"))
	require.NotEqual(t, id("", 1, "ds.kaspersky.com"), id("tap2", 1, "ds.kaspersky.com"))
	require.NotEqual(t, id("", 1, "ds.kaspersky.com"), id("", 1, "update.geo.drweb.com"))
}

// A snapshot does not change when more is seen.
func TestSnapshots(t *testing.T) {
	c := New(Options{Catalog: embedded(t)})
	f, _ := observed(c, helloFrom(addrOf(1), "ds.kaspersky.com", day))
	want := show([]*Finding{f})
	for i := range 50 {
		c.Observe(helloFrom(addrOf(1), "s07.upd.kaspersky.com", day.Add(time.Duration(i)*time.Minute)))
	}
	require.Equal(t, want, show([]*Finding{f}))
}

func TestPlaceOfDestinations(t *testing.T) {
	moscow := place.Location{Level: place.M2, Words: "Moscow by one"}
	c := New(Options{Catalog: embedded(t), Locate: func(netip.Addr) place.Location { return moscow }})
	o := helloFrom(addrOf(1), "ds.kaspersky.com", day)
	o.Dst = netip.MustParseAddrPort("77.74.178.1:443")
	c.Observe(o)
	d := c.Findings()[0].Destinations[0]
	require.Equal(t, place.M2, d.Place.Level)
	require.NotZero(t, d.ASN)
	require.NotEmpty(t, d.Owner)
	require.Equal(t, []string{"ds.kaspersky.com"}, d.Names)
}

func TestMasks(t *testing.T) {
	m := masker{key: []byte("k")}
	e := &feeds.Entry{}
	require.Equal(t, "ds.kaspersky.com", m.name(e, "ds.kaspersky.com"))
	for _, s := range []string{"LIC=9I-ASXNN-X4WGW", "x 01234567-89ab-cdef-0123-456789abcdef", "ABCDE-FGHIJ-KLMNO-PQRST", "deadbeefdeadbeefdead",
		"guid=abc", "HWF: 12AB"} {
		got := m.text(e, s)
		require.Contains(t, got, "~", s)
		require.NotEqual(t, s, got)
		require.Equal(t, got, m.text(e, s), "the same key, the same hash")
		other := masker{key: []byte("other")}
		require.NotEqual(t, got, other.text(e, s))
	}
	require.Equal(t, "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", m.text(e, "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"))
	q := m.query(e, "a=secret&b=&bare")
	require.NotContains(t, q, "secret")
	require.NotContains(t, q, "bare")
	require.Contains(t, q, "a=~")
}

func TestNoInterestCostsNothing(t *testing.T) {
	c := New(Options{Catalog: embedded(t)})
	flow, answer := quiet()
	c.Observe(flow)
	c.Observe(answer)
	n := testing.AllocsPerRun(1000, func() {
		c.Observe(flow)
		c.Observe(answer)
	})
	require.Zero(t, n)
}

// quiet returns a flow record and a DNS answer of no concern.
func quiet() (flow, answer *capture.Observation) {
	host := addrOf(5)
	answer = &capture.Observation{Kind: capture.Answer, Proto: capture.DNS, Transport: capture.UDP, Time: day, Frame: 1,
		Src: netip.MustParseAddrPort("10.0.0.53:53"), Dst: netip.AddrPortFrom(host, 5353), Host: capture.Host{Addr: host},
		Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.9")}}
	return flowOf(host, 1000, day), answer
}

func BenchmarkNoConcern(b *testing.B) {
	c := New(Options{Catalog: embedded(b)})
	var list []*capture.Observation
	for i := range 4096 {
		list = append(list, flowOf(addrOf(i), uint16(1000+i), day))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Observe(list[i&4095])
		i++
	}
}

func BenchmarkConcern(b *testing.B) {
	c := New(Options{Catalog: embedded(b)})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at := day.Add(time.Duration(i) * time.Second)
		h := helloFrom(addrOf(i%1000), "ds.kaspersky.com", at)
		h.Src = netip.AddrPortFrom(h.Src.Addr(), uint16(i))
		c.Observe(h)
		h.Kind, h.Hello = capture.Contact, nil
		h.Flow = &capture.FlowRecord{First: at, Last: at, Outcome: capture.Established, Final: true, Proto: capture.TLS}
		c.Observe(h)
		i++
	}
}

// observed returns the first finding that an Observation changed.
func observed(c *Classifier, obs *capture.Observation) (f *Finding, changed bool) {
	c.Observe(obs)
	return c.Next()
}
