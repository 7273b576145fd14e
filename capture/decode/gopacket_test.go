package decode

import (
	"math/rand/v2"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// stack is a random pile of headers, serialised by gopacket.
type stack struct {
	r      *rand.Rand
	layers []gopacket.SerializableLayer
	vlans  []uint16
	types  []string // tunnels
}

func (s *stack) mac() net.HardwareAddr {
	return net.HardwareAddr{2, byte(s.r.Uint32()), byte(s.r.Uint32()), 0, 0, 1}
}

// ethernet adds an Ethernet header with up to two tags; next is what follows.
func (s *stack) ethernet(next layers.EthernetType) {
	types := []layers.EthernetType{}
	for range s.r.IntN(3) {
		types = append(types, []layers.EthernetType{layers.EthernetTypeDot1Q, layers.EthernetTypeQinQ}[s.r.IntN(2)])
	}
	types = append(types, next)
	s.layers = append(s.layers, &layers.Ethernet{SrcMAC: s.mac(), DstMAC: s.mac(), EthernetType: types[0]})
	for _, t := range types[1:] {
		id := uint16(1 + s.r.IntN(4094))
		s.vlans = append(s.vlans, id)
		s.layers = append(s.layers, &layers.Dot1Q{VLANIdentifier: id, Type: t, Priority: uint8(s.r.IntN(8))})
	}
}

func (s *stack) address(size int) net.IP {
	a := make(net.IP, size)
	for i := range a {
		a[i] = byte(s.r.Uint32())
	}
	return a
}

// ip adds an IP header, with options now and then; next is its protocol.
func (s *stack) ip(six bool, next layers.IPProtocol) gopacket.NetworkLayer {
	if six {
		l := &layers.IPv6{Version: 6, HopLimit: uint8(1 + s.r.IntN(255)), NextHeader: next, SrcIP: s.address(16), DstIP: s.address(16)}
		s.layers = append(s.layers, l)
		return l
	}
	l := &layers.IPv4{Version: 4, TTL: uint8(1 + s.r.IntN(255)), Protocol: next, SrcIP: s.address(4), DstIP: s.address(4), Id: uint16(s.r.Uint32())}
	for range s.r.IntN(3) {
		l.Options = append(l.Options, layers.IPv4Option{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}})
	}
	s.layers = append(s.layers, l)
	return l
}

func etherTypeOf(six bool) layers.EthernetType {
	if six {
		return layers.EthernetTypeIPv6
	}
	return layers.EthernetTypeIPv4
}

// tunnel adds an outer IP header and a tunnel, and what of Ethernet is in it; the inner IP header, of the version six, follows.
func (s *stack) tunnel(outerSix, six bool) {
	switch s.r.IntN(5) {
	case 0:
		s.ip(outerSix, layers.IPProtocolGRE)
		g := &layers.GRE{Protocol: etherTypeOf(six), KeyPresent: s.r.IntN(2) == 0, SeqPresent: s.r.IntN(2) == 0, ChecksumPresent: s.r.IntN(2) == 0}
		s.layers, s.types = append(s.layers, g), append(s.types, "gre")
	case 1:
		next := layers.IPProtocolIPv4
		if six {
			next = layers.IPProtocolIPv6
		}
		s.ip(outerSix, next)
		s.types = append(s.types, map[[2]bool]string{{}: "ipip", {false, true}: "6in4", {true, false}: "4in6", {true, true}: "ip6ip6"}[[2]bool{outerSix, six}])
	case 2:
		s.udp(s.ip(outerSix, layers.IPProtocolUDP), portVXLAN)
		s.layers, s.types = append(s.layers, &layers.VXLAN{ValidIDFlag: true, VNI: s.r.Uint32() >> 8}), append(s.types, "vxlan")
		s.ethernet(etherTypeOf(six))
	case 3:
		s.udp(s.ip(outerSix, layers.IPProtocolUDP), portGTPU)
		s.layers, s.types = append(s.layers, gtpLayer{&layers.GTPv1U{Version: 1, ProtocolType: 1, MessageType: 255, TEID: s.r.Uint32()}}), append(s.types, "gtpu")
	case 4:
		s.ip(outerSix, layers.IPProtocolGRE)
		e := &layers.ERSPANII{Version: 1, SessionID: uint16(s.r.IntN(1024))}
		s.layers = append(s.layers, &layers.GRE{Protocol: layers.EthernetTypeERSPAN, SeqPresent: true}, e)
		s.types = append(s.types, "erspan")
		s.ethernet(etherTypeOf(six))
	}
}

// gtpLayer fills in the length, which gopacket leaves alone.
type gtpLayer struct{ *layers.GTPv1U }

func (g gtpLayer) SerializeTo(b gopacket.SerializeBuffer, opts gopacket.SerializeOptions) error {
	g.MessageLength = uint16(len(b.Bytes()))
	return g.GTPv1U.SerializeTo(b, opts)
}

func (s *stack) udp(ip gopacket.NetworkLayer, port int) {
	l := &layers.UDP{SrcPort: layers.UDPPort(20000 + s.r.IntN(9999)), DstPort: layers.UDPPort(port)}
	_ = l.SetNetworkLayerForChecksum(ip)
	s.layers = append(s.layers, l)
}

func (s *stack) tcp(ip gopacket.NetworkLayer) {
	l := &layers.TCP{SrcPort: layers.TCPPort(s.r.IntN(65536)), DstPort: layers.TCPPort(s.r.IntN(65536)), Seq: s.r.Uint32(), Ack: s.r.Uint32(),
		SYN: s.r.IntN(2) == 0, ACK: s.r.IntN(2) == 0, RST: s.r.IntN(2) == 0, URG: s.r.IntN(2) == 0}
	for range s.r.IntN(4) {
		l.Options = append(l.Options, layers.TCPOption{OptionType: 2, OptionLength: 4, OptionData: []byte{5, 0xb4}})
	}
	_ = l.SetNetworkLayerForChecksum(ip)
	s.layers = append(s.layers, l)
}

// bytes builds the whole packet.
func (s *stack) bytes(t *testing.T, tunnels int) []byte {
	six := s.r.IntN(2) == 0
	s.ethernet(etherTypeOf(six))
	for range tunnels {
		next := s.r.IntN(2) == 0
		s.tunnel(six, next)
		six = next
	}
	if s.r.IntN(2) == 0 {
		s.tcp(s.ip(six, layers.IPProtocolTCP))
	} else {
		s.udp(s.ip(six, layers.IPProtocolUDP), 7777)
	}
	s.layers = append(s.layers, gopacket.Payload(make([]byte, 1+s.r.IntN(80))))
	buffer := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true}, s.layers...))
	return buffer.Bytes()
}

// TestAgainstGopacket: of random stacks of headers gopacket reads the same.
func TestAgainstGopacket(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 3000 {
		s := &stack{r: r}
		b := s.bytes(t, i%4)
		out, _ := decode(capture.LinkEthernet, b)
		require.Equal(t, LayerIP, out.Layer)
		requireAsGopacket(t, b, &out)
		if len(s.vlans)+len(s.types) == 0 {
			require.Nil(t, out.Link)
			continue
		}
		require.Equal(t, s.vlans, out.Link.VLANs)
		require.Len(t, out.Link.Tunnels, len(s.types))
		for i, want := range s.types {
			require.Equal(t, want, out.Link.Tunnels[i].Type)
		}
	}
}

// requireAsGopacket holds out against the last IP and transport header that gopacket finds in b.
func requireAsGopacket(t *testing.T, b []byte, out *Headers) {
	packet := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	require.Nil(t, packet.ErrorLayer())
	var payload []byte
	for _, layer := range packet.Layers() {
		switch l := layer.(type) {
		case *layers.IPv4:
			last := &Headers{Src: addr16(l.SrcIP.String()), Dst: addr16(l.DstIP.String()), TTL: l.TTL, IPLen: uint32(l.Length), Proto: uint8(l.Protocol)}
			defer requireNetwork(t, packet, layer, last, out)
		case *layers.IPv6:
			last := &Headers{Src: capture.Addr16(l.SrcIP.To16()), Dst: capture.Addr16(l.DstIP.To16()), TTL: l.HopLimit, IPLen: uint32(l.Length) + 40, Proto: uint8(l.NextHeader), IPv6: true}
			defer requireNetwork(t, packet, layer, last, out)
		case *layers.TCP:
			require.Equal(t, []any{uint16(l.SrcPort), uint16(l.DstPort), l.Seq, l.Ack}, []any{out.SrcPort, out.DstPort, out.Seq, out.Ack})
			require.Equal(t, []bool{l.SYN, l.ACK, l.RST}, []bool{out.TCPFlags&SYN != 0, out.TCPFlags&ACK != 0, out.TCPFlags&RST != 0})
			payload = l.Payload
		case *layers.UDP:
			if l.DstPort == 7777 {
				require.Equal(t, []any{uint16(l.SrcPort), uint16(l.DstPort)}, []any{out.SrcPort, out.DstPort})
			}
			payload = l.Payload
		}
	}
	require.Equal(t, payload, out.Payload)
	require.EqualValues(t, len(payload), out.PayloadLen)
}

// requireNetwork holds the fields of an IP header against out, if it is the packet's last.
func requireNetwork(t *testing.T, packet gopacket.Packet, layer gopacket.Layer, want, out *Headers) {
	var last gopacket.Layer
	for _, l := range packet.Layers() {
		if l.LayerType() == layers.LayerTypeIPv4 || l.LayerType() == layers.LayerTypeIPv6 {
			last = l
		}
	}
	if layer != last {
		return
	}
	require.Equal(t, *want, Headers{Src: out.Src, Dst: out.Dst, TTL: out.TTL, IPLen: out.IPLen, Proto: out.Proto, IPv6: out.IPv6})
}
