package hosts

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"

	"github.com/stretchr/testify/require"
)

// site is a Hosts, and a clock that the steps of a scenario move.
type site struct {
	t  *testing.T
	h  *Hosts
	at time.Time
}

func newSite(t *testing.T) *site { return &site{t: t, h: New(Options{}), at: noon} }

func (s *site) wait(d time.Duration) *site { s.at = s.at.Add(d); return s }

// flow stamps a packet from an address, with a MAC address beside it unless mac is 0, in a VLAN.
func (s *site) flow(a string, mac byte, vlan uint16) capture.Host {
	o := packet(netip.MustParseAddr(a), [6]byte{}, s.at)
	o.Host.VLAN = vlan
	if mac != 0 {
		o.Host.MAC, o.Host.HasMAC = hw(mac), true
	}
	s.h.Stamp(o)
	return o.Host
}

func hw(n byte) [6]byte { return [6]byte{2, 0, 0, 0, 0, n} }

func (s *site) arp(a string, mac byte, vlan uint16, reply bool) {
	o := arp(netip.MustParseAddr(a), hw(mac), s.at)
	o.ID.ARP.Reply, o.ID.ARP.Target, o.Host.VLAN = reply, netip.MustParseAddr("10.0.0.254"), vlan
	s.h.Stamp(o)
}

func (s *site) dhcp(message, a string, mac byte, name string, lease time.Duration) {
	o := dhcp(netip.MustParseAddr(a), net.HardwareAddr(bytesOf(mac)).String(), name, s.at)
	o.ID.DHCP.Message, o.ID.DHCP.Lease = message, uint32(lease/time.Second)
	s.h.Stamp(o)
}

func bytesOf(mac byte) []byte { m := hw(mac); return m[:] }

// says stamps an mDNS or LLMNR answer from src that gives a name these addresses.
func (s *site) says(p capture.Proto, src, dst, name string, addrs ...string) *capture.Observation {
	from := netip.MustParseAddr(src)
	o := &capture.Observation{Kind: capture.Answer, Proto: p, Time: s.at, Src: netip.AddrPortFrom(from, 5353), Dst: netip.AddrPortFrom(netip.MustParseAddr(dst), 5353),
		Host: capture.Host{Addr: from}, DNS: &wire.DNS{}}
	for _, a := range addrs {
		o.DNS.Answers = append(o.DNS.Answers, wire.DNSRecord{Name: name, Addr: netip.MustParseAddr(a)})
	}
	s.h.Stamp(o)
	return o
}

func (s *site) same(a, b string)  { s.t.Helper(); s.compare(a, b, true) }
func (s *site) apart(a, b string) { s.t.Helper(); s.compare(a, b, false) }

func (s *site) compare(a, b string, same bool) {
	s.t.Helper()
	x, y := s.flow(a, 0, 0).Machine, s.flow(b, 0, 0).Machine
	if same {
		require.NotZero(s.t, x)
		require.Equal(s.t, x, y, "%s and %s are one machine", a, b)
		return
	}
	require.True(s.t, x != y || x == 0, "%s and %s are two machines", a, b)
}
