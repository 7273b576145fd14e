package feeds

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExplain(t *testing.T) {
	c := mustEmbedded(t)
	for _, tc := range []struct{ query, vendor, signal, match, why string }{
		{"update.drweb.com", "drweb", "name", "exact", "the name is exactly update.drweb.com"},
		{"Update.DrWeb.com.", "drweb", "name", "exact", "the name is exactly update.drweb.com"},
		{"dnl-03.geo.kaspersky.com", "kaspersky", "name", "regexp", `the name matches ^dnl-\d\d\.geo\.kaspersky\.com$`},
		{"x.upd.kaspersky.com", "kaspersky", "name", "suffix", "the name is under upd.kaspersky.com"},
		{"77.74.178.1", "kaspersky", "asn", "prefix", "77.74.178.1 is in 77.74.176.0/21 of AS200107 (Kaspersky Lab Switzerland GmbH)"},
		{"AS59446", "drweb", "asn", "prefix", "AS59446 is registered to Doctor Web Ltd, with 1 prefixes here"},
		{"223.6.6.6", "", "resolver", "prefix", "223.6.6.6 is in 223.6.6.6/32; Kaspersky products fall back to it, as number 3 of 5"},
		{"TCP 23150", "kaspersky", "port", "exact", "port tcp 23150 on the Internet"},
		{"tcp/13000", "kaspersky", "lan-port", "exact", "port tcp 13000 inside the site"},
		{"/updaters/updater.xml", "kaspersky", "path", "regexp", `the path matches ^/updaters/updater\.xml(\.dif|\.klz)?$`},
		{"http://94.75.236.123/updaters/updater.xml", "kaspersky", "path", "regexp", `the path matches ^/updaters/updater\.xml(\.dif|\.klz)?$`},
		{"https://redirect.kaspersky.com:443/?act-pid=kis", "kaspersky", "name", "exact", "the name is exactly redirect.kaspersky.com"},
		{"DrWebUpdate-12.0", "drweb", "user-agent", "regexp", `the User-Agent matches ^DrWebUpdate-\d`},
		{"x-eset-updateid", "eset", "header", "exact", "a request header is named X-ESET-UpdateID"},
		{"Sophos MCS Root CA3", "sophos", "issuer", "regexp", "the issuer matches ^Sophos .*MCS Root CA"},
	} {
		x := c.Explain(tc.query)
		require.Equal(t, tc.query, x.Query)
		require.NotEmpty(t, x.Matches, tc.query)
		m := x.Matches[0]
		require.Equal(t, []string{tc.vendor, tc.signal, tc.match, tc.why}, []string{m.Vendor, m.Signal, m.Match, m.Why}, tc.query)
		require.NotEmpty(t, m.Source)
		require.NotEmpty(t, m.Date)
		require.Equal(t, tc.query != "TCP 23150", m.Decides, tc.query)
	}
}

func TestExplainAll(t *testing.T) {
	c := mustEmbedded(t)
	x := c.Explain("s00.upd.kaspersky.com")
	var decides []bool
	for _, m := range x.Matches {
		decides = append(decides, m.Decides)
	}
	require.Equal(t, []bool{true, false, false}, decides)
	require.Contains(t, x.Matches[2].Why, "a more specific entry decides")

	x = c.Explain("http://example.org/bases/av")
	require.Len(t, x.Matches, 1)
	require.False(t, x.Matches[0].Decides)
	require.Contains(t, x.Matches[0].Needs, "kaspersky.com")
}

func TestExplainNothing(t *testing.T) {
	c := mustEmbedded(t)
	for _, q := range []string{"", " ", "www.example.org", "192.0.2.1", "AS1", "tcp 1", "/", "://", "http://", "http://[::1/x", "kaspersky"} {
		b, err := json.Marshal(c.Explain(q))
		require.NoError(t, err)
		var x struct {
			Query   string
			Matches []any
		}
		require.NoError(t, json.Unmarshal(b, &x))
		require.Equal(t, q, x.Query)
		require.NotNil(t, x.Matches, "an empty list, not null")
		require.Empty(t, x.Matches, q)
	}
}

// A vendor is found by its key or name, or a part of them, in any case; an entry by a part of its name, a port or a network.
func TestExplainFinds(t *testing.T) {
	c := mustEmbedded(t)
	for _, tc := range []struct{ query, vendor string }{
		{"drweb", "drweb"}, {"Dr.WEB", "drweb"}, {"KASPER", "kaspersky"}, {" doctor Web", "drweb"}, {"nobody", ""}, {"ka", ""},
	} {
		var got []string
		for _, v := range c.FindVendors(tc.query) {
			got = append(got, v.Key)
		}
		require.Equal(t, strings.Fields(tc.vendor), append([]string{}, got...), tc.query)
		require.Equal(t, got, c.Explain(tc.query).Vendors, tc.query)
	}
	for _, tc := range []struct{ query, pattern string }{
		{"UPD.kaspersky.co", `kaspersky`}, {"13000", "tcp 13000"}, {"TCP/13000", "tcp 13000"}, {"77.74.178.7/24", "AS200107"}, {"77.0.0.0/8", "AS200107"}, {"as200107", "AS200107"},
	} {
		matches := c.Explain(tc.query).Matches
		require.True(t, slices.ContainsFunc(matches, func(m Explained) bool { return strings.Contains(m.Pattern, tc.pattern) }), tc.query)
		require.Equal(t, tc.query == "UPD.kaspersky.co", matches[0].Part, tc.query)
	}
	require.Empty(t, c.Explain("77.75.0.0/30").Matches)
}

func FuzzExplain(f *testing.F) {
	c := mustEmbedded(f)
	for _, s := range []string{"77.74.178.1", "http://a:99/x?y", "update.drweb.com", "tcp 80", "AS1", "X-ESET-UpdateID"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		_, err := json.Marshal(c.Explain(q))
		require.NoError(t, err)
	})
}
