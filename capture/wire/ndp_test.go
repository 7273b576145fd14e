package wire

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ndpTarget = "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"
	ndpMACOf7 = "\x02\x00\x00\x00\x00\x07"
)

func TestParseNDP(t *testing.T) {
	target, mac := netip.MustParseAddr("fe80::7"), [6]byte([]byte(ndpMACOf7))
	for _, c := range []struct {
		name string
		kind uint8
		in   string
		want NDP
	}{
		{"advertisement", 136, ndpTarget + "\x02\x01" + ndpMACOf7,
			NDP{Advertisement: true, Target: target, MAC: mac, HasMAC: true}},
		{"of a router, without option", 136, ndpTarget, NDP{Advertisement: true, Target: target}},
		{"solicitation", 135, ndpTarget + "\x01\x01" + ndpMACOf7, NDP{Target: target, MAC: mac, HasMAC: true}},
		{"duplicate address detection with a nonce", 135, ndpTarget + "\x0e\x01123456", NDP{Target: target}},
		{"behind another option", 136, ndpTarget + "\x0e\x01123456\x02\x01" + ndpMACOf7,
			NDP{Advertisement: true, Target: target, MAC: mac, HasMAC: true}},
		{"the other side's option", 136, ndpTarget + "\x01\x01" + ndpMACOf7, NDP{Advertisement: true, Target: target}},
		{"option of no length", 136, ndpTarget + "\x02\x00" + ndpMACOf7, NDP{Advertisement: true, Target: target}},
		{"option that breaks off", 136, ndpTarget + "\x02\x02" + ndpMACOf7, NDP{Advertisement: true, Target: target}},
		{"hardware address of another length", 135, ndpTarget + "\x01\x02" + ndpMACOf7 + "12345678", NDP{Target: target}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseNDP(c.kind, []byte(c.in))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := ParseNDP(134, []byte(ndpTarget))
	require.ErrorIs(t, err, ErrMalformed)
	_, err = ParseNDP(135, []byte(ndpTarget[:15]))
	require.ErrorIs(t, err, ErrTruncated)
	_, err = ParseNDP(135, []byte("\xff\x02"+ndpTarget[2:]))
	require.ErrorIs(t, err, ErrMalformed)
	in := []byte(ndpTarget + "\x02\x01" + ndpMACOf7)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = ParseNDP(136, in) }))
}

func FuzzParseNDP(f *testing.F) {
	f.Add(uint8(136), []byte(ndpTarget+"\x02\x01"+ndpMACOf7))
	f.Add(uint8(135), []byte(ndpTarget+"\x0e\x01123456\x01\x01"+ndpMACOf7))
	f.Add(uint8(135), []byte(ndpTarget+"\x01\x00"))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		n, err := ParseNDP(kind, b)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.True(t, n.Target.Is6())
		require.False(t, n.Target.IsMulticast())
	})
}
