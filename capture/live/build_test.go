package live

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

const (
	ipUDP = 17
	near  = "10.0.0.7"
	far   = "192.0.2.80"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func u16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func ip4Bytes(proto uint8, src, dst string, payload []byte) []byte {
	return join([]byte{0x45, 0}, u16(20+len(payload)), make([]byte, 4), []byte{64, proto, 0, 0},
		netip.MustParseAddr(src).AsSlice(), netip.MustParseAddr(dst).AsSlice(), payload)
}

func udpBytes(src, dst int, payload []byte) []byte {
	return join(u16(src), u16(dst), u16(8+len(payload)), u16(0), payload)
}

func question(t testing.TB, name string) []byte {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// captures are the paths of the captures in testdata.
func captures(t testing.TB) []string {
	list, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcap", "*.pcap"))
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

func firstDifference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(0, i-300)
	return fmt.Sprintf("\n%s\n---\n%s", a[from:min(len(a), i+300)], b[from:min(len(b), i+300)])
}
