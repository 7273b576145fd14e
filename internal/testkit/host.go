package testkit

import (
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Host is one machine of a scenario. Packets of machines outside bear the router's hardware address: see Behind.
type Host struct {
	Name string
	MAC  [6]byte
	Addr netip.Addr
	TTL  uint8         // of its packets at the place of capture; 64 where it is 0
	VLAN uint16        // tag of its frames, 0 for none
	RTT  time.Duration // from the place of capture to the host and back
}

// Behind gives h as it looks from this side of a router.
func (h Host) Behind(router Host) Host {
	h.MAC = router.MAC
	return h
}

// Broadcast is everybody on the local network.
func Broadcast() Host {
	return Host{MAC: [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Addr: netip.AddrFrom4([4]byte{255, 255, 255, 255})}
}

// UDP adds one datagram.
func (c *Capture) UDP(at time.Time, from Host, sport uint16, to Host, dport uint16, payload []byte) {
	udp := &layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
	network := from.header(to, layers.IPProtocolUDP)
	check(udp.SetNetworkLayerForChecksum(network))
	c.Add(at, from.frame(to, network.(gopacket.SerializableLayer), udp, gopacket.Payload(payload)))
}

// ARP adds a question for an address and its answer.
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

// check stops on an error that only a mistake in a scenario can cause.
func check(err error) {
	if err != nil {
		panic("testkit: " + err.Error())
	}
}
