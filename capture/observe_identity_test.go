package capture

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/wire"
)

// neighbourPacket is an ICMPv6 message on Ethernet, with a hop limit.
func neighbourPacket(kind, hops byte, src, dst, target, option string) Packet {
	body := join([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, addr(target), []byte(option))
	ip := ip6Bytes(protoICMPv6, src, dst, body)
	ip[7] = hops
	return Packet{Link: LinkEthernet, Data: etherBytes(0x86dd, ip)}
}

func TestNeighbourDiscovery(t *testing.T) {
	const option = "\x02\x01\x02\x00\x00\x00\x00\x07"
	list := []Packet{
		neighbourPacket(136, 255, "fe80::7", "ff02::1", "fe80::7", option),
		neighbourPacket(135, 255, "::", "ff02::1:ff00:7", "2001:db8::7", ""),
		neighbourPacket(136, 64, "fe80::7", "ff02::1", "fe80::7", option), // came through a router
		neighbourPacket(134, 255, "fe80::1", "ff02::1", "fe80::7", option),
		neighbourPacket(136, 255, "fe80::7", "ff02::1", "ff02::7", option), // malformed
	}
	seen, st := observed(t, Options{Observer: ObserverOptions{Interest: no{}}}, list)
	require.Len(t, seen, 2)
	require.Equal(t, &wire.NDP{Advertisement: true, Target: netip.MustParseAddr("fe80::7"), MAC: [6]byte{2, 0, 0, 0, 0, 7}, HasMAC: true}, seen[0].ID.NDP)
	require.Equal(t, netip.MustParseAddr("fe80::7"), seen[0].Host.Addr)
	require.True(t, seen[0].HasSrcMAC)
	require.Equal(t, &wire.NDP{Target: netip.MustParseAddr("2001:db8::7")}, seen[1].ID.NDP)
	require.Equal(t, uint64(1), st.Observer.MalformedOther)
	seen, _ = observed(t, Options{}, list)
	require.Empty(t, seen, "observe prints no line for it")
}

func TestNetBIOSDatagram(t *testing.T) {
	name := "\x20EDEIEJFACNFAEDCACACACACACACACAAA\x00" // CHIP-PC<00>, RFC 1001 14.1
	body := join([]byte{0x11, 2, 0, 1, 10, 0, 0, 5, 0, 138, 0, 0, 0, 0}, []byte(name))
	list := []Packet{{Link: LinkRaw, Data: ip4Bytes(ipUDP, "10.0.0.5", "10.0.0.255", udpBytes(138, 138, body))}}
	seen, _ := observed(t, Options{Observer: ObserverOptions{Interest: no{}}}, list)
	require.NotEmpty(t, seen)
	require.Equal(t, &wire.NBNS{Name: "CHIP-PC", Op: "datagram", Addr: netip.MustParseAddr("10.0.0.5")}, seen[0].ID.NBNS)
	seen, _ = observed(t, Options{}, list)
	require.Len(t, seen, 1, "observe prints the flow alone")
	require.Equal(t, Contact, seen[0].Kind)
}
