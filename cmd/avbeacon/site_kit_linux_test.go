package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"avbeacon/internal/testkit"
)

// liveNet is a network of real machines, each in a namespace: clients, a resolver and servers. A bridge that floods, because
// it remembers no address, joins them, so that one more port of it, tapEnd, sees all.
type liveNet struct {
	clients []*testkit.Netns // 192.168.77.11 and so on
	outside *testkit.Netns   // has all addresses that names lead to, and the resolver
	tap     *testkit.Netns

	t      testing.TB
	bridge *testkit.Netns
	names  map[string]netip.Addr
}

// tapEnd is the interface in the namespace tap that all packets of the network come out of.
const tapEnd = "tap0"

// resolver is the address of the network's DNS resolver.
const resolver = "192.168.77.1"

// largest is the longest packet that a machine hands to its card, in bytes: segments that card or kernel join (GSO) must still
// fit into a tunnel.
const largest = 16000

// newLiveNet makes a network with so many clients. wrap, if not nil, is what the mirror puts around each frame: a tag, a tunnel.
func newLiveNet(t testing.TB, clients int, wrap func(frame []byte) []byte) *liveNet {
	t.Helper()
	s := &liveNet{t: t, bridge: testkit.NewNetns(t), outside: testkit.NewNetns(t), tap: testkit.NewNetns(t), names: map[string]netip.Addr{}}
	never := uint32(0)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "switch"
	require.NoError(s.t, s.bridge.Handle().LinkAdd(&netlink.Bridge{LinkAttrs: attrs, AgeingTime: &never}), "add bridge")
	s.bridge.Up("switch")
	s.mirror(wrap)
	s.plug("out", s.outside, resolver)
	for i := range clients {
		c := testkit.NewNetns(t)
		s.plug(fmt.Sprint("c", i), c, fmt.Sprintf("192.168.77.%d", 11+i))
		require.NoError(s.t, c.Handle().RouteAdd(&netlink.Route{Gw: net.ParseIP(resolver)}), "add route")
		s.clients = append(s.clients, c)
	}
	return s
}

// plug joins a machine to the switch.
func (s *liveNet) plug(port string, n *testkit.Netns, address string) {
	s.t.Helper()
	s.bridge.Join(port, n, "eth0")
	require.NoError(s.t, s.bridge.Handle().LinkSetMasterByIndex(s.bridge.Link(port), s.bridge.Link("switch").Attrs().Index), "plug in")
	require.NoError(s.t, n.Handle().LinkSetGSOIPv4MaxSize(n.Link("eth0"), largest), "keep packets short")
	require.NoError(s.t, n.Handle().LinkSetGSOMaxSize(n.Link("eth0"), largest), "keep packets short")
	n.Address("eth0", address+"/24")
}

// mirror makes the port that is listened to. With wrap, what the port gives is wrapped on its way to the tap.
func (s *liveNet) mirror(wrap func([]byte) []byte) {
	s.t.Helper()
	to, end := s.tap, tapEnd
	if wrap != nil {
		to, end = testkit.NewNetns(s.t), "mirror0"
	}
	s.bridge.Join("mirror", to, end)
	require.NoError(s.t, s.bridge.Handle().LinkSetMasterByIndex(s.bridge.Link("mirror"), s.bridge.Link("switch").Attrs().Index), "plug in")
	if wrap == nil {
		return
	}
	to.Join("wrapped0", s.tap, tapEnd)
	to.MTU("wrapped0", 65535)
	s.tap.MTU(tapEnd, 65535)
	s.relay(s.receiver(to, "mirror0"), to.Sender("wrapped0"), wrap)
}

// relay wraps each frame and sends it on, until the test ends.
func (s *liveNet) relay(from int, to *testkit.Sender, wrap func([]byte) []byte) {
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		frame := make([]byte, 1<<17)
		for !stop.Load() {
			n, address, err := unix.Recvfrom(from, frame, 0)
			if a, ok := address.(*unix.SockaddrLinklayer); err != nil || ok && a.Pkttype == unix.PACKET_OUTGOING {
				continue
			}
			out := wrap(slices.Clone(frame[:n]))
			for !stop.Load() && to.Try(out) == unix.ENOBUFS {
			}
		}
	}()
	s.t.Cleanup(func() {
		stop.Store(true)
		<-done
		_ = unix.Close(from)
	})
}

// mirrorVXLAN makes one more port of the switch that sees all: a VXLAN device of the kernel's, whose packets arrive at an
// interface in the namespace Tap, which it names. "" where this kernel has no such device.
func (s *liveNet) mirrorVXLAN(id int) (end string) {
	s.t.Helper()
	end = "tap1"
	s.bridge.Join("under0", s.tap, end)
	s.bridge.MTU("under0", 65535)
	s.tap.MTU(end, 65535)
	s.bridge.Address("under0", "10.255.0.1/24")
	s.tap.Address(end, "10.255.0.2/24")
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "vxlan0"
	err := s.bridge.Handle().LinkAdd(&netlink.Vxlan{
		LinkAttrs: attrs, VxlanId: id, Port: 4789, Group: net.ParseIP("10.255.0.2"), SrcAddr: net.ParseIP("10.255.0.1"),
		VtepDevIndex: s.bridge.Link("under0").Attrs().Index,
	})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return ""
	}
	require.NoError(s.t, err, "add vxlan device")
	require.NoError(s.t, s.bridge.Handle().LinkSetMasterByIndex(s.bridge.Link("vxlan0"), s.bridge.Link("switch").Attrs().Index), "plug in")
	s.bridge.Up("vxlan0")
	return end
}

// receiver opens a socket that gets all frames of an interface. Reading it ends with an error every tenth of a second in
// which there was none, so that it can be given up.
func (s *liveNet) receiver(n *testkit.Netns, name string) (fd int) {
	s.t.Helper()
	index := n.Link(name).Attrs().Index
	n.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(uint16(unix.ETH_P_ALL)<<8))
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20); err != nil {
			return err
		}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(unix.ETH_P_ALL) << 8, Ifindex: index})
	})
	return fd
}

// server gives outside an address and a name that leads to it; several names may share one address, and a name that is
// under "*." stands for all below it. Nothing listens there yet.
func (s *liveNet) server(name, address string) {
	s.t.Helper()
	a := netip.MustParseAddr(address)
	if !s.has(a) {
		s.outside.Address("lo", address+"/32")
	}
	s.names[name] = a
}

func (s *liveNet) has(a netip.Addr) bool {
	for _, other := range s.names {
		if a == other {
			return true
		}
	}
	return false
}

// resolve starts the resolver. It does not know names that are given to server later.
func (s *liveNet) resolve() {
	s.t.Helper()
	names := map[string]netip.Addr{}
	for name, a := range s.names {
		names[dns.Fqdn(name)] = a
	}
	server := &dns.Server{PacketConn: s.outside.ListenPacket(resolver + ":53"), Handler: dns.HandlerFunc(func(to dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg).SetReply(m)
		r.RecursionAvailable = true
		q := m.Question[0]
		if a, ok := names[strings.ToLower(q.Name)]; !ok {
			r.Rcode = dns.RcodeNameError
		} else if q.Qtype == dns.TypeA {
			r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: a.AsSlice()}}
		}
		_ = to.WriteMsg(r) // the client notices
	})}
	ready := make(chan struct{})
	server.NotifyStartedFunc = func() { close(ready) }
	go func() { _ = server.ActivateAndServe() }()
	<-ready
	s.t.Cleanup(func() { _ = server.Shutdown() })
}

// lookup asks the resolver from a client and returns the addresses in its answer; none if there is no such name.
func (s *liveNet) lookup(client int, name string) []netip.Addr {
	s.t.Helper()
	conn := &dns.Conn{Conn: s.clients[client].Dial("udp", resolver+":53")}
	defer conn.Close()
	require.NoError(s.t, conn.WriteMsg(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)), "ask for "+name)
	m, err := conn.ReadMsg()
	require.NoError(s.t, err, "hear of "+name)
	var list []netip.Addr
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			at, _ := netip.AddrFromSlice(a.A.To4())
			list = append(list, at)
		}
	}
	return list
}
