package wire

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

var arpReply = []byte("\x00\x01\x08\x00\x06\x04\x00\x02\x02\x00\x00\x00\x00\x01\x0a\x00\x00\x01\x02\x00\x00\x00\x00\x02\x0a\x00\x00\x02")

func TestParseARP(t *testing.T) {
	got, err := ParseARP(append(arpReply[:len(arpReply):len(arpReply)], make([]byte, 18)...))
	require.NoError(t, err)
	require.Equal(t, ARP{
		Reply:     true,
		SenderMAC: [6]byte{2, 0, 0, 0, 0, 1}, Sender: netip.MustParseAddr("10.0.0.1"),
		TargetMAC: [6]byte{2, 0, 0, 0, 0, 2}, Target: netip.MustParseAddr("10.0.0.2"),
	}, got)
	require.Zero(t, testing.AllocsPerRun(100, func() { got, err = ParseARP(arpReply) }))
	for at, change := range map[int]byte{1: 6, 3: 6, 4: 8, 5: 16, 7: 8} {
		b := append([]byte(nil), arpReply...)
		b[at] = change
		_, err = ParseARP(b)
		require.ErrorIs(t, err, ErrMalformed, "byte %d", at)
	}
	_, err = ParseARP(arpReply[:27])
	require.ErrorIs(t, err, ErrTruncated)
}

func FuzzARP(f *testing.F) {
	f.Add(arpReply)
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseARP(b); err == nil {
			require.True(t, a.Sender.Is4() && a.Target.Is4())
		}
	})
}
