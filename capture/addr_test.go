package capture

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddrWords(t *testing.T) {
	for _, s := range []string{"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "::ffff:10.1.2.3", "2001:db8::ff", "fe80::1%eth0"} {
		a := netip.MustParseAddr(s)
		b := a.As16()
		first, second := AddrWords(a)
		require.Equal(t, binary.LittleEndian.Uint64(b[:8]), first, s)
		require.Equal(t, binary.LittleEndian.Uint64(b[8:]), second, s)
		require.Equal(t, Addr16(b).Hash(), HashAddr(a), s)
	}
}

// The last byte of an IPv4 address reaches the upper bits, which tables index by.
func TestHashSpreadsNeighbours(t *testing.T) {
	seen := map[uint64]bool{}
	for n := range 256 {
		seen[HashAddr(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}))>>52] = true
	}
	require.Greater(t, len(seen), 200)
}
