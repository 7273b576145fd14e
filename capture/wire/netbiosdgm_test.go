package wire

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func nbDatagram(kind byte, offset byte, source string) []byte {
	return append([]byte{kind, 2, 0x80, 1, 10, 0, 0, 5, 0, 138, 0, 200, 0, offset}, source...)
}

func TestParseNetBIOSDatagram(t *testing.T) {
	group := nbName("WORKGROUP", 0x1d, "")
	from := netip.MustParseAddr("10.0.0.5")
	got, err := ParseNetBIOSDatagram(nbDatagram(0x11, 0, nbName("CHIP-PC", 0, "")+group+"\xffSMB"))
	require.NoError(t, err)
	require.Equal(t, NBNS{Name: "CHIP-PC", Op: "datagram", Addr: from}, got)
	got, err = ParseNetBIOSDatagram(nbDatagram(0x10, 0, nbName("FILES", 0x20, "corp")+group))
	require.NoError(t, err)
	require.Equal(t, NBNS{Name: "FILES", Suffix: 0x20, Op: "datagram", Addr: from}, got)
	for name, in := range map[string][]byte{
		"error":          nbDatagram(0x13, 0, nbName("CHIP-PC", 0, "")+group),
		"query":          nbDatagram(0x14, 0, nbName("CHIP-PC", 0, "")+group),
		"later fragment": nbDatagram(0x11, 1, nbName("CHIP-PC", 0, "")+group),
		"no name":        nbDatagram(0x11, 0, "\x20this is not a first level encoding"),
	} {
		_, err := ParseNetBIOSDatagram(in)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
	_, err = ParseNetBIOSDatagram(nbDatagram(0x11, 0, nbName("CHIP-PC", 0, "")[:20]))
	require.ErrorIs(t, err, ErrTruncated)
}

func FuzzParseNetBIOSDatagram(f *testing.F) {
	f.Add(nbDatagram(0x11, 0, nbName("CHIP-PC", 0, "")+nbName("WORKGROUP", 0x1d, "")))
	f.Add(nbDatagram(0x13, 0, nbName("CHIP-PC", 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNetBIOSDatagram(b)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.LessOrEqual(t, len(n.Name), 15)
		require.Equal(t, "datagram", n.Op)
	})
}
