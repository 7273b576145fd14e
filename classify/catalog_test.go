package classify

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

func nameOf(e *feeds.Entry) string {
	if e.Match == feeds.Regexp {
		return e.Sample
	}
	return e.Pattern
}

// decides reports whether an entry is the one that decides what its own name is.
func decides(cat *feeds.Catalog, e *feeds.Entry) bool {
	return slices.Contains(cat.MatchName(nameOf(e)), e)
}

func helloTo(name string, at time.Time, n int) *capture.Observation {
	src := netip.AddrPortFrom(netip.MustParseAddr("10.1.2.3"), uint16(30000+n))
	dst := netip.MustParseAddrPort("203.0.113.9:443")
	return &capture.Observation{Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP, FromClient: true, Time: at, Frame: uint64(n + 1),
		Src: src, Dst: dst, Host: capture.Host{Addr: src.Addr()}, Name: name, Hello: &wire.ClientHello{SNI: name}}
}

// Every strong, high-confidence name of the catalogue, as SNI in two sessions of an endpoint, is likely or installed.
func TestStrongNames(t *testing.T) {
	cat := embedded(t)
	n := 0
	for e := range cat.Entries() {
		if e.Signal != feeds.SignalName || e.Vendor == nil || e.Strength != feeds.Strong || e.Confidence != feeds.High || e.OEM != "" || !decides(cat, e) {
			continue
		}
		n++
		c := New(Options{Catalog: cat})
		c.Observe(helloTo(nameOf(e), day, 1))
		c.Observe(helloTo(nameOf(e), day.Add(time.Hour), 2))
		var verdict Verdict
		for _, f := range c.Findings() {
			if f.Vendor == e.Vendor {
				verdict = f.Verdict
			}
		}
		require.GreaterOrEqual(t, verdict, Likely, "%s %s", e.Vendor.Key, nameOf(e))
	}
	require.Greater(t, n, 100)
}

// No name that the catalogue calls weak makes more than a visit, however often it is called.
func TestWeakNames(t *testing.T) {
	cat := embedded(t)
	for e := range cat.Entries() {
		if e.Signal != feeds.SignalName || e.Vendor == nil || e.Strength > feeds.Weak || e.OEM != "" || !decides(cat, e) {
			continue
		}
		c := New(Options{Catalog: cat})
		for i := range 8 {
			c.Observe(helloTo(nameOf(e), day.Add(time.Duration(i)*time.Hour), i))
		}
		for _, f := range c.Findings() {
			require.LessOrEqual(t, f.Verdict, Visit, "%s %s", e.Vendor.Key, nameOf(e))
		}
	}
}

// Names that bear a vendor's brand without being the vendor's, or that prove no product.
func TestLookalikes(t *testing.T) {
	cat := embedded(t)
	for _, name := range []string{"pixieset.com", "wwnorton.com", "postescanada.ca", "passwordreset.microsoftonline.com", "openai.com",
		"update.kaspersky-secure.example", "dl.kasperskyupdates.com", "s01kaspersky.com", "kaspersky.com.ssl.d2.sc.omtrdc.net",
		"ocsp.comodoca.com", "id.group-ib.com", "media.kasperskycontenthub.com", "gc.kis.v2.scr.kaspersky-labs.com",
		"drweb78.no-ip.org", "api.bitdefenderupdate.org", "www.virustotal.com", "dns.google", "opentip.kaspersky.com"} {
		c := New(Options{Catalog: cat})
		for i := range 6 {
			c.Observe(helloTo(name, day.Add(time.Duration(i)*time.Hour), i))
		}
		for _, f := range c.Findings() {
			require.LessOrEqual(t, f.Verdict, Visit, name)
		}
	}
}

// Every strong name, glued to something before its domain, with another domain behind it, or with hyphens for dots, is
// somebody else's.
func TestGluedNames(t *testing.T) {
	cat := embedded(t)
	for e := range cat.Entries() {
		if e.Signal != feeds.SignalName || e.Vendor == nil || e.Strength != feeds.Strong {
			continue
		}
		labels := strings.Split(nameOf(e), ".")
		glued := slices.Clone(labels)
		glued[max(0, len(glued)-2)] = "my" + glued[max(0, len(glued)-2)]
		for _, name := range []string{strings.Join(glued, "."), nameOf(e) + ".example.org", strings.Join(labels, "-") + ".com"} {
			c := New(Options{Catalog: cat})
			for i := range 4 {
				c.Observe(helloTo(name, day.Add(time.Duration(i)*time.Hour), i))
			}
			for _, f := range c.Findings() {
				require.LessOrEqual(t, f.Verdict, Visit, name)
			}
		}
	}
}
