package feeds

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/require"
	"go4.org/netipx"
)

type (
	m   = mmdbtype.Map
	str = mmdbtype.String
)

// fixture is a database to be made.
type fixture struct {
	name    string // file name
	kind    string // database_type
	date    string // YYYY-MM-DD
	version int    // 4 or 6, 6 where 0
	records map[string]mmdbtype.DataType
}

func (f fixture) bytes(t testing.TB) []byte {
	t.Helper()
	built, err := time.Parse(time.DateOnly, f.date)
	require.NoError(t, err)
	if f.version == 0 {
		f.version = 6
	}
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		BuildEpoch: built.Unix(), DatabaseType: f.kind, IPVersion: f.version, RecordSize: 24, IncludeReservedNetworks: true,
	})
	require.NoError(t, err)
	for prefix, record := range f.records {
		require.NoError(t, tree.Insert(netipx.PrefixIPNet(netip.MustParsePrefix(prefix)), record))
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// file writes the database into the test's own folder.
func (f fixture) file(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), f.name)
	require.NoError(t, os.WriteFile(path, f.bytes(t), 0o600))
	return path
}

// open opens files for the length of the test.
func open(t testing.TB, embedded bool, files ...string) *Places {
	t.Helper()
	p, err := OpenPlaces(files, embedded)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// only returns the one opinion on an address.
func only(t *testing.T, p *Places, address string) Opinion {
	t.Helper()
	list := p.Locate(netip.MustParseAddr(address))
	require.Len(t, list, 1, address)
	return list[0]
}

// city makes a record in MaxMind's shape.
func city(country, name string, id uint32, lat, lon float64, radius uint16) m {
	record := m{
		"country":            m{"iso_code": str(country), "names": m{"en": str("somewhere"), "ru": str("где-то")}},
		"registered_country": m{"iso_code": str("CH")},
		"location": m{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon),
			"accuracy_radius": mmdbtype.Uint16(radius), "time_zone": str("Europe/Moscow")},
		"subdivisions": mmdbtype.Slice{m{"iso_code": str("MOW")}},
	}
	if name != "" {
		record["city"] = m{"geoname_id": mmdbtype.Uint32(id), "names": m{"de": str("Moskau"), "en": str(name)}}
	}
	return record
}
