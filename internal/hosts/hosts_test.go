package hosts

import (
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"

	"github.com/stretchr/testify/require"
)

var (
	noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	pc   = netip.MustParseAddr("10.0.0.5")
	macA = [6]byte{2, 0, 0, 0, 0, 0xa}
	macB = [6]byte{2, 0, 0, 0, 0, 0xb}
)

func packet(a netip.Addr, mac [6]byte, at time.Time) *capture.Observation {
	return &capture.Observation{Kind: capture.Contact, Time: at, Src: netip.AddrPortFrom(a, 1), Host: capture.Host{Addr: a, MAC: mac, HasMAC: mac != [6]byte{}}}
}

func identity(id capture.IdentityDetail, src netip.Addr, at time.Time) *capture.Observation {
	return &capture.Observation{Kind: capture.Identity, Time: at, ID: &id, Src: netip.AddrPortFrom(src, 137), Host: capture.Host{Addr: src}}
}

func arp(a netip.Addr, mac [6]byte, at time.Time) *capture.Observation {
	return identity(capture.IdentityDetail{ARP: &wire.ARP{Sender: a, SenderMAC: mac}}, a, at)
}

func dhcp(a netip.Addr, mac, name string, at time.Time) *capture.Observation {
	return identity(capture.IdentityDetail{DHCP: &wire.DHCP{Message: "ACK", MAC: mac, Hostname: name, Address: a}}, netip.Addr{}, at)
}

func TestOwnByARP(t *testing.T) {
	h := New(Options{})
	p := packet(pc, macA, noon)
	h.Stamp(p)
	require.True(t, p.Host.HasMAC)
	require.False(t, p.Host.Own, "nothing shows whose it is")
	h.Stamp(arp(pc, macA, noon))
	p = packet(pc, macA, noon)
	h.Stamp(p)
	require.True(t, p.Host.Own)
	p = packet(pc, macB, noon)
	h.Stamp(p)
	require.False(t, p.Host.Own, "another's MAC address")
	p = packet(pc, [6]byte{}, noon)
	h.Stamp(p)
	require.True(t, p.Host.Own, "the record of a flow without MAC address")
	require.Equal(t, macA, p.Host.MAC)
}

func TestRouterIsNoHost(t *testing.T) {
	h := New(Options{})
	var p *capture.Observation
	for i := range 10 {
		p = packet(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), macA, noon)
		h.Stamp(p)
	}
	require.False(t, p.Host.HasMAC)
	require.Equal(t, 1, h.Stats().Routers)
	h.Stamp(arp(pc, macA, noon))
	p = packet(pc, macA, noon)
	h.Stamp(p)
	require.False(t, p.Host.Own)
}

func TestDHCPNameMovesWithTheMachine(t *testing.T) {
	h := New(Options{})
	h.Stamp(dhcp(pc, "02:00:00:00:00:0a", "alpha", noon))
	p := packet(pc, macA, noon.Add(time.Minute))
	h.Stamp(p)
	require.Equal(t, "alpha", p.Host.Name)
	require.True(t, p.Host.Own)
	next := netip.MustParseAddr("10.0.0.6")
	h.Stamp(dhcp(next, "02:00:00:00:00:0a", "alpha", noon.Add(24*time.Hour)))
	h.Stamp(dhcp(pc, "02:00:00:00:00:0b", "beta", noon.Add(25*time.Hour)))
	p = packet(pc, macB, noon.Add(26*time.Hour))
	h.Stamp(p)
	require.Equal(t, "beta", p.Host.Name)
	p = packet(next, macA, noon.Add(26*time.Hour))
	h.Stamp(p)
	require.Equal(t, "alpha", p.Host.Name)
	was, ok := h.Lookup(pc, noon.Add(30*time.Second))
	require.True(t, ok)
	require.Equal(t, Known{Name: "alpha", Machine: capture.Machine(packMAC(macA)), MAC: macA, HasMAC: true}, was)
	now, _ := h.Lookup(pc, noon.Add(27*time.Hour))
	require.Equal(t, "beta", now.Name)
	_, ok = h.Lookup(netip.MustParseAddr("10.9.9.9"), noon)
	require.False(t, ok)
}

func TestNames(t *testing.T) {
	h := New(Options{})
	name := func() string {
		p := packet(pc, [6]byte{}, noon)
		h.Stamp(p)
		return p.Host.Name
	}
	nb := func(n wire.NBNS) { h.Stamp(identity(capture.IdentityDetail{NBNS: &n}, pc, noon)) }
	nb(wire.NBNS{Name: "SOMEBODY", Suffix: 0x20, Op: "query"})
	require.Empty(t, name(), "who asks for a name does not bear it")
	nb(wire.NBNS{Name: "CHIP-PC", Op: "registration"})
	require.Equal(t, "CHIP-PC", name())
	nb(wire.NBNS{Name: "WORKGROUP", Op: "registration"})
	require.Equal(t, "CHIP-PC", name(), "the group registers the same suffix")
	nb(wire.NBNS{Name: "bad\x01name", Suffix: 0x20, Op: "registration"})
	require.Equal(t, "CHIP-PC", name())
	m := &capture.Observation{Kind: capture.Answer, Proto: capture.MDNS, Time: noon, Src: netip.AddrPortFrom(pc, 5353), Host: capture.Host{Addr: pc},
		DNS: &wire.DNS{Answers: []wire.DNSRecord{{Name: "chips-mac.local", Addr: pc}}}}
	h.Stamp(m)
	require.Equal(t, "chips-mac", name())
	m.DNS.Answers[0] = wire.DNSRecord{Name: "printer.local", Addr: netip.MustParseAddr("10.0.0.9")}
	h.Stamp(m)
	require.Equal(t, "chips-mac", name(), "another's address")
	h.Stamp(dhcp(pc, "02:00:00:00:00:0a", "official", noon))
	require.Equal(t, "official", name())
	nb(wire.NBNS{Name: "LATER", Suffix: 0x20, Op: "registration"})
	require.Equal(t, "official", name(), "a less certain name does not replace a more certain one")
}

func TestBounds(t *testing.T) {
	h := New(Options{MaxHosts: 20})
	for i := range 2000 {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		h.Stamp(arp(a, [6]byte{2, 0, 0, 0, byte(i >> 8), byte(i)}, noon.Add(time.Duration(i)*time.Second)))
	}
	require.LessOrEqual(t, h.addrs.len(), 20)
	require.LessOrEqual(t, h.devices.len(), 20)
	require.Positive(t, h.Stats().Evicted)
}

func TestNoAllocations(t *testing.T) {
	h := New(Options{})
	h.Stamp(arp(pc, macA, noon))
	p := packet(pc, macA, noon)
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Stamp(p) }))
}

func TestSameMemoryEachRun(t *testing.T) {
	run := func() (left []addrKey) {
		h := New(Options{MaxHosts: 200})
		for i := range 3000 {
			n := i * 7919 % 5003
			a := netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)})
			h.Stamp(arp(a, [6]byte{2, 0, 0, 0, byte(n >> 8), byte(n)}, noon.Add(time.Duration(n%97)*time.Second)))
		}
		require.Len(t, h.addrs.entries, 200)
		require.Len(t, h.addrs.keys, 200)
		for _, p := range h.addrs.keys {
			require.NotNil(t, h.addrs.get(p))
		}
		return h.addrs.keys
	}
	require.Equal(t, run(), run(), "which entries go depends on the packets alone")
}
