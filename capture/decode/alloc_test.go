package decode

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

func TestDecodeAllocates(t *testing.T) {
	for name, frame := range benchFrames() {
		d := New(Options{})
		p := capture.Packet{Data: frame, OrigLen: uint32(len(frame)), Link: capture.LinkEthernet}
		var out Headers
		require.Equal(t, LayerIP, d.Decode(&p, &out))
		require.Zero(t, testing.AllocsPerRun(100, func() { d.Decode(&p, &out) }), name)
	}
}

// TestFragmentMemoryIsBounded: what a flood of fragments costs is bounded by the table's limit.
func TestFragmentMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20
	d := New(Options{MaxFragments: limit})
	var out Headers
	for i := range 65536 {
		b := ip4Piece(ipUDP, "10.0.0.1", "10.0.0.2", i, 0x2000|i&0x1ff, make([]byte, 8+i%1400&^7))
		require.Equal(t, LayerNone, d.Decode(&capture.Packet{Data: b, OrigLen: uint32(len(b)), Link: capture.LinkRaw, Time: int64(i)}, &out))
		require.LessOrEqual(t, d.frags.memory, limit)
	}
	s := d.Stats().Fragments
	require.NotZero(t, s.Dropped)
	require.EqualValues(t, 65536, s.Pieces)
	require.EqualValues(t, 65536, s.Dropped+uint64(s.Pending))
	require.LessOrEqual(t, len(d.frags.queue), 4*s.Pending+65)
	require.EqualValues(t, 65536, d.Stats().Undecoded[capture.ReasonFragmentWaiting])
}
