package feeds

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// deciding returns vendor, role and strength of the first deciding entry.
func deciding(c *Catalog, name string) string {
	list := c.MatchName(name)
	if len(list) == 0 {
		return "nobody"
	}
	e := list[0]
	if e.Vendor == nil {
		return fmt.Sprintf("mark:%s %s %s", e.Mark, e.Role, e.Strength)
	}
	return fmt.Sprintf("%s %s %s", e.Vendor.Key, e.Role, e.Strength)
}

func TestEmbeddedNames(t *testing.T) {
	c := mustEmbedded(t)
	for _, row := range table(t, "names.tsv") {
		require.Equal(t, strings.Join(row[1:], " "), deciding(c, row[0]), row[0])
		require.True(t, c.Name([]byte(row[0])), row[0])
	}
}

func TestEmbeddedPools(t *testing.T) {
	c := mustEmbedded(t)
	for i := range 20 {
		for _, form := range []string{"s%02d.upd.kaspersky.com", "p%02d.upd.kaspersky.com", "s%02d.upd3.kaspersky.com",
			"p%02d.upd3.kaspersky.com", "dnl-%02d.geo.kaspersky.com"} {
			name := fmt.Sprintf(form, i)
			require.Equal(t, "kaspersky update strong", deciding(c, name), name)
			require.True(t, c.MatchName(name)[0].Pool, name)
		}
	}
	for _, tc := range [][2]string{
		{"bosh17.ucp-ntfy.kaspersky-labs.com", "kaspersky push strong"},
		{"ksn-anything-geo.kaspersky-labs.com", "kaspersky reputation strong"},
		{"ksc.kaspersky.com", "kaspersky management medium"}, // an administrator's browser
		{"tenant.ksc.kaspersky.com", "kaspersky management strong"},
		{"www.kaspersky.com", "kaspersky web weak"},
		{"update.msk2.drweb.com", "drweb update strong"},
		{"update.drweb.com", "drweb update strong"},
		{"www.drweb.com", "drweb web weak"},
		{"cas5-0-urlprotect.trendmicro.com", "trendmicro web weak"},
		{"titanium30-en.url.trendmicro.com", "trendmicro reputation strong"},
		{"usea1-example.sentinelone.net", "sentinelone management strong"},
		{"www.sentinelone.net", "sentinelone web weak"},
		{"db.local.clamav.net", "clamav update strong"},
		{"ussus1eastprod.blob.core.windows.net", "microsoftdefender telemetry strong"},
		{"other.blob.core.windows.net", "nobody"},
		{"x.avqs.mcafee.com", "trellix reputation strong"}, // the longest suffix decides, whoever's the wider one is
		{"doh.360.cn", "mark:doh unknown none"},            // an exact mark before the vendor's web site
		{"abc123.dns.nextdns.io", "mark:doh unknown none"},
		{"com", "nobody"}, {"", "nobody"}, {".", "nobody"}, {"localhost", "nobody"},
	} {
		require.Equal(t, tc[1], deciding(c, tc[0]), tc[0])
	}
}

// What bears a brand is not the vendor's. No negative is ever strong, and a lookalike matches nothing at all; a console may lie
// below a domain that is strong, but what decides is not.
func TestEmbeddedNegatives(t *testing.T) {
	c := mustEmbedded(t)
	for _, row := range table(t, "negatives.tsv") {
		name, kind := row[0], row[1]
		all := c.MatchNameAll(name)
		if kind == "lookalike" {
			require.Empty(t, keys(all), name)
			require.False(t, c.Name([]byte(name)), name)
		}
		if kind == "console" {
			all = c.MatchName(name)
		}
		for _, e := range all {
			require.NotEqual(t, Strong, e.Strength, "%s by %s", name, e.Pattern)
		}
	}
}

// Samples stand for expressions in the tests of the packages above: each is decided by its own entry's vendor and role.
func TestEmbeddedSamples(t *testing.T) {
	c := mustEmbedded(t)
	for e := range c.Entries() {
		if e.Signal != SignalName || e.Sample == "" {
			continue
		}
		require.Equal(t, fmt.Sprintf("%s %s %s", e.Vendor.Key, e.Role, e.Strength), deciding(c, e.Sample), e.Pattern)
	}
}

func TestMatchNameOrder(t *testing.T) {
	c, err := LoadFS(folder(map[string]string{
		"acme.yaml": smallVendor,
		"bolt.yaml": "key: bolt\nname: Bolt\ncountry: US\nnames:\n" +
			"  - role: update\n    strength: strong\n    source: 'a b'\n    date: 2026-01-01\n    list:\n" +
			"      - update.acme.example\n" +
			"      - {pattern: u7.pool.acme.example, note: theirs}\n" +
			"      - {pattern: '^[a-z]\\d+\\.acme\\.example$', match: regexp, sample: u01.acme.example}\n" +
			"      - {pattern: pool.acme.example, match: suffix}\n",
	}))
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		want []string
	}{
		{"update.acme.example", []string{"acme update.acme.example", "bolt update.acme.example"}},
		{"u01.acme.example", []string{`acme ^u\d\d\.acme\.example$`, `bolt ^[a-z]\d+\.acme\.example$`}},
		{"u7.acme.example", []string{`bolt ^[a-z]\d+\.acme\.example$`}}, // acme's wider suffix does not count
		{"u7.pool.acme.example", []string{"bolt u7.pool.acme.example"}},
		{"u8.pool.acme.example", []string{"acme pool.acme.example", "bolt pool.acme.example"}},
		{"pool.acme.example", []string{"acme pool.acme.example", "bolt pool.acme.example"}},
		{"a.b.acme.example", []string{"acme acme.example"}},
		{"xacme.example", nil},
		{"acme.example.net", nil},
	} {
		require.Equal(t, tc.want, keys(c.MatchName(tc.name)), tc.name)
	}
	require.Equal(t, []string{"acme update.acme.example", "bolt update.acme.example", "acme acme.example"},
		keys(c.MatchNameAll("update.acme.example")))
}

// slowMatch is MatchName as its documentation says it, one entry after the other.
func slowMatch(c *Catalog, name string) (deciding, all []*Entry) {
	longest := 0
	tiers := [3][]*Entry{}
	for e := range c.Entries() {
		if e.Signal != SignalName {
			continue
		}
		hit := false
		switch e.Match {
		case Exact:
			hit = name == e.Pattern
		case Regexp:
			hit = e.re.regexp().MatchString(name)
		case Suffix:
			hit = name == e.Pattern || strings.HasSuffix(name, "."+e.Pattern)
		}
		if !hit {
			continue
		}
		all = append(all, e)
		tier := map[Match]int{Exact: 0, Regexp: 1, Suffix: 2}[e.Match]
		if tier == 2 && len(e.Pattern) < longest {
			continue
		}
		if tier == 2 && len(e.Pattern) > longest {
			longest, tiers[2] = len(e.Pattern), nil
		}
		tiers[tier] = append(tiers[tier], e)
	}
	for _, list := range tiers {
		if list != nil {
			return list, all
		}
	}
	return nil, nil
}

func FuzzMatchName(f *testing.F) {
	c := mustEmbedded(f)
	for _, s := range []string{"dnl-01.geo.kaspersky.com", "kaspersky.com", "xkaspersky.com", "a.b.c.update.drweb.com", "ai",
		"..kaspersky.com", "openai.com", "ussus1eastprod.blob.core.windows.net", "dns.google", "one.one.one.one", "\xff.avast.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want, all := slowMatch(c, name)
		got := c.MatchName(name)
		require.ElementsMatch(t, all, c.MatchNameAll(name))
		require.Equal(t, len(all) > 0, c.Name([]byte(name)))
		require.Subset(t, want, got)
		for _, e := range want { // each vendor and mark once
			n := slices.IndexFunc(got, func(o *Entry) bool { return o.Vendor == e.Vendor && o.Mark == e.Mark })
			require.GreaterOrEqual(t, n, 0)
		}
		require.LessOrEqual(t, len(got), len(want))
	})
}

func benchNames() (misses, hits [][]byte) {
	for _, s := range []string{"www.google.com", "e12345.dscb.akamaiedge.net", "safebrowsing.googleapis.com", "a.example",
		"fonts.gstatic.com", "login.microsoftonline.com", "ctldl.windowsupdate.com", "x"} {
		misses = append(misses, []byte(s))
	}
	for _, s := range []string{"dnl-01.geo.kaspersky.com", "update.drweb.com", "ussus1eastprod.blob.core.windows.net",
		"shepherd.avcdn.net", "other.blob.core.windows.net"} {
		hits = append(hits, []byte(s))
	}
	return misses, hits
}

func TestNameAllocates(t *testing.T) {
	if racing {
		t.Skip("under the race detector regexp makes allocations of its own: sync.Pool drops some of its machines")
	}
	c := mustEmbedded(t)
	misses, hits := benchNames()
	for _, name := range append(misses, hits...) {
		require.Zero(t, testing.AllocsPerRun(100, func() { c.Name(name) }), "%s", name)
	}
}

func BenchmarkName(b *testing.B) {
	c := mustEmbedded(b)
	misses, hits := benchNames()
	for what, names := range map[string][][]byte{"miss": misses, "hit": hits} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.Name(names[i%len(names)])
			}
		})
	}
}

func BenchmarkMatchName(b *testing.B) {
	c := mustEmbedded(b)
	for _, name := range []string{"www.google.com", "dnl-01.geo.kaspersky.com", "www.kaspersky.com"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.MatchName(name)
			}
		})
	}
}

func BenchmarkEmbedded(b *testing.B) {
	for b.Loop() {
		mustEmbedded(b)
	}
}
