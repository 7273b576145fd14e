package classify

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// anAddress makes the n-th of many addresses: IPv4, IPv6, and IPv4 in IPv6 form, which is another address.
func anAddress(n uint32) netip.Addr {
	a := [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
	switch n % 3 {
	case 0:
		return netip.AddrFrom16(a).Unmap()
	case 1:
		return netip.AddrFrom16(a)
	}
	a[0] = 0x20
	return netip.AddrFrom16(a)
}

func TestAddrIndexAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, want := newAddrIndex(), map[netip.Addr]*host{}
	hosts := []*host{{}, {}, {}}
	for range 200_000 {
		a, h := anAddress(r.Uint32N(9000)), hosts[r.IntN(len(hosts))]
		require.Equal(t, want[a] == nil, x.get(a) == nil)
		require.True(t, want[a] == x.get(a))
		if r.IntN(3) > 0 {
			x.set(a, h)
			want[a] = h
			require.False(t, x.stranger(a))
			continue
		}
		x.drop(a, h)
		if want[a] == h {
			delete(want, a)
		}
		require.Equal(t, len(want), x.used)
	}
	for n := range uint32(9000) {
		require.True(t, want[anAddress(n)] == x.get(anAddress(n)))
	}
	for a, h := range want {
		x.drop(a, h)
	}
	require.Zero(t, x.used)
	for i := range x.slots {
		require.Nil(t, x.slots[i].host)
	}
}

// Addresses whose halves differ by the same bits, or by bits moved between the halves, spread over the slots as any others do, for
// any seed: nobody who owns a network of IPv6 can make them share one.
func TestAddressesSpread(t *testing.T) {
	for range 4 {
		x := newAddrIndex()
		for _, shift := range []int{0, 8, 17, 32, 40, 48} {
			slots := map[uint64]bool{}
			for n := range uint64(len(x.slots)) {
				var a [16]byte
				binary.LittleEndian.PutUint64(a[:], 0x120+n<<(64-12))
				binary.LittleEndian.PutUint64(a[8:], n<<shift)
				slots[x.home(netip.AddrFrom16(a))] = true
			}
			require.Greater(t, len(slots), len(x.slots)/2, "shift %d; a fair draw takes 63 %%", shift)
		}
	}
}
