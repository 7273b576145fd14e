package observe

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/wire"
)

// neighbourPacket is an ICMPv6 message on Ethernet, with a hop limit.
func neighbourPacket(kind, hops byte, src, dst, target, option string) capture.Packet {
	body := join([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, addr(target), []byte(option))
	ip := ip6Bytes(protoICMPv6, src, dst, body)
	ip[7] = hops
	return capture.Packet{Link: capture.LinkEthernet, Data: etherBytes(0x86dd, ip)}
}

func TestNeighbourDiscovery(t *testing.T) {
	const option = "\x02\x01\x02\x00\x00\x00\x00\x07"
	list := []capture.Packet{
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
	list := []capture.Packet{{Link: capture.LinkRaw, Data: ip4Bytes(ipUDP, "10.0.0.5", "10.0.0.255", udpBytes(138, 138, body))}}
	seen, _ := observed(t, Options{Observer: ObserverOptions{Interest: no{}}}, list)
	require.NotEmpty(t, seen)
	require.Equal(t, &wire.NBNS{Name: "CHIP-PC", Op: "datagram", Addr: netip.MustParseAddr("10.0.0.5")}, seen[0].ID.NBNS)
	seen, _ = observed(t, Options{}, list)
	require.Len(t, seen, 1, "observe prints the flow alone")
	require.Equal(t, capture.Contact, seen[0].Kind)
}

// A sign-in over SMB: the server's question and the client's answer of NTLM, the latter cut in two. Afterwards, nothing is read.
func TestComputerNames(t *testing.T) {
	wide := func(s string) (out []byte) {
		for i := range len(s) {
			out = append(out, s[i], 0)
		}
		return out
	}
	packet := func(ntlm []byte) []byte {
		body := join([]byte("\xfeSMB@\x00"), ntlm)
		return join([]byte{0, 0, byte(len(body) >> 8), byte(len(body))}, body)
	}
	server, client := wide("FILES"), wide("CHIP-PC")
	asks := make([]byte, 48)
	copy(asks, "NTLMSSP\x00\x02")
	asks[40], asks[44] = byte(4+len(server)), 48
	asks = join(asks, []byte{1, 0, byte(len(server)), 0}, server)
	tells := make([]byte, 64)
	copy(tells, "NTLMSSP\x00\x03")
	tells[44], tells[48], tells[60] = byte(len(client)), 64, 1
	tells = join(tells, client)
	answer := packet(tells)
	tcp := func(fromClient bool, port int, flags uint8, seq, ack uint32, b []byte) capture.Packet {
		if fromClient {
			return capture.Packet{Link: capture.LinkRaw, Data: ip4Bytes(protoTCP, "10.0.0.5", "10.0.0.2", tcpBytes(50000, port, flags, seq, ack, b))}
		}
		return capture.Packet{Link: capture.LinkRaw, Data: ip4Bytes(protoTCP, "10.0.0.2", "10.0.0.5", tcpBytes(port, 50000, flags, seq, ack, b))}
	}
	names := func(opt Options, port int) (out []string) {
		question := packet(asks)
		seen, _ := observed(t, opt, []capture.Packet{
			tcp(true, port, decode.SYN, 99, 0, nil), tcp(false, port, decode.SYN|decode.ACK, 999, 100, nil),
			tcp(false, port, decode.ACK, 1000, 100, question),
			tcp(true, port, decode.ACK, 100, 1000+uint32(len(question)), answer[:70]),
			tcp(true, port, decode.ACK, 170, 1000+uint32(len(question)), answer[70:]),
			tcp(true, port, decode.ACK, 100+uint32(len(answer)), 1000+uint32(len(question)), answer),
		})
		for _, o := range seen {
			if o.ID != nil && o.ID.SMB != nil {
				out = append(out, o.Src.Addr().String()+" "+o.ID.SMB.Name)
			}
		}
		return out
	}
	want := []string{"10.0.0.2 FILES", "10.0.0.5 CHIP-PC"}
	asked := Options{Observer: ObserverOptions{Interest: no{}}}
	require.Equal(t, want, names(asked, 445))
	require.Equal(t, want, names(asked, 139))
	require.Empty(t, names(asked, 4450))
	require.Empty(t, names(Options{}, 445), "observe prints no line for it")
}
