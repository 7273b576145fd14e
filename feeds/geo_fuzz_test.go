package feeds

import (
	"net/netip"
	"os"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"
	"github.com/stretchr/testify/require"
)

// FuzzOpen opens any bytes as a database and asks it for any address: no panic, and whatever comes out keeps its bounds.
func FuzzOpen(f *testing.F) {
	f.Add(fixture{kind: "GeoLite2-City", date: "2026-09-18", records: map[string]mmdbtype.DataType{
		"31.1.1.0/24": city("RU", "Moscow", MoscowID, 55.75, 37.61, 20), "2a03:2480::/32": city("RU", "", 0, 55.7, 37.6, 1000),
	}}.bytes(f), []byte{31, 1, 1, 1})
	f.Add(fixture{kind: "city ipv4", date: "2026-06-05", version: 4, records: map[string]mmdbtype.DataType{
		"31.1.1.0/24": flatRecord("RU", "Moscow"),
	}}.bytes(f), []byte{31, 1, 1, 1})
	for _, name := range []string{"ipinfo_lite_sample", "ip_geolocation_extended_sample"} {
		data, err := os.ReadFile("testdata/geo/" + name + ".mmdb")
		require.NoError(f, err)
		f.Add(data, []byte{1, 0, 0, 1})
	}
	f.Fuzz(func(t *testing.T, data, address []byte) {
		a, ok := netip.AddrFromSlice(address)
		if !ok {
			return
		}
		reader, err := maxminddb.OpenBytes(data)
		if err != nil {
			return
		}
		b, err := newBase(reader, "fuzz.mmdb")
		if err != nil {
			return
		}
		p := &Places{bases: []*base{b}}
		first := p.Locate(a)
		for _, o := range first {
			require.LessOrEqual(t, len(o.City), 3*textLimit)
			require.LessOrEqual(t, o.Radius, uint16(maxRadius))
			require.Contains(t, []int{0, 2}, len(o.Country))
			require.Contains(t, []int{0, 2}, len(o.Registered))
		}
		require.Equal(t, first, p.Locate(a), "the cache must not change an answer")
		require.NoError(t, p.Close())
	})
}
