package hosts

import (
	"net/netip"
	"testing"

	"avbeacon/capture"

	"github.com/stretchr/testify/require"
)

// plain is a flow of no concern. Names may make it one of concern after Stamp.
func plain(a netip.Addr, mac [6]byte) *capture.Observation {
	p := packet(a, mac, noon)
	p.Marks |= capture.Plain
	return p
}

// A flow that is looked at in passing, for another one between the same machines was seen, comes out as the first did.
func TestFlowsInPassingKeepTheirHost(t *testing.T) {
	h := New(Options{})
	for range 3 {
		p := plain(pc, macA)
		h.Stamp(p)
		require.True(t, p.Host.HasMAC)
		require.Equal(t, macA, p.Host.MAC)
	}
	h.Stamp(arp(pc, macA, noon))
	for range 3 {
		p := plain(pc, macA)
		h.Stamp(p)
		require.True(t, p.Host.Own)
		require.NotZero(t, p.Host.Machine)
	}
}

func TestFlowsInPassingLoseARoutersAddress(t *testing.T) {
	h := New(Options{})
	for i := range 20 {
		h.Stamp(plain(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), macA))
	}
	for range 3 {
		p := plain(netip.AddrFrom4([4]byte{203, 0, 113, 1}), macA)
		h.Stamp(p)
		require.False(t, p.Host.HasMAC)
	}
}

func TestMorePairsThanRecentHolds(t *testing.T) {
	r := newRecent()
	var a netip.Addr
	for i := range uint64(20 * recentSets) {
		a = netip.AddrFrom4([4]byte{10, byte(i), byte(i >> 8), byte(i >> 16)})
		pair := r.hash(i, a, 0, 0)
		_, ok := r.look(pair)
		require.False(t, ok, "a pair that was never there")
		r.note(pair, i%3 == 0)
		router, ok := r.look(pair)
		require.True(t, ok)
		require.Equal(t, i%3 == 0, router)
	}
	pair := r.hash(1, a, 0, 0)
	r.note(pair, false)
	r.change()
	_, ok := r.look(r.hash(1, a, 0, 0))
	require.False(t, ok, "something new was learnt")
}
