package names

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"

	"github.com/stretchr/testify/require"
)

var (
	noon  = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	one   = netip.MustParseAddr("10.0.0.1")
	two   = netip.MustParseAddr("10.0.0.2")
	there = netip.MustParseAddr("203.0.113.9")
)

func answer(host netip.Addr, name string, ttl uint32, at time.Time, addrs ...netip.Addr) *capture.Observation {
	o := &capture.Observation{Kind: capture.Answer, Proto: capture.DNS, Time: at, Dst: netip.AddrPortFrom(host, 4000), Name: name,
		Host: capture.Host{Addr: host}, Addrs: addrs}
	if name != "" {
		o.DNS = &wire.DNS{}
		for _, a := range addrs {
			o.DNS.Answers = append(o.DNS.Answers, wire.DNSRecord{Name: name, TTL: ttl, Addr: a})
		}
	}
	return o
}

func flow(host netip.Addr, at time.Time, p capture.Proto) *capture.Observation {
	return &capture.Observation{Kind: capture.Contact, Time: at.Add(time.Hour), FromClient: true, Src: netip.AddrPortFrom(host, 4001),
		Dst: netip.AddrPortFrom(there, 443), Host: capture.Host{Addr: host}, Flow: &capture.FlowRecord{First: at, Proto: p, Final: true}}
}

// marked returns a flow record a mark.
func marked(o *capture.Observation, m capture.Marks) *capture.Observation {
	o.Marks |= m
	return o
}

func TestStamp(t *testing.T) {
	const name = "ds.kaspersky.com"
	for _, c := range []struct {
		title string
		seen  []*capture.Observation
		flow  *capture.Observation
		name  string
		marks capture.Marks
	}{
		{"own DNS query", []*capture.Observation{answer(one, name, 300, noon, there)}, flow(one, noon.Add(time.Minute), 0), name, capture.NameDerived},
		{"another's DNS query", []*capture.Observation{answer(two, name, 300, noon, there)}, flow(one, noon.Add(time.Minute), 0), name,
			capture.NameDerived | capture.NameOther},
		{"within the grace", []*capture.Observation{answer(one, name, 300, noon, there)}, flow(one, noon.Add(14*time.Minute), 0), name, capture.NameDerived},
		{"beyond the grace", []*capture.Observation{answer(one, name, 300, noon, there)}, flow(one, noon.Add(16*time.Minute), 0), "", 0},
		{"before the answer", []*capture.Observation{answer(one, name, 300, noon, there)}, flow(one, noon.Add(-time.Minute), 0), "", 0},
		{"unlearned", []*capture.Observation{answer(one, name, 300, noon, there), answer(one, "", 0, noon, there)}, flow(one, noon.Add(time.Minute), 0), "", 0},
		{"unlearned by another", []*capture.Observation{answer(one, name, 300, noon, there), answer(two, "", 0, noon, there)},
			flow(one, noon.Add(time.Minute), 0), name, capture.NameDerived},
		{"the latest name", []*capture.Observation{answer(one, "a.eset.com", 300, noon, there), answer(one, name, 300, noon, there)},
			flow(one, noon.Add(time.Minute), 0), name, capture.NameDerived},
		{"asked again", []*capture.Observation{answer(one, name, 60, noon, there), answer(one, name, 600, noon.Add(5*time.Minute), there)},
			flow(one, noon.Add(19*time.Minute), 0), name, capture.NameDerived},
		{"a hello had another name", []*capture.Observation{answer(one, name, 300, noon, there)}, flow(one, noon.Add(time.Minute), capture.TLS), "", 0},
		{"a hello without a name", []*capture.Observation{answer(one, name, 300, noon, there)},
			marked(flow(one, noon.Add(time.Minute), capture.TLS), capture.NoName), name, capture.NoName | capture.NameDerived},
		{"of no interest until named", []*capture.Observation{answer(one, name, 300, noon, there)},
			marked(flow(one, noon.Add(time.Minute), 0), capture.Plain), name, capture.NameDerived},
		{"a request by address", []*capture.Observation{answer(one, name, 300, noon, there)}, flow(one, noon.Add(time.Minute), capture.HTTP), "", 0},
		{"an answer that leads nowhere", []*capture.Observation{answer(one, name, 300, noon, netip.IPv4Unspecified())}, flow(one, noon, 0), "", 0},
	} {
		t.Run(c.title, func(t *testing.T) {
			n := New(Options{})
			for _, o := range c.seen {
				n.Stamp(o)
			}
			n.Stamp(c.flow)
			require.Equal(t, c.name, c.flow.Name)
			require.Equal(t, c.marks, c.flow.Marks)
		})
	}
}

func TestNameOnTheWireStays(t *testing.T) {
	n := New(Options{})
	n.Stamp(answer(one, "ds.kaspersky.com", 300, noon, there))
	f := flow(one, noon, capture.ProtoNone)
	f.Name = "www.example.org"
	n.Stamp(f)
	require.Equal(t, "www.example.org", f.Name)
	require.Zero(t, f.Marks)
}

func TestBounds(t *testing.T) {
	n := New(Options{MaxPairs: 10})
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
		n.Stamp(answer(one, "ds.kaspersky.com", 300, noon, a))
	}
	require.Equal(t, 10, n.Stats().Pairs)
	require.Len(t, n.last, 10)
	require.Equal(t, uint64(990), n.Stats().Evicted)
}

func TestNoAllocations(t *testing.T) {
	n := New(Options{})
	n.Stamp(answer(one, "ds.kaspersky.com", 300, noon, there))
	f, a := flow(one, noon, capture.TLS), answer(two, "", 0, noon, there)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		n.Stamp(f)
		n.Stamp(a)
	}))
}

// wanted is an interest in one domain.
type wanted string

func (w wanted) Name(name []byte) bool                { return strings.HasSuffix(string(name), string(w)) }
func (wanted) Addr(netip.Addr) bool                   { return false }
func (wanted) Flow(bool, uint16, []byte, []byte) bool { return false }

func TestChainOfAliases(t *testing.T) {
	alias := func(from, to string, ttl uint32) wire.DNSRecord {
		return wire.DNSRecord{Name: from, Type: "CNAME", TTL: ttl, Data: to, Target: to}
	}
	for _, c := range []struct {
		title, asked, want string
		chain              []wire.DNSRecord
	}{
		{"a vendor's name at a CDN", "ds.kaspersky.com", "ds.kaspersky.com", []wire.DNSRecord{alias("ds.kaspersky.com", "x.cdn.example", 60)}},
		{"another's name at the vendor's", "av.bank.example", "ds.kaspersky.com",
			[]wire.DNSRecord{alias("av.bank.example", "b.example", 60), alias("b.example", "ds.kaspersky.com", 60), alias("ds.kaspersky.com", "x.cdn.example", 60)}},
		{"the chain's start is not there", "av.bank.example", "x.kaspersky.com", []wire.DNSRecord{{Name: "x.kaspersky.com", Type: "A", TTL: 60, Addr: there}}},
		{"none of interest", "www.example.org", "www.example.org", []wire.DNSRecord{alias("www.example.org", "x.cdn.example", 60)}},
	} {
		t.Run(c.title, func(t *testing.T) {
			n := New(Options{Interest: wanted("kaspersky.com")})
			a := answer(one, c.asked, 300, noon, there)
			a.DNS.Answers = append(c.chain, wire.DNSRecord{Name: "x.cdn.example", Type: "A", TTL: 300, Addr: there})
			n.Stamp(a)
			f := flow(one, noon.Add(time.Minute), 0)
			n.Stamp(f)
			require.Equal(t, c.want, f.Name)
		})
	}
}

func TestShortestTTLOfTheChain(t *testing.T) {
	n := New(Options{Grace: time.Minute})
	a := answer(one, "ds.kaspersky.com", 3600, noon, there)
	a.DNS.Answers = append([]wire.DNSRecord{{Name: "ds.kaspersky.com", Type: "CNAME", TTL: 120, Target: "x.cdn.example"}}, a.DNS.Answers...)
	n.Stamp(a)
	at, past := flow(one, noon.Add(3*time.Minute), 0), flow(one, noon.Add(4*time.Minute), 0)
	n.Stamp(at)
	n.Stamp(past)
	require.Equal(t, "ds.kaspersky.com", at.Name)
	require.Empty(t, past.Name, "the alias was over, and the grace with it")
}

func TestAnswersOfEveryTransport(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::9")
	for title, c := range map[string]struct {
		proto     capture.Proto
		transport capture.Proto
		want      string
	}{
		"over UDP": {capture.DNS, capture.UDP, "ds.kaspersky.com"},
		"over TCP": {capture.DNS, capture.TCP, "ds.kaspersky.com"},
		"mDNS":     {capture.MDNS, capture.UDP, ""},
		"LLMNR":    {capture.LLMNR, capture.UDP, ""},
	} {
		n := New(Options{})
		a := answer(one, "ds.kaspersky.com", 300, noon, six)
		a.Proto, a.Transport = c.proto, c.transport
		n.Stamp(a)
		f := flow(one, noon.Add(time.Minute), 0)
		f.Dst = netip.AddrPortFrom(six, 443)
		n.Stamp(f)
		require.Equal(t, c.want, f.Name, title)
	}
}

// of returns an Observation the number of the machine behind its host.
func of(o *capture.Observation, machine capture.Machine) *capture.Observation {
	o.Host.Machine = machine
	return o
}

func TestMachineOfSeveralAddresses(t *testing.T) {
	const name = "ds.kaspersky.com"
	six := netip.MustParseAddr("2001:db8::77")
	at := noon.Add(time.Minute)
	for _, c := range []struct {
		title string
		seen  []*capture.Observation
		flow  *capture.Observation
		name  string
		other bool
	}{
		{"asked over IPv4, gone there over IPv6", []*capture.Observation{of(answer(one, name, 300, noon, there), 1)}, of(flow(six, at, 0), 1), name, false},
		{"another machine", []*capture.Observation{of(answer(one, name, 300, noon, there), 1)}, of(flow(six, at, 0), 2), name, true},
		{"another machine at the address", []*capture.Observation{of(answer(one, name, 300, noon, there), 1)}, of(flow(one, at, 0), 2), name, true},
		{"known only after the question", []*capture.Observation{answer(one, name, 300, noon, there)}, of(flow(one, at, 0), 1), name, false},
		{"then given to another", []*capture.Observation{answer(one, name, 300, noon, there), of(flow(one, at, 0), 1)}, of(flow(one, at, 0), 2), name, true},
		{"unlearned at another address", []*capture.Observation{of(answer(one, name, 300, noon, there), 1), of(answer(six, "", 0, noon, there), 1)},
			of(flow(one, at, 0), 1), "", false},
	} {
		t.Run(c.title, func(t *testing.T) {
			n := New(Options{})
			for _, o := range c.seen {
				n.Stamp(o)
			}
			n.Stamp(c.flow)
			require.Equal(t, c.name, c.flow.Name)
			require.Equal(t, c.other, c.flow.Marks&capture.NameOther != 0)
		})
	}
}
