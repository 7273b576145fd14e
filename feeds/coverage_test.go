package feeds

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func documented(t testing.TB) []Documented {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "documented-names.tsv"))
	require.NoError(t, err)
	defer f.Close()
	rows, err := ReadDocumented(f)
	require.NoError(t, err)
	return rows
}

// Of the documented names 95 in 100 have an entry of their own, whatever the vendor, and each has a source and a licence.
func TestDocumentedNames(t *testing.T) {
	c := mustEmbedded(t)
	for _, cols := range table(t, "documented-names.tsv") {
		require.Len(t, cols, 5, cols)
		require.NotEmpty(t, cols[3], cols)
		require.NotEmpty(t, cols[4], cols)
		require.NotContains(t, cols[4], "SA", "share-alike data stays out: %s", cols[1])
		if cols[0] != "" {
			require.NotNil(t, c.Vendor(cols[0]), cols[0])
		}
	}
	rows := c.Covers(documented(t))
	sum := rows[len(rows)-1]
	require.Equal(t, "all", sum.Vendor)
	require.Greater(t, sum.Names, 2000)
	for _, v := range rows {
		if v.Vendor != "" {
			require.GreaterOrEqual(t, v.Share(), 0.95, "%s: %v", v.Vendor, v.Lost)
		}
	}
}

func TestCovers(t *testing.T) {
	c, err := LoadFS(folder(map[string]string{"acme.yaml": smallVendor}))
	require.NoError(t, err)
	rows, err := ReadDocumented(strings.NewReader("# a comment\n\nother\tupdate.acme.example\n" +
		"acme\tupdate.acme.example\tupdate\tpage\nacme\tu07.acme.example\nacme\tx.pool.acme.example\nacme\tnew.acme.example\nacme\tacme.test\n" +
		"acme\tnew.acme.example\n"))
	require.NoError(t, err)
	require.Equal(t, []Coverage{
		{Vendor: "acme", Names: 5, Own: 3, CatchAll: 1, Missing: 1, Lost: []string{"acme.test", "new.acme.example"}},
		{Vendor: "other", Names: 1, Missing: 1, Lost: []string{"update.acme.example"}},
		{Vendor: "all", Names: 6, Own: 3, CatchAll: 1, Missing: 2, Lost: []string{"acme.test", "new.acme.example", "update.acme.example"}},
	}, c.Covers(rows))
	require.InDelta(t, 0.6, c.Covers(rows)[0].Share(), 1e-9)
	require.InDelta(t, 1, Coverage{}.Share(), 1e-9)
	for _, text := range []string{"acme", "acme\t", "acme\ta b", "acme\tbad..example"} {
		_, err := ReadDocumented(strings.NewReader("acme\tgood.example\n" + text))
		require.ErrorContains(t, err, "line 2: expected a vendor's key, a tab and a host name", text)
	}
}

// An expression that any name of the domain meets is a catch-all too.
func TestCatchAll(t *testing.T) {
	for _, tc := range []struct {
		entry, name string
		want        bool
	}{
		{"{pattern: a.acme.example}", "a.acme.example", false},
		{"{pattern: acme.example, match: suffix}", "a.acme.example", true},
		{"{pattern: a.acme.example, match: suffix}", "b.a.acme.example", false},
		{"{pattern: '^[a-z]+\\.acme\\.example$', match: regexp, sample: b.acme.example}", "a.acme.example", false},
		{"{pattern: '^[a-z0-9]+\\.acme\\.example$', match: regexp, sample: b.acme.example}", "a.acme.example", true},
		{"{pattern: acme.co.uk, match: suffix}", "a.acme.co.uk", true},
		{"{pattern: a.blob.core.windows.net, match: suffix}", "b.a.blob.core.windows.net", true}, // its own registrable domain
	} {
		text := "key: acme\nname: Acme\ncountry: SK\nnames:\n  - role: update\n    strength: strong\n    source: a page of 2026\n    date: 2026-01-02\n    list:\n      - " + tc.entry + "\n"
		c, err := LoadFS(folder(map[string]string{"acme.yaml": text}))
		require.NoError(t, err)
		list := c.MatchName(tc.name)
		require.NotEmpty(t, list, tc.name)
		require.Equal(t, tc.want, list[0].catchAll(tc.name), tc.name)
	}
}

// members gives the names of a family: each % of the form stands for one of the words of its list.
func members(form string, lists ...string) []string {
	out := []string{form}
	for _, list := range lists {
		var next []string
		for _, name := range out {
			for _, word := range strings.Split(list, " ") {
				next = append(next, strings.Replace(name, "%", word, 1))
			}
		}
		out = next
	}
	return out
}

// The members of a family, whatever the region, cloud or number, have one role and one strength.
func TestFamiliesAgree(t *testing.T) {
	c := mustEmbedded(t)
	const clouds = "b gyr-maverick lanner-lion laggar-gcw"
	for _, tc := range []struct {
		want  string
		names []string
	}{
		{"crowdstrike telemetry strong", members("ts01-%.cloudsink.net", clouds)},
		{"crowdstrike telemetry strong", members("lfoup01-%.cloudsink.net", clouds)},
		{"crowdstrike update strong", members("lfodown01-%.cloudsink.net", clouds)},
		{"crowdstrike management medium", members("%.%crowdstrike.com", "api firehose", " us-2. eu-1.")},
		{"crowdstrike web weak", members("falcon.%crowdstrike.com", " us-2. eu-1. laggar.gcw.")},
		{"ciscosecureendpoint update strong", members("%.%amp.cisco.com", "clam-defs tetra-defs upgrades", " eu. apjc.")},
		{"ciscosecureendpoint web weak", members("console.%amp.cisco.com", " eu. apjc.")},
		{"microsoftdefender management strong", members("winatp-gw-%.microsoft.com", "cus eus cus3 eus3 neu weu neu3 weu3 uks ukw aue aus aec0a aen0a")},
		{"microsoftdefender telemetry strong", members("automatedirstrprd%.blob.core.windows.net", "cus eus cus3 eus3 neu weu neu3 weu3 uks ukw aue aus aec0a aen0a")},
		{"microsoftdefender telemetry strong", members("%1%prod.blob.core.windows.net", "ussus wsus", "east west")},
		{"microsoftdefender update medium", members("%definitionupdates.microsoft.com", " a. www.")},
		{"trendmicro management strong", members("agents-%.workload.%.cloudone.trendmicro.com", "001 010", "us-1 ae-1 jp-1 trend-us-1")},
		{"trendmicro management medium", members("workload.%.cloudone.trendmicro.com", "us-1 ae-1 jp-1 trend-us-1")},
		{"trendmicro management strong", members("xlogr-%.xdr.trendmicro.com", "ue1 mea in sg1")},
		{"trendmicro management strong", members("upload.%xdr.trendmicro.com", " mea. in. eu.")},
		{"sentinelone reputation strong", members("ioc-gw-prod-%.sentinelone.net", "us-1a eu-1 ap-1")},
		{"sentinelone telemetry strong", members("dv-%-prod.sentinelone.net", "us eu ap")},
		{"sentinelone management strong", members("cloudgateway-prod%.sentinelone.net", " -eu -ap -us-1a")},
		{"cortex management strong", members("%-acme.traps.paloaltonetworks.com", "ch cc dc")},
		{"cortex management strong", members("lrc-%.paloaltonetworks.com", "us eu ca za fed")},
		{"cortex web weak", members("acme.xdr.%.paloaltonetworks.com", "us eu ca za br")},
		{"cortex reputation strong", members("panw-xdr-evr-prod-%.storage.googleapis.com", "us eu ca za fr")},
		{"eset update strong", members("um%.eset.com", "01 07 13 21 23")},
		{"eset management strong", members("%01.agent.edr.eset.systems", "eu us jp ca de")},
		{"eset management medium", members("%01.inspect.eset.com", "eu us jp ca de")},
		{"eset reputation strong", members("h%-ars%-v.eset.com", "1 3 5", "01 05")},
		{"sophos management strong", members("mcs%.stn100%.ctr.sophos.com", " 2", "syd yul hnd gru bom")},
		{"sophos update strong", members("%.sophosupd.%", "d1 d2 d3 dci sdds3", "com net")},
		{"fortinet reputation strong", members("reputation-%-%.fortiedr.com", "us eu asia sa", "01 09")},
		{"malwarebytes unknown strong", members("zzq7x.%", "mwbsys.com mwbsys-prod.com")},
		{"avast telemetry medium", members("%", "shepherd.ff.avast.com shepherd.sb.avast.com shepherd.avcdn.net lb-shepherd-prod.tf.ff.avast.com")},
		{"kaspersky update strong", members("%%.upd%.kaspersky.com", "s p", "00 09 19", " 3")},
	} {
		for _, name := range tc.names {
			require.Equal(t, tc.want, deciding(c, name), name)
		}
	}
}
