package testkit

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"
)

var (
	noon   = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	client = Host{Name: "PC-7", MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 7}, Addr: netip.MustParseAddr("192.168.10.7"), TTL: 128}
	server = Host{MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 1}, Addr: netip.MustParseAddr("192.0.2.1"), TTL: 52, RTT: 40 * time.Millisecond}
)

// decode reads a frame with gopacket and requires that it is without fault, checksums apart.
func decode(t *testing.T, frame []byte) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	require.Nil(t, p.ErrorLayer(), "%v", p)
	return p
}

// stream joins the payloads that a side sent, in order of sequence number, and requires that none is missing.
func stream(t *testing.T, c *Capture, from Host) []byte {
	t.Helper()
	parts := map[uint32][]byte{}
	var first uint32
	for _, f := range c.Frames() {
		p := decode(t, f.Data)
		tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if p.NetworkLayer().NetworkFlow().Src().String() != from.Addr.String() {
			continue
		}
		if tcp.SYN {
			first = tcp.Seq + 1
		}
		if len(tcp.Payload) > 0 {
			parts[tcp.Seq-first] = tcp.Payload
		}
	}
	var out []byte
	for range parts {
		part, ok := parts[uint32(len(out))]
		require.True(t, ok, "gap at %d", len(out))
		out = append(out, part...)
	}
	return out
}

func TestConnection(t *testing.T) {
	c := NewCapture(1)
	ask, answer := bytes.Repeat([]byte("a"), 3000), bytes.Repeat([]byte("b"), 2000)
	conn := c.Open(noon, client, server, 80)
	conn.Send(ask)
	conn.Reply(answer)
	conn.SendParts([]byte("0123456789"), 4, 2, 0, 1, 0)
	conn.Close()
	require.Equal(t, string(ask)+"0123456789", string(stream(t, c, client)))
	require.Equal(t, answer, stream(t, c, server))
	frames := c.Frames()
	require.Equal(t, noon.Add(server.RTT), frames[1].Time)
	last := decode(t, frames[len(frames)-1].Data)
	require.EqualValues(t, 128, last.NetworkLayer().(*layers.IPv4).TTL)
}

func TestFailures(t *testing.T) {
	c := NewCapture(1)
	c.Refused(noon, client, server, 443)
	c.Unanswered(noon.Add(time.Minute), client, server, 443)
	var flags []string
	for _, f := range c.Frames() {
		tcp := decode(t, f.Data).Layer(layers.LayerTypeTCP).(*layers.TCP)
		flags = append(flags, map[bool]string{true: "RST", false: "SYN"}[tcp.RST])
	}
	require.Equal(t, []string{"SYN", "RST", "SYN", "SYN", "SYN", "SYN"}, flags)
}

func TestTLS(t *testing.T) {
	for name, s := range map[string]TLS{
		"1.3": {Name: "www.example.org", ALPN: []string{"h2", "http/1.1"}, Seed: 1, Ask: 100, Answer: 2000},
		"1.2": {Name: "www.example.org", Version: tls.VersionTLS12, Classic: true, SANs: []string{"*.example.org"}, Seed: 1, Ask: 1, Answer: 1},
	} {
		t.Run(name, func(t *testing.T) {
			first, err := s.Record()
			require.NoError(t, err)
			second, err := s.Record()
			require.NoError(t, err)
			require.Equal(t, first, second)
			s.Seed++
			other, err := s.Record()
			require.NoError(t, err)
			require.NotEqual(t, first, other)
			require.Contains(t, string(first[0].Data), s.Name)
			require.Equal(t, s.Classic, len(first[0].Data) < 1000)
			require.Equal(t, s.Version == tls.VersionTLS12, strings.Contains(string(first[1].Data), "*.example.org"))
		})
	}
}

func TestDNS(t *testing.T) {
	c := NewCapture(1)
	end := c.Lookup(noon, client, server, "a.example", dns.TypeA, Reply{Records: []string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 192.0.2.9"}})
	require.Equal(t, noon.Add(server.RTT), end)
	c.Lookup(end, client, server, "no.example", dns.TypeA, Reply{RCode: dns.RcodeNameError})
	c.Lookup(end, client, server, "silent.example", dns.TypeA, Reply{Silent: true})
	c.Announce(end.Add(time.Second), client, "pc-7.local. 120 IN A 192.168.10.7")
	var got []string
	for _, f := range c.Frames() {
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(decode(t, f.Data).Layer(layers.LayerTypeUDP).LayerPayload()))
		got = append(got, dns.RcodeToString[m.Rcode]+map[bool]string{true: " answer", false: " question"}[m.Response])
		require.Equal(t, m.Response && m.Rcode == 0, len(m.Answer) > 0)
	}
	require.Equal(t, []string{"NOERROR question", "NOERROR answer", "NOERROR question", "NOERROR question", "NXDOMAIN answer", "NOERROR answer"}, got)
}

func TestLAN(t *testing.T) {
	c := NewCapture(1)
	c.ARP(noon, client, server)
	c.DHCP(noon.Add(time.Second), client, server, false)
	c.DHCP(noon.Add(time.Hour), client, server, true)
	c.NTP(noon.Add(2*time.Hour), client, server)
	frames := c.Frames()
	require.Len(t, frames, 10)
	require.EqualValues(t, layers.ARPReply, decode(t, frames[1].Data).Layer(layers.LayerTypeARP).(*layers.ARP).Operation)
	discover := decode(t, frames[2].Data).Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
	require.Contains(t, discover.Options.String(), "PC-7")
	ack := decode(t, frames[5].Data).Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
	require.Equal(t, client.Addr.String(), ack.YourClientIP.String())
}

func TestTunnels(t *testing.T) {
	outer, far := server, client
	for name, wrap := range map[string]func([]byte) []byte{
		"gre": GRE(outer, far), "vxlan": VXLAN(outer, far, 7), "geneve": Geneve(outer, far, 7), "ipip": IPinIP(outer, far),
		"qinq": QinQ(100, 20), "nested": Nested(QinQ(100, 20), VXLAN(outer, far, 7), GRE(outer, far)),
	} {
		t.Run(name, func(t *testing.T) {
			c := NewCapture(1)
			c.Through = wrap
			c.UDP(noon, client, 4000, server, 4001, []byte("within"))
			p := decode(t, c.Frames()[0].Data)
			all := p.Layers()
			require.Equal(t, "within", string(all[len(all)-1].LayerContents()))
		})
	}
}

func TestFragments(t *testing.T) {
	c := NewCapture(1)
	payload := bytes.Repeat([]byte("0123456789"), 100)
	c.UDP(noon, client, 4000, server, 4001, payload)
	var joined []byte
	for _, f := range Fragments(c.Frames()[0].Data, 400, 9) {
		ip := decode(t, f).NetworkLayer().(*layers.IPv4)
		require.EqualValues(t, len(joined)/8, ip.FragOffset)
		require.Zero(t, checksum(ip.Contents))
		joined = append(joined, ip.Payload...)
	}
	require.Equal(t, payload, joined[8:])
}

func TestQUIC(t *testing.T) {
	flights, err := RecordQUIC("www.example.org", []string{"h3"}, quic.Version1)
	require.NoError(t, err)
	require.True(t, flights[0].FromClient)
	require.Equal(t, "00000001", hex.EncodeToString(flights[0].Data[1:5]))
	kept, err := RecordedQUIC("v1")
	require.NoError(t, err)
	require.Equal(t, "00000001", hex.EncodeToString(kept[0].Data[1:5]))
	path := t.TempDir() + "/x"
	require.NoError(t, KeepQUIC(path, kept))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	original, err := recorded.ReadFile("recorded/v1.quic")
	require.NoError(t, err)
	require.Equal(t, original, again)
	c := NewCapture(1)
	c.QUIC(noon, client, server, kept)
	require.Len(t, c.Frames(), len(kept))
	_, err = RecordedQUIC("none")
	require.Error(t, err)
}

func TestFiles(t *testing.T) {
	c := NewCapture(1)
	c.NTP(noon, client, server)
	var file bytes.Buffer
	require.NoError(t, c.WritePcap(&file))
	r, err := pcapgo.NewReader(&file)
	require.NoError(t, err)
	data, info, err := r.ReadPacketData()
	require.NoError(t, err)
	require.Len(t, data, 90)
	require.Equal(t, 90, info.Length)
	require.True(t, noon.Equal(info.Timestamp))
}

// A checksum of zero is sent as all ones, over IPv6 too.
func TestNoChecksumIsZero(t *testing.T) {
	for _, far := range []string{"192.0.2.1", "2001:db8::1"} {
		to, from := server, client
		to.Addr = netip.MustParseAddr(far)
		if to.Addr.Is6() {
			from.Addr = netip.MustParseAddr("2001:db8::7")
		}
		s := Segment{From: from, To: to, Sport: 4000, Dport: 4001, Payload: []byte{0, 0}}
		first := decode(t, s.Frame()).Layer(layers.LayerTypeUDP).(*layers.UDP).Checksum
		s.Payload = []byte{byte(first >> 8), byte(first)} // makes the sum all ones
		require.EqualValues(t, 0xffff, decode(t, s.Frame()).Layer(layers.LayerTypeUDP).(*layers.UDP).Checksum, far)
	}
}
