package decode

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// decode reads one packet that is all there with a new Decoder.
func decode(link capture.LinkType, b []byte) (Headers, capture.DecodeStats) {
	d := New(Options{})
	var out Headers
	d.Decode(&capture.Packet{Data: b, OrigLen: uint32(len(b)), Link: link, Frame: 1, Time: 5, Input: 3}, &out)
	return out, d.Stats()
}

// rejection is the only reason that s counts, ReasonNone where there is none.
func refusal(t *testing.T, s capture.DecodeStats) capture.Reason {
	t.Helper()
	why := capture.ReasonNone
	s.Undecoded.Each(func(r capture.Reason, n uint64) {
		require.Equal(t, capture.ReasonNone, why)
		require.EqualValues(t, 1, n)
		why = r
	})
	return why
}

// inner is the packet that the tunnel and link tests wrap.
func inner4() []byte {
	return ip4Bytes(ipTCP, "10.9.8.7", "192.0.2.9", tcpBytes(40000, 443, ACK|PSH, 0xfffffffe, 9, []byte("hello")))
}

func inner6() []byte {
	return ip6Bytes(ipUDP, "2001:db8::7", "2001:db8::9", udpBytes(40001, 53, []byte("question")))
}

func requireInner(t *testing.T, six bool, out Headers) {
	t.Helper()
	require.Equal(t, LayerIP, out.Layer)
	require.Equal(t, six, out.IPv6)
	if six {
		require.Equal(t, addr16("2001:db8::7"), out.Src)
		require.Equal(t, addr16("2001:db8::9"), out.Dst)
		require.Equal(t, []any{uint8(ipUDP), uint16(40001), uint16(53), "question", uint32(8), uint32(56), uint8(63)},
			[]any{out.Proto, out.SrcPort, out.DstPort, string(out.Payload), out.PayloadLen, out.IPLen, out.TTL})
		return
	}
	require.Equal(t, addr16("10.9.8.7"), out.Src)
	require.Equal(t, addr16("192.0.2.9"), out.Dst)
	require.Equal(t, []any{uint8(ipTCP), uint16(40000), uint16(443), "hello", uint32(5), uint32(45), uint8(64)},
		[]any{out.Proto, out.SrcPort, out.DstPort, string(out.Payload), out.PayloadLen, out.IPLen, out.TTL})
	require.Equal(t, []uint32{0xfffffffe, 9, ACK | PSH}, []uint32{out.Seq, out.Ack, uint32(out.TCPFlags)})
}

func TestDecodeFillsEverything(t *testing.T) {
	d := New(Options{})
	b := etherBytes(etherIPv4, inner4())
	out := Headers{Layer: LayerARP, Link: &capture.Link{}, VLAN: 9, IPv6: true}
	require.Equal(t, LayerIP, d.Decode(&capture.Packet{Data: b, OrigLen: uint32(len(b)), Link: capture.LinkEthernet, Frame: 7, Time: 5, Input: 3}, &out))
	requireInner(t, false, out)
	require.Equal(t, []any{uint64(7), int64(5), int32(3)}, []any{out.Frame, out.Time, out.Input})
	require.True(t, out.HasMAC)
	require.Equal(t, testSrcMAC, out.SrcMAC)
	require.Equal(t, testDstMAC, out.DstMAC)
	require.Nil(t, out.Link)
	require.Zero(t, out.VLAN)
	require.Zero(t, d.Stats().Cut)

	require.Equal(t, LayerNone, d.Decode(&capture.Packet{Data: b[:13], OrigLen: 13, Link: capture.LinkEthernet, Frame: 8}, &out))
	require.Equal(t, Headers{Frame: 8}, out)
}

func TestTransports(t *testing.T) {
	for name, c := range map[string]struct {
		proto    uint8
		body     []byte
		src, dst uint16
		payload  string
		length   uint32
	}{
		"icmp":         {ipICMP, join([]byte{3, 1, 0, 0, 0, 0, 0, 0}, []byte("quoted")), 0x0301, 0, "quoted", 6},
		"short icmp":   {ipICMP, []byte{8, 0, 0}, 0x0800, 0, "", 0},
		"sctp":         {ipSCTP, join(u16(5000), u16(2905), []byte("12345678")), 5000, 2905, "\x13\x88\x0b\x5912345678", 12},
		"udp-lite":     {ipUDPLite, join(u16(7), u16(8), u16(8), u16(0), []byte("abc")), 7, 8, "abc", 3},
		"esp":          {ipESP, []byte("secret"), 0, 0, "secret", 6},
		"unknown":      {200, []byte("x"), 0, 0, "x", 1},
		"tcp options":  {ipTCP, join(u16(1), u16(2), u32(3), u32(4), []byte{0x60, SYN}, make([]byte, 6), u32(0x01010101), []byte("p")), 1, 2, "p", 1},
		"udp length 0": {ipUDP, join(u16(1), u16(2), u16(0), u16(0), []byte("all")), 1, 2, "all", 3},
		"udp too long": {ipUDP, join(u16(1), u16(2), u16(900), u16(0), []byte("all")), 1, 2, "all", 3},
		"udp shorter":  {ipUDP, join(u16(1), u16(2), u16(10), u16(0), []byte("all")), 1, 2, "al", 2},
		"ah":           {ipAH, join([]byte{ipUDP, 4, 0, 0}, make([]byte, 20), udpBytes(1, 2, []byte("clear"))), 1, 2, "clear", 5},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ip := range [][]byte{ip4Bytes(c.proto, "10.0.0.1", "10.0.0.2", c.body), ip6Bytes(c.proto, "fd00::1", "fd00::2", c.body)} {
				out, _ := decode(capture.LinkRaw, ip)
				require.Equal(t, LayerIP, out.Layer)
				require.Equal(t, []any{c.src, c.dst, c.payload, c.length}, []any{out.SrcPort, out.DstPort, string(out.Payload), out.PayloadLen})
				if c.proto != ipAH {
					require.Equal(t, c.proto, out.Proto)
				}
			}
		})
	}
	_, s := decode(capture.LinkRaw, ip4Bytes(ipESP, "10.0.0.1", "10.0.0.2", nil))
	require.EqualValues(t, 1, s.ESP)
}

func TestARP(t *testing.T) {
	body := join(u16(1), u16(0x0800), []byte{6, 4}, u16(2), testSrcMAC[:], addr("10.0.0.1"), testDstMAC[:], addr("10.0.0.2"))
	out, _ := decode(capture.LinkEthernet, etherBytes(etherARP, join(body, make([]byte, 18))))
	require.Equal(t, LayerARP, out.Layer)
	require.Equal(t, body, out.Payload, "without the padding")
	require.Equal(t, testSrcMAC, out.SrcMAC)
}

// TestLengths: what counts where the record, the IP header and the wire do not agree.
func TestLengths(t *testing.T) {
	frame := etherBytes(etherIPv4, inner4())
	zeroLength := append([]byte(nil), frame...)
	zeroLength[16], zeroLength[17] = 0, 0
	for name, c := range map[string]struct {
		b       []byte
		orig    int
		payload string
		length  uint32
		ip      uint32
	}{
		"whole":                                 {frame, 0, "hello", 5, 45},
		"padded":                                {join(frame, make([]byte, 9)), 0, "hello", 5, 45},
		"cut in the payload":                    {frame[:len(frame)-3], len(frame), "he", 5, 45},
		"cut before the payload":                {frame[:len(frame)-5], len(frame), "", 5, 45},
		"cut in the TCP header":                 {frame[:14+20+14], len(frame), "", 5, 45},
		"cut, and the wire had padding":         {frame[:len(frame)-3], len(frame) + 9, "he", 5, 45},
		"header says more than was on the wire": {frame[:len(frame)-3], len(frame) - 3, "he", 2, 42},
		"length 0 of segmentation offload":      {zeroLength, 0, "hello", 5, 45},
	} {
		t.Run(name, func(t *testing.T) {
			d := New(Options{})
			var out Headers
			d.Decode(&capture.Packet{Data: c.b, OrigLen: uint32(max(c.orig, len(c.b))), Link: capture.LinkEthernet}, &out)
			require.Equal(t, LayerIP, out.Layer)
			require.Equal(t, []any{c.payload, c.length, c.ip, uint16(443)}, []any{string(out.Payload), out.PayloadLen, out.IPLen, out.DstPort})
			require.Equal(t, c.orig > len(c.b), d.Stats().Cut == 1)
		})
	}
}

func TestRefusals(t *testing.T) {
	ip := inner4()
	with := func(at int, v byte) []byte {
		b := append([]byte(nil), ip...)
		b[at] = v
		return etherBytes(etherIPv4, b)
	}
	many := []byte{}
	for range maxExtensions + 1 {
		many = append(many, ipDestination, 0, 1, 4, 0, 0, 0, 0)
	}
	for name, c := range map[string]struct {
		b    []byte
		want capture.Reason
	}{
		"empty":                   {nil, capture.ReasonShort},
		"spanning tree":           {etherBytes(38, join([]byte{0x42, 0x42, 3}, make([]byte, 35))), capture.ReasonNotIP},
		"unknown Ethertype":       {etherBytes(0x88cc, make([]byte, 46)), capture.ReasonNotIP},
		"MACsec":                  {etherBytes(etherMACsec, make([]byte, 46)), capture.ReasonMACsec},
		"IPv4 that says 6":        {with(0, 0x65), capture.ReasonIPVersion},
		"IPv4 header of 16 bytes": {with(0, 0x44), capture.ReasonIPHeader},
		"IPv4 length of 10 bytes": {with(3, 10), capture.ReasonIPLength},
		"options not there":       {etherBytes(etherIPv4, join([]byte{0x4f, 0, 0, 60}, ip[4:20])), capture.ReasonShort},
		"TCP offset 4":            {with(32, 0x40), capture.ReasonTCPHeader},
		"TCP offset beyond":       {with(32, 0xf0), capture.ReasonTCPHeader},
		"TCP of 12 bytes":         {etherBytes(etherIPv4, ip4Bytes(ipTCP, "10.0.0.1", "10.0.0.2", make([]byte, 12))), capture.ReasonShort},
		"UDP of 7 bytes":          {etherBytes(etherIPv4, ip4Bytes(ipUDP, "10.0.0.1", "10.0.0.2", make([]byte, 7))), capture.ReasonShort},
		"extension beyond":        {etherBytes(etherIPv6, ip6Bytes(ipHopByHop, "fd00::1", "fd00::2", []byte{6, 9, 0, 0, 0, 0, 0, 0})), capture.ReasonExtension},
		"extensions without end":  {etherBytes(etherIPv6, ip6Bytes(ipDestination, "fd00::1", "fd00::2", many)), capture.ReasonExtension},
		"AH without end":          {etherBytes(etherIPv4, ip4Bytes(ipAH, "10.0.0.1", "10.0.0.2", manyAH())), capture.ReasonExtension},
		"tags without end":        {etherBytes(etherVLAN, manyTags()), capture.ReasonDepth},
		"short ARP":               {etherBytes(etherARP, make([]byte, 7)), capture.ReasonShort},
	} {
		t.Run(name, func(t *testing.T) {
			out, s := decode(capture.LinkEthernet, c.b)
			require.Equal(t, LayerNone, out.Layer)
			require.Equal(t, c.want, refusal(t, s))
			require.NotContains(t, c.want.String(), "unknown")
		})
	}
}

func manyAH() []byte {
	b := []byte{}
	for range maxExtensions + 1 {
		b = append(b, ipAH, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return b
}

func manyTags() []byte {
	b := []byte{}
	for range 1000 {
		b = append(b, 0, 5, 0x81, 0)
	}
	return b
}

func TestCutHeaders(t *testing.T) {
	frame := etherBytes(etherIPv4, inner4())
	for n := 14; n < 14+20+14; n++ {
		d := New(Options{})
		var out Headers
		require.Equal(t, LayerNone, d.Decode(&capture.Packet{Data: frame[:n], OrigLen: uint32(len(frame)), Link: capture.LinkEthernet}, &out))
		require.Equal(t, capture.ReasonCut, refusal(t, d.Stats()), "%d bytes", n)
	}
}

func TestExtensionHeaders(t *testing.T) {
	udp := udpBytes(1, 2, []byte("deep"))
	chain := join([]byte{ipRouting, 1}, make([]byte, 14), []byte{ipDestination, 0}, make([]byte, 6), []byte{ipFragment, 0}, make([]byte, 6),
		[]byte{ipAH, 0, 0, 0, 0, 0, 0, 9}, []byte{ipMobility, 1}, make([]byte, 10), []byte{ipHIP, 0}, make([]byte, 6), []byte{ipShim6, 0},
		make([]byte, 6), []byte{ipUDP, 0}, make([]byte, 6), udp)
	out, _ := decode(capture.LinkIPv6, ip6Bytes(ipHopByHop, "fd00::1", "fd00::2", chain))
	require.Equal(t, LayerIP, out.Layer)
	require.Equal(t, []any{uint8(ipUDP), uint16(2), "deep"}, []any{out.Proto, out.DstPort, string(out.Payload)})

	out, _ = decode(capture.LinkIPv6, ip6Bytes(59, "fd00::1", "fd00::2", nil))
	require.Equal(t, []any{LayerIP, uint8(59)}, []any{out.Layer, out.Proto}, "no next header")
}
