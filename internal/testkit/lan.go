package testkit

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/gopacket/layers"
)

var multicastDNS = netip.AddrFrom4([4]byte{224, 0, 0, 251})

// DHCP adds the four messages by which a client gets its address (RFC 2131 3.1) or, with renewal, the two by which it keeps
// it. The lease is 8 hours.
func (c *Capture) DHCP(at time.Time, client, server Host, renewal bool) {
	id := uint32(c.number(1 << 32))
	lease := binary.BigEndian.AppendUint32(nil, 8*3600)
	given := []layers.DHCPOption{
		layers.NewDHCPOption(layers.DHCPOptServerID, server.Addr.AsSlice()),
		layers.NewDHCPOption(layers.DHCPOptLeaseTime, lease),
	}
	said := []layers.DHCPOption{
		layers.NewDHCPOption(layers.DHCPOptClientID, append([]byte{1}, client.MAC[:]...)),
		layers.NewDHCPOption(layers.DHCPOptHostname, []byte(client.Name)),
		layers.NewDHCPOption(layers.DHCPOptClassID, []byte("MSFT 5.0")),
	}
	wanted := layers.NewDHCPOption(layers.DHCPOptRequestIP, client.Addr.AsSlice())
	if !renewal {
		c.dhcp(at, client, server, id, layers.DHCPMsgTypeDiscover, said)
		c.dhcp(at.Add(server.RTT), client, server, id, layers.DHCPMsgTypeOffer, given)
		at = at.Add(10 * time.Millisecond)
	}
	c.dhcp(at, client, server, id, layers.DHCPMsgTypeRequest, append(said, wanted))
	c.dhcp(at.Add(server.RTT), client, server, id, layers.DHCPMsgTypeAck, given)
}

func (c *Capture) dhcp(at time.Time, client, server Host, id uint32, kind layers.DHCPMsgType, options []layers.DHCPOption) {
	m := &layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: id, ClientHWAddr: client.MAC[:],
		Options: append(layers.DHCPOptions{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)})}, options...),
	}
	everybody := Broadcast()
	everybody.VLAN = client.VLAN
	if kind == layers.DHCPMsgTypeOffer || kind == layers.DHCPMsgTypeAck {
		m.Operation, m.YourClientIP = layers.DHCPOpReply, client.Addr.AsSlice()
		c.UDP(at, server, 67, everybody, 68, serialize(m))
		return
	}
	nobody := client
	nobody.Addr = netip.IPv4Unspecified()
	c.UDP(at, nobody, 68, everybody, 67, serialize(m))
}

// NTP adds a time query and its answer (RFC 5905 7.3, without the timestamps).
func (c *Capture) NTP(at time.Time, client, server Host) {
	ask, answer := make([]byte, 48), make([]byte, 48)
	ask[0] = 4<<3 | 3
	answer[0], answer[1] = 4<<3|4, 2
	c.UDP(at, client, 123, server, 123, ask)
	c.UDP(at.Add(server.RTT), server, 123, client, 123, answer)
}
