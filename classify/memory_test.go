package classify

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"avbeacon/capture"

	"github.com/stretchr/testify/require"
)

// played is a Classifier that saw a scenario, and how it was asked on the way.
func played(t *testing.T, file string, each func(c *Classifier)) *Classifier {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	s, err := parseScenario(string(text))
	require.NoError(t, err)
	c := New(Options{Catalog: embedded(t), Home: s.home, IDKey: []byte("test")})
	for i := range s.events {
		obs := s.events[i].obs
		c.Observe(&obs)
		for _, more := c.Next(); more; _, more = c.Next() {
		}
		each(c)
	}
	return c
}

// What was handed out piece by piece and the rest at the end, and what is handed out without findings, come to the whole memory.
func TestRestAndPiecesAreTheWholeMemory(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	type key struct{ host, vendor string }
	for _, file := range files {
		var saver *Saver
		n, kept := 0, map[key]Saved{}
		keep := func(pieces []Saved) {
			for _, p := range pieces {
				kept[key{p.Host, p.Vendor}] = p
			}
		}
		c := played(t, file, func(c *Classifier) {
			if saver == nil {
				saver = c.NewSaver()
			}
			if n++; n%3 == 0 {
				keep(saver.Changed(false))
			}
		})
		if saver == nil {
			continue
		}
		keep(saver.Rest())
		want := again(t, c, c.NewSaver().Changed(true)).Findings()
		for _, p := range c.Pieces() {
			require.Nil(t, p.Finding)
		}
		require.Equal(t, want, again(t, c, c.Pieces()).Findings(), file)
		var pieces []Saved
		for _, p := range kept {
			pieces = append(pieces, p)
		}
		require.Equal(t, want, again(t, c, pieces).Findings(), file)
	}
}

func TestEachEndsWithAnError(t *testing.T) {
	c := played(t, "testdata/list_and_product.txt", func(*Classifier) {})
	all := c.Findings()
	require.NotEmpty(t, all)
	enough := errors.New("enough")
	n := 0
	require.ErrorIs(t, c.Each(func(f *Finding) error {
		require.Equal(t, all[0], f)
		n++
		return enough
	}), enough)
	require.Equal(t, 1, n)
}

func TestLimitLetsHostsGoAsAFullTableDoes(t *testing.T) {
	c := played(t, "testdata/list_and_product.txt", func(*Classifier) {})
	before := c.Stats()
	require.Greater(t, before.Hosts, 1)
	c.Limit(0)
	after := c.Stats()
	require.Equal(t, 1, after.Hosts)
	require.EqualValues(t, before.Hosts-1, after.HostsEvicted-before.HostsEvicted)
	require.NotEmpty(t, c.Findings(), "those without a finding go first")
}

// An open flow does not keep a host in memory that was forgotten.
func TestForgottenHostsAreNotKeptByTheirFlows(t *testing.T) {
	c := New(Options{Catalog: embedded(t), MaxHosts: 100})
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var gone atomic.Int32
	const all = 3000
	for i := range all {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 4000)
		c.Observe(&capture.Observation{Time: at.Add(time.Duration(i) * 10 * time.Millisecond), Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP,
			FromClient: true, Host: capture.Host{Addr: from.Addr()}, Src: from, Dst: netip.MustParseAddrPort("192.0.2.1:443"), Name: "ds.kaspersky.com"})
		h := c.hosts.find(from.Addr())
		require.NotNil(t, h)
		require.NotNil(t, c.flows.find(flowKey{from, netip.MustParseAddrPort("192.0.2.1:443"), capture.TCP}))
		runtime.AddCleanup(h, func(int) { gone.Add(1) }, 0)
	}
	require.LessOrEqual(t, len(c.flows.flows), 100+someHosts+100, "one second's more")
	require.Eventually(t, func() bool {
		runtime.GC()
		return gone.Load() >= all-100-someHosts-100
	}, time.Minute, time.Millisecond)
	c.Limit(10)
	require.LessOrEqual(t, len(c.flows.flows), 10)
	require.Len(t, c.Findings(), 10)
}
