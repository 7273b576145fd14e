package pipeline

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// spine is the loop without a source.
func spine(tb testing.TB) *Pipeline {
	tb.Helper()
	cat, err := feeds.Embedded()
	require.NoError(tb, err)
	return &Pipeline{
		Hosts: hosts.New(hosts.Options{}), Names: names.New(names.Options{Interest: cat}),
		Classifier: classify.New(classify.Options{Catalog: cat, IDKey: []byte("test"), MaxHosts: 1 << 17}), Catalog: cat,
	}
}

// machine is the nth machine of a site of 100,000, and its MAC address.
func machine(n int) (netip.Addr, [6]byte) {
	n++
	var m [8]byte
	binary.BigEndian.PutUint64(m[:], 0x0200_0000_0000_0000|uint64(n)<<16)
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), [6]byte(m[:6])
}

// flowOf is the record of a flow of the nth machine to a server of no vendor's.
func flowOf(n, flow int, at time.Time) capture.Observation {
	a, mac := machine(n)
	server := netip.AddrFrom4([4]byte{198, 51, byte(flow >> 8), byte(flow)})
	return capture.Observation{
		Kind: capture.Contact, Proto: capture.TCP, Transport: capture.TCP, FromClient: true, Time: at, Frame: uint64(flow),
		Src: netip.AddrPortFrom(a, uint16(20000+flow%40000)), Dst: netip.AddrPortFrom(server, 443),
		Host:  capture.Host{Addr: a, MAC: mac, HasMAC: true},
		Marks: capture.Plain,
		Flow: &capture.FlowRecord{First: at, Last: at, Outcome: capture.Established, Final: true, Proto: capture.TLS, TTL: 128,
			PacketsOut: 9, PacketsIn: 9},
	}
}

// plain are observations of no concern: three flow records and an answer, of so many machines in turn.
func plain(machines, count int) []capture.Observation {
	list := make([]capture.Observation, 0, count)
	for i := range count {
		o := flowOf(i*7919%machines, i, noon.Add(time.Duration(i)*time.Millisecond))
		if i%4 == 3 {
			o.Kind, o.Proto, o.Transport, o.Flow, o.FromClient = capture.Answer, capture.DNS, capture.UDP, nil, false
			o.Src, o.Dst = o.Dst, o.Src
			o.Addrs = []netip.Addr{o.Src.Addr()}
		}
		list = append(list, o)
	}
	return list
}

// concerned are observations of concern: a question for a vendor's name, its answer, a hello with that name, and the flow's
// record.
func concerned(machines, count int) []capture.Observation {
	vendor := []string{"dnl-01.geo.kaspersky.com", "su.ff.avast.com", "update.eset.com", "ds.kaspersky.com"}
	list := make([]capture.Observation, 0, count)
	server := netip.MustParseAddr("203.0.113.7")
	resolver := netip.MustParseAddrPort("10.200.0.53:53")
	for i := 0; len(list) < count; i++ {
		o := flowOf(i*7919%machines, i, noon.Add(time.Duration(i)*4*time.Millisecond))
		o.Marks, o.Name, o.Dst = 0, vendor[i%len(vendor)], netip.AddrPortFrom(server, 443)
		q := o
		q.Kind, q.Proto, q.Transport, q.Flow, q.Dst = capture.Lookup, capture.DNS, capture.UDP, nil, resolver
		q.DNS = &wire.DNS{ID: uint16(i), RD: true, Questions: []wire.DNSQuestion{{Name: o.Name, QType: "A", Class: 1}}}
		r, m := q, *q.DNS
		m.Response, m.RA, m.RCode = true, true, "NOERROR"
		m.Answers = []wire.DNSRecord{{Name: o.Name, Type: "A", TTL: 300, Data: server.String(), Addr: server}}
		r.Kind, r.FromClient, r.Src, r.Dst, r.DNS, r.Addrs = capture.Answer, false, q.Dst, q.Src, &m, []netip.Addr{server}
		h := o
		h.Kind, h.Proto, h.Flow, h.Hello = capture.Hello, capture.TLS, nil, &wire.ClientHello{SNI: o.Name}
		list = append(list, q, r, h, o)
	}
	return list[:count]
}

// given teaches the spine the machines' MAC addresses and names by DHCP.
func given(tb testing.TB, p *Pipeline, machines int) {
	for n := range machines {
		a, mac := machine(n)
		o := capture.Observation{Kind: capture.Identity, Proto: capture.DHCP, Time: noon, Host: capture.Host{Addr: a, MAC: mac, HasMAC: true},
			ID: &capture.IdentityDetail{DHCP: &wire.DHCP{IPVersion: 4, Message: "ACK", MAC: text(mac), Hostname: "pc-" + a.String(), Address: a, Lease: 86400}}}
		require.NoError(tb, p.Take(&o))
	}
}

func text(m [6]byte) string {
	const hex = "0123456789abcdef"
	var b []byte
	for i, v := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hex[v>>4], hex[v&15])
	}
	return string(b)
}

func benchmark(b *testing.B, p *Pipeline, list []capture.Observation) {
	span := list[len(list)-1].Time.Sub(list[0].Time) + time.Second
	var f capture.FlowRecord
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o := list[i%len(list)]
		later := time.Duration(i/len(list)) * span
		o.Time = o.Time.Add(later)
		if o.Flow != nil {
			f = *o.Flow
			f.First, f.Last = f.First.Add(later), f.Last.Add(later)
			o.Flow = &f
		}
		if err := p.Take(&o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "obs/s")
}

// BenchmarkSpinePlain is the speed of observations of no concern: at least a million in a second are wanted.
func BenchmarkSpinePlain(b *testing.B) {
	for _, machines := range []int{5000, 100_000} {
		b.Run(strconv.Itoa(machines), func(b *testing.B) {
			list, p := plain(machines, 1<<18), spine(b)
			given(b, p, machines)
			benchmark(b, p, list)
		})
	}
}

// BenchmarkSpineConcern is the speed of observations of concern: at least 200,000 in a second are wanted.
func BenchmarkSpineConcern(b *testing.B) {
	for _, machines := range []int{2000, 20_000} {
		b.Run(strconv.Itoa(machines), func(b *testing.B) {
			list, p := concerned(machines, 1<<18), spine(b)
			given(b, p, machines)
			benchmark(b, p, list)
		})
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemory holds the memory for 100,000 machines, each known by DHCP, with flows of no concern, and each tenth with a
// vendor's product: less than 300 MB in all, and none of them is forgotten.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const machines = 100_000
	p := spine(t)
	before := heap()
	given(t, p, machines)
	learned := heap()
	for i := range 3 * machines {
		o := flowOf(i%machines, i, noon.Add(time.Duration(i)*time.Millisecond))
		require.NoError(t, p.Take(&o))
	}
	seen := heap()
	for _, o := range concerned(machines/10, 2*4*machines/10) {
		require.NoError(t, p.Take(&o))
	}
	judged := heap()
	t.Logf("a machine: %d bytes in hosts and classify once its lease is known, %d with flows; a finding: %d more; in all %d MB",
		(learned-before)/machines, (seen-before)/machines, (judged-seen)/(machines/10), (judged-before)>>20)
	require.Less(t, judged-before, uint64(300<<20))
	require.GreaterOrEqual(t, p.Classifier.Stats().Hosts, machines)
	require.Zero(t, p.Classifier.Stats().HostsEvicted)
	require.Zero(t, p.Hosts.Stats().Evicted)
	runtime.KeepAlive(p)
}
