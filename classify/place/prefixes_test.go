package place

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/feeds"
)

// Every network of Kaspersky and Dr.Web, as the embedded data alone places it: one maker never makes M3, and what its
// source says is what comes out.
func TestVendorNetworksByEmbeddedData(t *testing.T) {
	p, err := feeds.OpenPlaces(nil, true)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	where := Locator(p)
	table, err := os.ReadFile("testdata/prefixes.tsv")
	require.NoError(t, err)
	levels := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[1:] {
		row := strings.Split(line, "\t")
		country, city, _ := strings.Cut(row[2], "/")
		first := netip.MustParsePrefix(row[0]).Addr()
		for _, a := range []netip.Addr{first, first.Next(), last24(first)} {
			got := where(a)
			require.Equal(t, country, got.Country, "%s: %s", a, got.Words)
			require.Equal(t, city, got.City, "%s: %s", a, got.Words)
			require.Equal(t, row[1], strconv.FormatUint(uint64(got.ASN), 10))
		}
		levels[where(first).Level.String()]++
	}
	require.Equal(t, map[string]int{"M2": 36, "R1": 2, "N": 20}, levels)
}

// last24 is the last address of the /24 that starts at a.
func last24(a netip.Addr) netip.Addr {
	b := a.As4()
	b[3] = 255
	return netip.AddrFrom4(b)
}
