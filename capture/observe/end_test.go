package observe

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/internal/testkit"
)

// arrived are the packets of a made capture, but for those with the bytes LOST in them.
func arrived(c *testkit.Capture) (list []capture.Packet) {
	for _, f := range c.Frames() {
		if !bytes.Contains(f.Data, []byte("LOST")) {
			list = append(list, capture.Packet{Data: f.Data, OrigLen: uint32(len(f.Data)), Time: f.Time.UnixNano(), Link: capture.LinkEthernet})
		}
	}
	return list
}

// Two machines in two VLANs have the same address. Each sends or gets something of which a segment is lost. What came after
// the hole, or is unfinished before it, is delivered when the flow ends, and its packet is gone by then. It must be reported
// for the machine that it belongs to.
func TestWhatIsReadAtAFlowsEndKeepsItsMachine(t *testing.T) {
	here := netip.MustParseAddr("10.1.0.20")
	clients := map[uint16]testkit.Host{
		7: {MAC: [6]byte{2, 0, 0, 0, 7, 1}, Addr: here, VLAN: 7},
		8: {MAC: [6]byte{2, 0, 0, 0, 8, 1}, Addr: here, VLAN: 8},
	}
	router := testkit.Host{MAC: [6]byte{2, 0, 0, 0, 0, 254}}
	server := testkit.Host{Addr: netip.MustParseAddr("192.0.2.80"), RTT: 20 * time.Millisecond}.Behind(router)

	const part = 100 // bytes in a segment
	lost := slices.Concat([]byte("LOST"), make([]byte, part-4))
	hello, err := testkit.TLS{Name: "www.example.org", Classic: true, Seed: 3}.Hello()
	require.NoError(t, err)
	request := []byte("GET /update HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
	cut := slices.Concat(request[:len(request)-2], []byte("X-Long: "), make([]byte, part-len(request)-6), lost, []byte("\r\n\r\n"))
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

	for name, c := range map[string]struct {
		port uint16
		want string
		say  func(k *testkit.TCP)
	}{
		"hello after a hole":   {443, "tls hello www.example.org", func(k *testkit.TCP) { k.Send(lost); k.Send(hello) }},
		"request after a hole": {80, "GET www.example.org /update", func(k *testkit.TCP) { k.Send(lost); k.Send(request) }},
		"request with a hole":  {80, "GET www.example.org /update", func(k *testkit.TCP) { k.Send(cut) }},
		"answer after a hole":  {80, "200", func(k *testkit.TCP) { k.Send(request); k.Reply(lost); k.Reply(answer) }},
	} {
		t.Run(name, func(t *testing.T) {
			made := testkit.NewCapture(5)
			for vlan, client := range clients {
				k := made.Open(time.Unix(1_700_000_000+int64(vlan), 0), client, server, c.port)
				k.MSS = part
				c.say(k)
			}
			requireMachines(t, arrived(made), clients, router.MAC, c.want)
		})
	}
	t.Run("midstream, the server first", func(t *testing.T) {
		made := testkit.NewCapture(5)
		for vlan, client := range clients {
			k := made.Midstream(time.Unix(1_700_000_000+int64(vlan), 0), client, server, 4444)
			k.Reply([]byte("ready"))
			k.Send(hello)
		}
		requireMachines(t, arrived(made), clients, router.MAC, "tls hello www.example.org")
	})
}

// requireMachines wants all that is seen to belong to the client in its VLAN, want once for each of them.
func requireMachines(t *testing.T, list []capture.Packet, clients map[uint16]testkit.Host, router [6]byte, want string) {
	for _, workers := range []int{1, 3} {
		seen, _ := observed(t, Options{Workers: workers}, slices.Clone(list))
		found := map[uint16]int{}
		for i := range seen {
			o := &seen[i]
			what := fmt.Sprintf("%s in VLAN %d", brief(o), o.Host.VLAN)
			client, ok := clients[o.Host.VLAN]
			require.True(t, ok, what)
			require.Equal(t, client.MAC, o.Host.MAC, what)
			require.True(t, o.Host.HasMAC && o.HasSrcMAC, what)
			require.Equal(t, client.Addr, o.Host.Addr, what)
			if o.Src.Addr() == client.Addr {
				require.Equal(t, client.MAC, o.SrcMAC, what)
			} else {
				require.Equal(t, router, o.SrcMAC, what)
			}
			require.Equal(t, []uint16{client.VLAN}, o.Link.VLANs, what)
			if brief(o) == want {
				found[client.VLAN]++
			}
		}
		require.Equal(t, map[uint16]int{7: 1, 8: 1}, found)
	}
}
