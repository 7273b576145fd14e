package feeds

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatchAddr(t *testing.T) {
	c, err := LoadFS(folder(map[string]string{
		"acme.yaml": smallVendor,
		"_marks.yaml": "networks:\n" +
			"  - {kind: resolver, pattern: 198.51.100.1, mark: resolver, source: 'a b', date: 2026-01-01}\n" +
			"  - {asn: AS64501, owner: Gate, prefixes: [203.0.113.0/24], mark: proxy, source: 'a b', date: 2026-01-01}\n",
	}))
	require.NoError(t, err)
	for _, tc := range []struct {
		addr     string
		want     []string
		interest bool
		owner    string
	}{
		{"192.0.2.1", []string{"acme AS64500"}, true, "Acme a.s."},
		{"192.0.2.200", []string{"acme 192.0.2.128/25", "acme AS64500"}, true, "Acme a.s."},
		{"::ffff:192.0.2.1", []string{"acme AS64500"}, true, "Acme a.s."},
		{"2001:db8::1", []string{"acme AS64500"}, true, "Acme a.s."},
		{"198.51.100.1", []string{"mark resolver 198.51.100.1"}, true, ""},
		{"198.51.100.2", nil, false, ""},
		{"203.0.113.9", []string{"mark proxy AS64501"}, false, "Gate"}, // known, but of no interest by itself
		{"10.0.0.1", nil, false, ""},
	} {
		a := netip.MustParseAddr(tc.addr)
		require.Equal(t, tc.want, keys(c.MatchAddr(a)), tc.addr)
		require.Equal(t, tc.interest, c.Addr(a), tc.addr)
		asn, owner, ok := c.Network(a)
		require.Equal(t, []any{tc.owner, tc.owner != "", tc.owner != ""}, []any{owner, ok, asn != 0}, tc.addr)
		require.Equal(t, tc.owner == "Acme a.s.", c.InNetwork(a, c.Vendor("acme")), tc.addr)
	}
	require.False(t, c.Addr(netip.Addr{}))
	require.Empty(t, c.MatchAddr(netip.Addr{}))
	require.False(t, c.InNetwork(netip.MustParseAddr("203.0.113.9"), nil))
}

func TestEmbeddedAddresses(t *testing.T) {
	c := mustEmbedded(t)
	for _, tc := range []struct {
		addr, vendor string
		asn          uint32
	}{
		{"77.74.178.1", "kaspersky", 200107},
		{"82.202.190.5", "kaspersky", 209030},
		{"91.103.64.7", "kaspersky", 41983},
		{"2a13:c80::1", "kaspersky", 209030},
		{"194.85.20.9", "drweb", 59446},
		{"195.88.252.3", "drweb", 49238},
		{"91.228.166.1", "eset", 50881},
		{"5.62.53.1", "avast", 198605},
	} {
		a := netip.MustParseAddr(tc.addr)
		require.True(t, c.Addr(a), tc.addr)
		require.Equal(t, tc.vendor, c.MatchAddr(a)[0].Vendor.Key, tc.addr)
		asn, owner, ok := c.Network(a)
		require.True(t, ok)
		require.NotEmpty(t, owner)
		require.Equal(t, tc.asn, asn, tc.addr)
	}
	order := c.Vendor("kaspersky").Fallback
	require.Len(t, order, 5)
	for _, a := range order {
		require.True(t, c.Addr(a), a)
		require.Equal(t, SignalResolver, c.MatchAddr(a)[0].Signal, a)
	}
	require.False(t, c.Addr(netip.MustParseAddr("94.75.236.123")), "a hoster is no vendor's network")
}

func TestAddrAllocates(t *testing.T) {
	c := mustEmbedded(t)
	for _, s := range []string{"77.74.178.1", "10.1.2.3", "2a13:c80::1", "2606:4700::1"} {
		a := netip.MustParseAddr(s)
		require.Zero(t, testing.AllocsPerRun(100, func() { c.Addr(a); c.MatchAddr(a) }), s)
	}
}

func BenchmarkAddr(b *testing.B) {
	c := mustEmbedded(b)
	for _, s := range []string{"77.74.178.1", "142.250.74.36", "2606:4700::1"} {
		a := netip.MustParseAddr(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Addr(a)
			}
		})
	}
}
