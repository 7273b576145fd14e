package names

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"

	"github.com/stretchr/testify/require"
)

// What was learned before a restart explains flows after it as it would have without one.
func TestWhatWasLearnedOutlivesARestart(t *testing.T) {
	const name = "ds.kaspersky.com"
	before := New(Options{})
	kept := map[uint8]Piece{}
	keep := func(at time.Time) {
		for _, p := range before.Changed(at) {
			kept[p.Part] = p
		}
	}
	other := netip.MustParseAddr("198.51.100.7")
	before.Stamp(answer(one, name, 300, noon, there, other))
	keep(noon)
	before.Stamp(answer(two, "www.example.org", 300, noon.Add(time.Second), there))
	keep(noon)
	before.Stamp(answer(one, "", 0, noon.Add(2*time.Second), other)) // it serves another name now
	keep(noon)
	require.Empty(t, before.Changed(noon), "nothing changed since")

	after := New(Options{})
	var pieces []Piece
	for _, p := range kept {
		pieces = append(pieces, p)
	}
	require.NoError(t, after.Restore(pieces))
	require.Empty(t, after.Changed(noon), "what was taken up is saved")
	three := netip.MustParseAddr("10.0.0.3")
	for _, host := range []netip.Addr{one, two, three} {
		for _, at := range []time.Duration{-time.Minute, time.Minute, 14 * time.Minute, 16 * time.Minute} {
			for _, server := range []netip.Addr{there, other} {
				want, got := flow(host, noon.Add(at), 0), flow(host, noon.Add(at), 0)
				want.Dst, got.Dst = netip.AddrPortFrom(server, 443), netip.AddrPortFrom(server, 443)
				before.Stamp(want)
				after.Stamp(got)
				require.Equal(t, want, got, "%v to %v after %v", host, server, at)
			}
		}
	}
	x := flow(one, noon.Add(time.Minute), 0)
	after.Stamp(x)
	require.Equal(t, name, x.Name)
}

// A machine that is known by a number is known by its address after a restart, since the number is not.
func TestMachinesAreKnownByAddressAfterARestart(t *testing.T) {
	before, after := New(Options{}), New(Options{})
	a := answer(one, "ds.kaspersky.com", 300, noon, there)
	a.Host.Machine = 7
	before.Stamp(a)
	require.NoError(t, after.Restore(before.Changed(noon)))
	f := flow(one, noon.Add(time.Minute), 0)
	f.Host.Machine = 3
	after.Stamp(f)
	require.Equal(t, "ds.kaspersky.com", f.Name)
	require.Zero(t, f.Marks&capture.NameOther, "its own DNS query")
}

// Expired names are not saved. Restore reads no more names than may be remembered, the latest ones.
func TestSavedNamesAreBounded(t *testing.T) {
	before := New(Options{})
	for i := range 1000 {
		before.Stamp(answer(one, fmt.Sprintf("n%d.example.org", i), 300, noon.Add(time.Duration(i)*time.Second), netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})))
	}
	after := New(Options{MaxPairs: 100})
	require.NoError(t, after.Restore(before.Changed(noon.Add(15*time.Minute+499*time.Second))))
	require.Equal(t, 100, after.Stats().Pairs)
	for i := range 100 {
		require.Contains(t, after.pairs, pair{one.As16(), netip.AddrFrom4([4]byte{203, 0, byte((900 + i) >> 8), byte(900 + i)}).As16()})
	}
	all := New(Options{})
	before.changed = [parts]bool{}
	for i := range before.changed {
		before.changed[i] = true
	}
	require.NoError(t, all.Restore(before.Changed(noon.Add(15*time.Minute+499*time.Second))))
	require.Equal(t, 501, all.Stats().Pairs)
}

// Changed is asked about once a second, by the goroutine that packets wait for.
func TestChangedLooksAtWhatChangedAlone(t *testing.T) {
	const all = 1 << 14
	n := New(Options{})
	for i := range all {
		n.Stamp(answer(one, "ds.kaspersky.com", 300, noon, netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})))
	}
	require.Len(t, n.Changed(noon), parts)
	require.EqualValues(t, all, n.looked)
	n.Stamp(answer(one, "ds.kaspersky.com", 300, noon.Add(time.Minute), netip.AddrFrom4([4]byte{203, 0, 1, 1})))
	require.Len(t, n.Changed(noon), 1)
	require.EqualValues(t, all+all/parts, n.looked)
	require.Empty(t, n.Changed(noon))
	require.EqualValues(t, all+all/parts, n.looked)
}

// The parts hold every pair once, whoever queries again, unlearns or is evicted.
func TestPartsHoldEveryPair(t *testing.T) {
	n := New(Options{MaxPairs: 50})
	for i := range 2000 {
		server := netip.AddrFrom4([4]byte{203, 0, 113, byte(i * 7 % 61)})
		host := []netip.Addr{one, two}[i%2]
		a := answer(host, []string{"ds.kaspersky.com", "", "www.example.org"}[i%3], 300, noon.Add(time.Duration(i)*time.Second), server)
		a.Host.Machine = capture.Machine(i % 5)
		n.Stamp(a)
		count := 0
		for part, list := range n.parts {
			for at, l := range list {
				require.Equal(t, at, l.at)
				require.EqualValues(t, part, partOf(l.host, l.addr))
				count++
			}
		}
		require.Equal(t, len(n.pairs), count)
	}
}

func FuzzRestore(f *testing.F) {
	n := New(Options{})
	n.Stamp(answer(one, "ds.kaspersky.com", 300, noon, there))
	for _, p := range n.Changed(noon) {
		f.Add(p.Data)
		f.Add(p.Data[:len(p.Data)-1])
	}
	f.Add([]byte{savedForm})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := New(Options{MaxPairs: 16})
		err := n.Restore([]Piece{{Data: b}})
		if err == nil {
			again := New(Options{MaxPairs: 16})
			for i := range n.changed {
				n.changed[i] = true
			}
			require.NoError(t, again.Restore(n.Changed(time.Unix(0, 0))), "what is written can be read")
			require.Equal(t, len(n.pairs), len(again.pairs))
		}
		require.LessOrEqual(t, n.Stats().Pairs, 16)
	})
}
