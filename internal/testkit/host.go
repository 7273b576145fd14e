package testkit

import (
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Host is one machine of a scenario. Packets of machines outside carry the router's hardware address: see Behind.
type Host struct {
	Name string
	MAC  [6]byte
	Addr netip.Addr
	TTL  uint8         // of its packets at the place of capture; 64 where it is 0
	VLAN uint16        // tag of its frames, 0 for none
	RTT  time.Duration // from the place of capture to the host and back
}

// Behind returns h as it looks from this side of a router.
func (h Host) Behind(router Host) Host {
	h.MAC = router.MAC
	return h
}

// Broadcast returns the address of everybody on the local network.
func Broadcast() Host {
	return Host{MAC: [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Addr: netip.AddrFrom4([4]byte{255, 255, 255, 255})}
}

// TCP flags (RFC 9293 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Segment is a TCP segment or, without flags, a UDP datagram.
type Segment struct {
	From, To     Host
	Sport, Dport uint16
	ID           uint16 // of the IPv4 packet
	Flags        uint8
	Seq, Ack     uint32
	Options      []byte // TCP's, padded to a multiple of 4
	Payload      []byte
}

// Frame returns the Ethernet frame, with all lengths and checksums.
func (s *Segment) Frame() []byte {
	if s.Flags == 0 {
		udp := &layers.UDP{SrcPort: layers.UDPPort(s.Sport), DstPort: layers.UDPPort(s.Dport)}
		network := s.network(layers.IPProtocolUDP)
		check(udp.SetNetworkLayerForChecksum(network))
		frame := s.From.frame(s.To, network.(gopacket.SerializableLayer), udp, gopacket.Payload(s.Payload))
		if udp.Checksum == 0 { // is sent as all ones, because 0 means that there is none (RFC 768)
			_, ip := packet(frame)
			at := 20 + 6
			if ip[0]>>4 == 6 {
				at = 40 + 6
			}
			ip[at], ip[at+1] = 0xff, 0xff
		}
		return frame
	}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(s.Sport), DstPort: layers.TCPPort(s.Dport), Seq: s.Seq, Ack: s.Ack, Window: 64240, Padding: s.Options,
		FIN: s.Flags&FIN != 0, SYN: s.Flags&SYN != 0, RST: s.Flags&RST != 0, PSH: s.Flags&PSH != 0, ACK: s.Flags&ACK != 0}
	network := s.network(layers.IPProtocolTCP)
	check(tcp.SetNetworkLayerForChecksum(network))
	return s.From.frame(s.To, network.(gopacket.SerializableLayer), tcp, gopacket.Payload(s.Payload))
}

func (s *Segment) network(proto layers.IPProtocol) gopacket.NetworkLayer {
	network := s.From.header(s.To, proto)
	if ip, ok := network.(*layers.IPv4); ok {
		ip.Id = s.ID
	}
	return network
}

// UDP adds one datagram.
func (c *Capture) UDP(at time.Time, from Host, sport uint16, to Host, dport uint16, payload []byte) {
	s := Segment{From: from, To: to, Sport: sport, Dport: dport, Payload: payload}
	c.Add(at, s.Frame())
}

// ARP adds a request for an address and its reply.
func (c *Capture) ARP(at time.Time, from, to Host) {
	ask := &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
		Operation:         layers.ARPRequest,
		SourceHwAddress:   from.MAC[:],
		SourceProtAddress: from.Addr.AsSlice(),
		DstHwAddress:      make([]byte, 6),
		DstProtAddress:    to.Addr.AsSlice(),
	}
	c.Add(at, from.link(Broadcast(), layers.EthernetTypeARP, ask))
	answer := *ask
	answer.Operation = layers.ARPReply
	answer.SourceHwAddress, answer.DstHwAddress = to.MAC[:], from.MAC[:]
	answer.SourceProtAddress, answer.DstProtAddress = ask.DstProtAddress, ask.SourceProtAddress
	c.Add(at.Add(to.RTT), to.link(from, layers.EthernetTypeARP, &answer))
}

// header makes the network header of a packet.
func (h Host) header(to Host, proto layers.IPProtocol) gopacket.NetworkLayer {
	ttl := h.TTL
	if ttl == 0 {
		ttl = 64
	}
	if h.Addr.Is4() {
		return &layers.IPv4{Version: 4, IHL: 5, TTL: ttl, Protocol: proto, Flags: layers.IPv4DontFragment,
			SrcIP: h.Addr.AsSlice(), DstIP: to.Addr.AsSlice()}
	}
	return &layers.IPv6{Version: 6, HopLimit: ttl, NextHeader: proto, SrcIP: h.Addr.AsSlice(), DstIP: to.Addr.AsSlice()}
}

// frame makes a whole frame out of a network header and what follows it.
func (h Host) frame(to Host, inner ...gopacket.SerializableLayer) []byte {
	kind := layers.EthernetTypeIPv6
	if h.Addr.Is4() {
		kind = layers.EthernetTypeIPv4
	}
	return h.link(to, kind, inner...)
}

// link puts the Ethernet header, and the tag that either side has, around a packet.
func (h Host) link(to Host, kind layers.EthernetType, inner ...gopacket.SerializableLayer) []byte {
	ether := &layers.Ethernet{SrcMAC: h.MAC[:], DstMAC: to.MAC[:], EthernetType: kind}
	outer := []gopacket.SerializableLayer{ether}
	if tag := max(h.VLAN, to.VLAN); tag != 0 {
		ether.EthernetType = layers.EthernetTypeDot1Q
		outer = append(outer, &layers.Dot1Q{VLANIdentifier: tag, Type: kind})
	}
	return serialize(append(outer, inner...)...)
}

// serialize makes bytes of layers, with lengths and checksums set.
func serialize(all ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	check(gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return buf.Bytes()
}

// check panics on an error that only a mistake in a scenario can cause.
func check(err error) {
	if err != nil {
		panic("testkit: " + err.Error())
	}
}
