package wire

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a parser that is called for an Observation may allocate: the values that it gives, and no more. (Those that are called
// for each packet allocate nothing; their tests stand beside them.)
func TestParsersAllocateWhatTheyGive(t *testing.T) {
	_, fromServer := handshake(t, clientConfig(tls.VersionTLS12), serverConfig(t))
	s := ScanHandshake(fromServer, nil)
	_, hello, _ := s.Next()
	_, certificate, _ := s.Next()
	answer := dnsMsg(t, true, "www.example.com", 1, "www.example.com. 60 IN CNAME a.example.com.", "a.example.com. 60 IN A 192.0.2.1",
		"a.example.com. 60 IN A 192.0.2.2")
	lease := dhcp4(opt(53, "\x01"), opt(12, "PC-7"), opt(60, "MSFT 5.0"), opt(61, "\x01\x02\x00\x00\x00\x00\x07"))
	lease6 := []byte("\x01\x12\x34\x56" + opt6(16, "\x00\x00\x01\x37\x00\x08MSFT 5.0") + opt6(39, "\x00\x04pc-7\x04corp\x00"))
	query := nbPacket(0x0110, 1, 0, 0, nbName("WPAD", 0, "")+nbIN)
	datagram := nbDatagram(0x11, 0, nbName("CHIP-PC", 0, "")+nbName("WORKGROUP", 0x1d, ""))
	for _, p := range []struct {
		name  string
		parse func() error
		most  float64 // of allocations
	}{
		{"DNS", func() error { _, err := ParseDNS(answer); return err }, 32},
		{"server hello", func() error { _, err := ParseServerHello(hello, false); return err }, 4},
		{"certificates", func() error { _, err := ParseCertificates(certificate, false); return err }, 14},
		{"DHCP", func() error { _, err := ParseDHCP(lease); return err }, 6},
		{"DHCPv6", func() error { _, err := ParseDHCPv6(lease6); return err }, 6},
		{"NetBIOS name", func() error { _, err := ParseNBNS(query); return err }, 2},
		{"NetBIOS datagram", func() error { _, err := ParseNetBIOSDatagram(datagram); return err }, 1},
	} {
		require.NoError(t, p.parse(), p.name)
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = p.parse() }), p.most, p.name)
	}
}

// A header of HTTP that does not end, and a message that claims more than it holds, cost what is there.
func TestBrokenInputAllocatesLittle(t *testing.T) {
	claims := dnsMsg(t, true, "www.example.com", 1)
	claims[6], claims[7] = 0xff, 0xff
	endless := []byte("GET / HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", 1000))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ParseDNS(claims) }), 4.0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var v RequestView
		ScanRequest(endless, &v)
	}))
}
