package hosts

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"

	"github.com/stretchr/testify/require"
)

func TestLeaseEnds(t *testing.T) {
	s := newSite(t)
	s.dhcp("ACK", "10.0.0.5", 1, "alpha", 8*time.Hour)
	first := s.flow("10.0.0.5", 0, 0)
	require.Equal(t, "alpha", first.Name)
	s.wait(7 * time.Hour)
	require.Equal(t, first.Machine, s.flow("10.0.0.5", 0, 0).Machine)
	s.wait(10 * time.Hour)
	_, known := s.h.Lookup(pc, s.at)
	require.False(t, known)
	after := s.flow("10.0.0.5", 0, 0)
	require.NotEqual(t, first.Machine, after.Machine, "the lease ended in silence: whoever speaks now is not known to be alpha")
	require.NotZero(t, after.Machine)
	require.Empty(t, after.Name)
	require.False(t, after.Own)
	was, known := s.h.Lookup(pc, noon.Add(time.Hour))
	require.True(t, known)
	require.Equal(t, "alpha", was.Name)
	s.dhcp("ACK", "10.0.0.5", 1, "", 8*time.Hour)
	require.Equal(t, first.Machine, s.flow("10.0.0.5", 0, 0).Machine, "it came back")
	require.Equal(t, uint64(1), s.h.Stats().Ended)
}

func TestLeaseUsedOn(t *testing.T) {
	s := newSite(t)
	s.dhcp("ACK", "10.0.0.5", 1, "alpha", time.Hour)
	first := s.flow("10.0.0.5", 0, 0).Machine
	for range 20 {
		s.wait(50 * time.Minute)
		require.Equal(t, first, s.flow("10.0.0.5", 0, 0).Machine, "renewed where the tap does not see it")
	}
	s.wait(5 * time.Hour)
	require.Equal(t, first, s.flow("10.0.0.5", 1, 0).Machine, "its own MAC address is beside it")
}

func TestReleaseEndsAtOnce(t *testing.T) {
	s := newSite(t)
	s.dhcp("ACK", "10.0.0.5", 1, "alpha", 8*time.Hour)
	first := s.flow("10.0.0.5", 0, 0).Machine
	s.dhcp("RELEASE", "10.0.0.5", 2, "", 0)
	require.Equal(t, first, s.flow("10.0.0.5", 0, 0).Machine, "another cannot give it back")
	s.dhcp("RELEASE", "10.0.0.5", 1, "", 0)
	s.wait(time.Minute)
	require.NotEqual(t, first, s.flow("10.0.0.5", 0, 0).Machine)
}

func TestGivenToAnother(t *testing.T) {
	s := newSite(t)
	s.dhcp("ACK", "10.0.0.5", 1, "alpha", 8*time.Hour)
	alpha := s.flow("10.0.0.5", 0, 0).Machine
	s.wait(time.Hour)
	s.dhcp("REQUEST", "10.0.0.5", 2, "beta", 0)
	require.Equal(t, alpha, s.flow("10.0.0.5", 0, 0).Machine, "who asks for an address does not have it")
	s.dhcp("ACK", "10.0.0.5", 2, "beta", 8*time.Hour)
	got := s.flow("10.0.0.5", 0, 0)
	require.NotEqual(t, alpha, got.Machine)
	require.Equal(t, "beta", got.Name)
	s.dhcp("ACK", "10.0.0.6", 1, "alpha", 8*time.Hour)
	require.Equal(t, alpha, s.flow("10.0.0.6", 0, 0).Machine)
	past, _ := s.h.Lookup(pc, noon.Add(time.Minute))
	require.Equal(t, alpha, past.Machine)
}

func TestSameAddressInTwoVLANs(t *testing.T) {
	s := newSite(t)
	s.arp("10.0.0.5", 1, 10, false)
	s.arp("10.0.0.5", 2, 20, false)
	s.arp("10.0.0.5", 1, 10, false)
	ten, twenty := s.flow("10.0.0.5", 0, 10), s.flow("10.0.0.5", 0, 20)
	require.NotEqual(t, ten.Machine, twenty.Machine)
	require.Equal(t, hw(1), ten.MAC)
	require.Equal(t, hw(2), twenty.MAC)
	require.Equal(t, ten.Machine, s.flow("10.0.0.5", 1, 0).Machine, "the MAC address says more than the VLAN")
	require.Equal(t, ten.Machine, s.flow("10.0.0.5", 3, 10).Machine, "behind a router")
	require.Equal(t, uint64(1), s.h.Stats().Split)
}

func TestOneMachineInSeveralVLANs(t *testing.T) {
	s := newSite(t)
	s.arp("10.0.0.5", 1, 10, false)
	s.arp("10.0.20.5", 1, 20, false)
	s.same("10.0.0.5", "10.0.20.5")
	s.arp("10.0.0.5", 1, 30, false)
	require.Equal(t, s.flow("10.0.0.5", 0, 10).Machine, s.flow("10.0.0.5", 0, 30).Machine)
	require.Zero(t, s.h.Stats().Split)
}

func TestTapBehindRouter(t *testing.T) {
	s := newSite(t)
	for i := range 3 { // as few as no router is known by
		s.flow(fmt.Sprintf("10.0.0.%d", i+1), 9, 0)
	}
	s.apart("10.0.0.1", "10.0.0.2")
	s.apart("10.0.0.2", "10.0.0.3")
	require.False(t, s.flow("10.0.0.1", 9, 0).Own)
}

func TestProxyARP(t *testing.T) {
	s := newSite(t)
	for i := range 4 {
		a := fmt.Sprintf("10.0.0.%d", i+1)
		s.arp(a, 9, 0, true)
		s.flow(a, 9, 0)
	}
	for i := range 3 {
		s.apart("10.0.0.1", fmt.Sprintf("10.0.0.%d", i+2))
	}
	require.False(t, s.flow("10.0.0.1", 9, 0).Own, "what it was believed for the first is taken back")
	s.arp("10.0.0.1", 1, 0, false)
	require.True(t, s.flow("10.0.0.1", 1, 0).Own)
}

func TestProxyBeforeOwner(t *testing.T) {
	s := newSite(t)
	s.arp("10.0.0.1", 9, 0, true)
	first := s.flow("10.0.0.1", 9, 0)
	require.True(t, first.Own)
	s.arp("10.0.0.1", 1, 0, false)
	now := s.flow("10.0.0.1", 1, 0)
	require.True(t, now.Own)
	require.Equal(t, first.Machine, now.Machine, "the same machine all the time: a proxy had answered for it")
	s.arp("10.0.0.254", 9, 0, false)
	s.apart("10.0.0.1", "10.0.0.254")
	s.arp("10.0.0.1", 9, 0, true)
	require.Equal(t, hw(1), s.flow("10.0.0.1", 0, 0).MAC, "a reply does not take it away again")
}

func TestRepeaterOfSeveralStations(t *testing.T) {
	s := newSite(t)
	for i, name := range []string{"anna", "boris", "clara"} {
		a := fmt.Sprintf("192.168.1.%d", i+1)
		s.arp(a, 9, 0, false)
		s.says(capture.MDNS, a, "224.0.0.251", name+".local", a)
		s.wait(time.Minute)
	}
	require.Equal(t, 1, s.h.Stats().Routers, "it rewrites the MAC address of all")
	s.apart("192.168.1.1", "192.168.1.2")
	s.apart("192.168.1.2", "192.168.1.3")
	require.Equal(t, "boris", s.flow("192.168.1.2", 9, 0).Name)
}

func TestBridgeThatRewritesHardwareAddresses(t *testing.T) {
	const guest = "fe80::20c:29ff:fe1f:a755"
	s := newSite(t)
	o := identity(capture.IdentityDetail{NDP: &wire.NDP{Target: netip.MustParseAddr("2001:db8::1"), MAC: hw(9), HasMAC: true}}, netip.MustParseAddr(guest), s.at)
	o.SrcMAC, o.HasSrcMAC = hw(9), true
	s.h.Stamp(o)
	s.h.Stamp(identity(capture.IdentityDetail{NDP: &wire.NDP{Target: netip.MustParseAddr("2001:db8::1"), MAC: hw(9), HasMAC: true}},
		netip.MustParseAddr("fe80::9"), s.at))
	s.apart(guest, "fe80::9")
	require.Equal(t, [6]byte{0, 0x0c, 0x29, 0x1f, 0xa7, 0x55}, s.flow(guest, 0, 0).MAC)
}

func TestForgedARP(t *testing.T) {
	s := newSite(t)
	s.arp("10.0.0.5", 1, 0, false)
	o := arp(pc, hw(2), s.at)
	o.SrcMAC, o.HasSrcMAC = hw(3), true
	s.h.Stamp(o)
	require.Equal(t, hw(1), s.flow("10.0.0.5", 0, 0).MAC, "sent by neither of them")
}

func TestRouterParts(t *testing.T) {
	s := newSite(t)
	s.arp("10.0.0.254", 9, 0, false)
	s.arp("10.0.1.254", 9, 0, false)
	s.same("10.0.0.254", "10.0.1.254")
	for i := range 6 {
		s.flow(fmt.Sprintf("203.0.113.%d", i+1), 9, 0)
	}
	require.Equal(t, 1, s.h.Stats().Routers)
	s.apart("10.0.0.254", "10.0.1.254")
	require.False(t, s.flow("10.0.0.254", 9, 0).HasMAC)
}

func TestManyAddressesOfOneMachine(t *testing.T) {
	s := newSite(t)
	for i := range 12 {
		s.arp(fmt.Sprintf("10.0.0.%d", i+1), 1, 0, false)
		s.flow(fmt.Sprintf("10.0.0.%d", i+1), 1, 0)
	}
	require.Zero(t, s.h.Stats().Routers, "aliases: it speaks for each itself")
	s.same("10.0.0.1", "10.0.0.12")
	for i := range 12 {
		s.wait(20*time.Hour).flow(fmt.Sprintf("10.7.0.%d", i+1), 2, 0)
	}
	require.Zero(t, s.h.Stats().Routers, "a laptop gets another address each day")
}

func TestSharedHardwareAddresses(t *testing.T) {
	for _, mac := range [][6]byte{{0, 0, 0x5e, 0, 1, 7}, {0, 0, 0x5e, 0, 2, 7}, {0, 0, 0x0c, 7, 0xac, 1}, {0, 0, 0x0c, 0x9f, 0xf0, 1}, {0, 5, 0x73, 0xa0, 0, 1}, {0, 7, 0xb4, 0, 1, 1}} {
		s := newSite(t)
		s.h.Stamp(arp(pc, mac, noon))
		p := packet(pc, mac, noon)
		s.h.Stamp(p)
		require.False(t, p.Host.Own, "%x", mac)
		require.False(t, p.Host.HasMAC, "%x", mac)
	}
}

func TestIPv6Joins(t *testing.T) {
	const privacy, fixed, local = "2001:db8::1234:5678:9abc:def0", "2001:db8::211:22ff:fe33:4455", "fe80::211:22ff:fe33:4455"
	mac := [6]byte{0x02 ^ 2, 0x11, 0x22, 0x33, 0x44, 0x55}
	for name, seen := range map[string]func(s *site, a netip.Addr) *capture.Observation{
		"solicitation": func(s *site, a netip.Addr) *capture.Observation {
			return identity(capture.IdentityDetail{NDP: &wire.NDP{Target: netip.MustParseAddr("fe80::1"), MAC: mac, HasMAC: true}}, a, s.at)
		},
		"advertisement": func(s *site, a netip.Addr) *capture.Observation {
			return identity(capture.IdentityDetail{NDP: &wire.NDP{Advertisement: true, Target: a, MAC: mac, HasMAC: true}}, a, s.at)
		},
		"duplicate address detection": func(s *site, a netip.Addr) *capture.Observation {
			o := identity(capture.IdentityDetail{NDP: &wire.NDP{Target: a}}, netip.IPv6Unspecified(), s.at)
			o.SrcMAC, o.HasSrcMAC = mac, true
			return o
		},
		"multicast": func(s *site, a netip.Addr) *capture.Observation {
			o := packet(a, mac, s.at)
			o.Dst, o.SrcMAC, o.HasSrcMAC = netip.MustParseAddrPort("[ff02::fb]:5353"), mac, true
			return o
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.flow(fixed, 0, 0)
			s.flow(local, 0, 0)
			s.same(fixed, local)
			s.apart(fixed, privacy)
			s.h.Stamp(seen(s, netip.MustParseAddr(privacy)))
			s.same(fixed, privacy)
			require.Equal(t, mac, s.flow(privacy, 0, 0).MAC)
		})
	}
}

func TestInterfaceIdentifierOfLocalMAC(t *testing.T) {
	a, mac := netip.MustParseAddr("2001:db8::5054:ff:fe12:3456"), [6]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	s := newSite(t)
	o := packet(a, hw(9), s.at)
	s.h.Stamp(o)
	require.Zero(t, o.Host.Machine, "a random identifier may look so too")
	o = packet(a, mac, s.at)
	s.h.Stamp(o)
	require.True(t, o.Host.Own, "the same MAC address is beside it")
}

func TestNeighbourProxy(t *testing.T) {
	s := newSite(t)
	o := identity(capture.IdentityDetail{NDP: &wire.NDP{Advertisement: true, Target: netip.MustParseAddr("2001:db8::7"), MAC: hw(9), HasMAC: true}},
		netip.MustParseAddr("fe80::1"), s.at)
	s.h.Stamp(o)
	require.False(t, s.flow("2001:db8::7", 9, 0).Own, "a proxy speaks from its own address")
}

func TestAnnouncedAddressesAreOneMachine(t *testing.T) {
	s := newSite(t)
	s.says(capture.MDNS, "192.168.1.5", "224.0.0.251", "chips-mac.local", "192.168.1.5", "fe80::77", "2001:db8::77")
	s.same("192.168.1.5", "2001:db8::77")
	s.same("192.168.1.5", "fe80::77")
	require.Equal(t, "chips-mac", s.flow("2001:db8::77", 0, 0).Name)
	s.says(capture.MDNS, "192.168.1.5", "224.0.0.251", "printer.local", "192.168.1.9")
	require.Empty(t, s.flow("192.168.1.9", 0, 0).Name, "a proxy for one that sleeps")
}

func TestNameMovesToAnotherAddress(t *testing.T) {
	s := newSite(t)
	s.says(capture.LLMNR, "10.0.0.5", "10.0.0.9", "chip-pc", "10.0.0.5")
	require.Equal(t, "chip-pc", s.flow("10.0.0.5", 0, 0).Name)
	s.says(capture.LLMNR, "10.0.0.6", "10.0.0.9", "chip-pc", "10.0.0.6")
	s.apart("10.0.0.5", "10.0.0.6")
	s.wait(time.Hour)
	s.says(capture.LLMNR, "10.0.0.7", "10.0.0.9", "chip-pc", "10.0.0.7")
	s.same("10.0.0.5", "10.0.0.7")
	s.says(capture.LLMNR, "10.0.0.20", "10.0.0.9", "raspberrypi", "10.0.0.20")
	s.wait(time.Hour)
	s.says(capture.LLMNR, "10.0.0.21", "10.0.0.9", "raspberrypi", "10.0.0.21")
	s.apart("10.0.0.20", "10.0.0.21")
}

func TestAnotherNameAtTheAddress(t *testing.T) {
	s := newSite(t)
	say := func(name string) capture.Host {
		s.says(capture.MDNS, "10.0.0.5", "224.0.0.251", name+".local", "10.0.0.5")
		return s.flow("10.0.0.5", 0, 0)
	}
	first := say("alpha")
	require.Equal(t, first.Machine, s.wait(time.Minute).flow("10.0.0.5", 0, 0).Machine)
	second := say("alpha-2")
	require.Equal(t, "alpha-2", second.Name, "the latest name")
	require.Equal(t, first.Machine, second.Machine, "renamed after a conflict")
	s.wait(12 * time.Hour)
	third := say("beta")
	require.Equal(t, "beta", third.Name)
	require.NotEqual(t, first.Machine, third.Machine, "another machine")
	was, _ := s.h.Lookup(pc, noon.Add(time.Hour))
	require.Equal(t, "alpha-2", was.Name)
}

func TestNetBIOSDatagram(t *testing.T) {
	s := newSite(t)
	s.h.Stamp(identity(capture.IdentityDetail{NBNS: &wire.NBNS{Name: "CHIP-PC", Op: "datagram", Addr: pc}}, pc, noon))
	require.Equal(t, "CHIP-PC", s.flow("10.0.0.5", 0, 0).Name)
	s.h.Stamp(identity(capture.IdentityDetail{NBNS: &wire.NBNS{Name: "OTHER", Op: "datagram", Addr: netip.MustParseAddr("10.0.0.6")}}, pc, noon))
	require.Equal(t, "CHIP-PC", s.flow("10.0.0.5", 0, 0).Name, "passed on for another")
}

func TestDHCPv6(t *testing.T) {
	s := newSite(t)
	s.arp("10.0.0.5", 1, 0, false)
	s.h.Stamp(identity(capture.IdentityDetail{DHCP: &wire.DHCP{IPVersion: 6, Message: "REPLY", MAC: "02:00:00:00:00:01", FQDN: "alpha.corp.example",
		Address: netip.MustParseAddr("2001:db8::5"), Lease: 3600}}, netip.MustParseAddr("fe80::99"), noon))
	s.same("10.0.0.5", "2001:db8::5")
	require.Equal(t, "alpha", s.flow("2001:db8::5", 0, 0).Name)
}

func TestForwarderNamesItsClient(t *testing.T) {
	forwarder := netip.MustParseAddrPort("10.0.0.53:5353")
	ask := func(s *site, d wire.DNS) *capture.Observation {
		o := &capture.Observation{Kind: capture.Lookup, Proto: capture.DNS, Time: s.at, Src: forwarder, FromClient: true, DNS: &d,
			Host: capture.Host{Addr: forwarder.Addr(), MAC: hw(53), HasMAC: true}, SrcMAC: hw(53), HasSrcMAC: true}
		s.h.Stamp(o)
		return o
	}
	s := newSite(t)
	o := ask(s, wire.DNS{ClientMAC: hw(1), HasClientMAC: true})
	require.NotZero(t, o.Marks&capture.ForClient)
	require.False(t, o.Host.Addr.IsValid(), "the client was not seen itself")
	unseen := o.Host.Machine
	require.NotZero(t, unseen)
	s.dhcp("ACK", "10.0.0.5", 1, "alpha", 0)
	o = ask(s, wire.DNS{ClientMAC: hw(1), HasClientMAC: true})
	require.Equal(t, capture.Host{Addr: pc, MAC: hw(1), HasMAC: true, Own: true, Name: "alpha", Machine: unseen}, o.Host)
	o = ask(s, wire.DNS{ClientSubnet: netip.MustParsePrefix("10.0.0.6/32")})
	require.Equal(t, netip.MustParseAddr("10.0.0.6"), o.Host.Addr)
	o = ask(s, wire.DNS{ClientSubnet: netip.MustParsePrefix("10.0.0.6/32"), ClientMAC: hw(6), HasClientMAC: true})
	require.True(t, o.Host.Own)
	require.Equal(t, o.Host.Machine, s.flow("10.0.0.6", 0, 0).Machine)
	for name, d := range map[string]wire.DNS{
		"nothing seen":   {},
		"a whole subnet": {ClientSubnet: netip.MustParsePrefix("10.0.0.0/24")},
		"its own":        {ClientMAC: hw(53), HasClientMAC: true},
		"itself":         {ClientSubnet: netip.PrefixFrom(forwarder.Addr(), 32)},
		"a shared one":   {ClientMAC: [6]byte{0, 0, 0x5e, 0, 1, 1}, HasClientMAC: true},
	} {
		o = ask(s, d)
		require.Zero(t, o.Marks&capture.ForClient, name)
		require.Equal(t, forwarder.Addr(), o.Host.Addr, name)
	}
}

func TestHostileFlood(t *testing.T) {
	s := &site{t: t, h: New(Options{MaxHosts: 50}), at: noon}
	for i := range 5000 {
		s.wait(time.Second)
		a := fmt.Sprintf("10.%d.%d.%d", i%3, i>>8, i&255)
		s.arp(a, byte(i), uint16(i%40), i%2 == 0)
		s.says(capture.MDNS, a, "224.0.0.251", fmt.Sprintf("n%d.local", i), a, fmt.Sprintf("2001:db8::%x", i))
		s.dhcp("ACK", a, byte(i>>4), fmt.Sprintf("d%d", i%97), time.Minute)
		s.flow(a, byte(i>>3), uint16(i%3))
	}
	require.LessOrEqual(t, s.h.addrs.len(), 50)
	require.LessOrEqual(t, s.h.devices.len(), 50)
	require.LessOrEqual(t, s.h.called.len(), 50)
	for _, x := range s.h.addrs.entries {
		require.LessOrEqual(t, len(x.past), keptBindings)
		require.LessOrEqual(t, len(x.others), keptBindings)
	}
}

func TestNameOfASignIn(t *testing.T) {
	s := newSite(t)
	says := func(name string) {
		s.h.Stamp(identity(capture.IdentityDetail{SMB: &wire.ComputerName{Name: name}}, pc, s.at))
	}
	says("CHIP-PC")
	first := s.flow("10.0.0.5", 0, 0)
	require.Equal(t, "CHIP-PC", first.Name)
	says("ANOTHER")
	require.Equal(t, "CHIP-PC", s.flow("10.0.0.5", 0, 0).Name, "two that take turns are two behind one address")
	s.h.Stamp(identity(capture.IdentityDetail{NBNS: &wire.NBNS{Name: "SURE-PC", Suffix: 0x20, Op: "registration"}}, pc, s.at))
	require.Equal(t, "SURE-PC", s.flow("10.0.0.5", 0, 0).Name)
	says("CHIP-PC")
	require.Equal(t, "SURE-PC", s.flow("10.0.0.5", 0, 0).Name, "a name that the machine registers is more certain")
}
