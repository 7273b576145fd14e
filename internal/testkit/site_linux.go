package testkit

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
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Site is a network of real machines, each in a namespace: clients, a resolver and servers, joined by a switch that floods
// (a bridge without a memory), so that one more port of it, TapEnd, sees all.
type Site struct {
	Clients []*Netns // 192.168.77.11 and so on
	Outside *Netns   // has all addresses that names lead to, and the resolver
	Tap     *Netns

	t      testing.TB
	bridge *Netns
	names  map[string]netip.Addr
}

// TapEnd is the interface in the namespace Tap that all packets of the site come out of.
const TapEnd = "tap0"

// Resolver is where the site's clients ask for names.
const Resolver = "192.168.77.1"

// largest is the longest packet that the site's machines hand to their cards: what card or kernel cut and join stays
// short enough to be put into a tunnel.
const largest = 16000

// NewSite makes a site with so many clients. wrap, where not nil, is what the mirror puts around each frame: a tag, a tunnel.
func NewSite(t testing.TB, clients int, wrap func(frame []byte) []byte) *Site {
	t.Helper()
	s := &Site{t: t, bridge: NewNetns(t), Outside: NewNetns(t), Tap: NewNetns(t), names: map[string]netip.Addr{}}
	never := uint32(0)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "switch"
	s.bridge.must("add bridge", s.bridge.handle.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, AgeingTime: &never}))
	s.bridge.Up("switch")
	s.mirror(wrap)
	s.plug("out", s.Outside, Resolver)
	for i := range clients {
		c := NewNetns(t)
		s.plug(fmt.Sprint("c", i), c, fmt.Sprintf("192.168.77.%d", 11+i))
		c.must("add route", c.handle.RouteAdd(&netlink.Route{Gw: net.ParseIP(Resolver)}))
		s.Clients = append(s.Clients, c)
	}
	return s
}

// plug joins a machine to the switch.
func (s *Site) plug(port string, n *Netns, address string) {
	s.t.Helper()
	s.bridge.Join(port, n, "eth0")
	s.bridge.must("plug in", s.bridge.handle.LinkSetMasterByIndex(s.bridge.link(port), s.bridge.link("switch").Attrs().Index))
	n.must("keep packets short", n.handle.LinkSetGSOIPv4MaxSize(n.link("eth0"), largest))
	n.must("keep packets short", n.handle.LinkSetGSOMaxSize(n.link("eth0"), largest))
	n.Address("eth0", address+"/24")
}

// mirror makes the port that is listened to. With wrap, what the port gives is wrapped on its way to the tap.
func (s *Site) mirror(wrap func([]byte) []byte) {
	s.t.Helper()
	to, end := s.Tap, TapEnd
	if wrap != nil {
		to, end = NewNetns(s.t), "mirror0"
	}
	s.bridge.Join("mirror", to, end)
	s.bridge.must("plug in", s.bridge.handle.LinkSetMasterByIndex(s.bridge.link("mirror"), s.bridge.link("switch").Attrs().Index))
	if wrap == nil {
		return
	}
	to.Join("wrapped0", s.Tap, TapEnd)
	to.MTU("wrapped0", 65535)
	s.Tap.MTU(TapEnd, 65535)
	s.relay(to.receiver("mirror0"), to.Sender("wrapped0"), wrap)
}

// relay wraps each frame and sends it on, until the test ends.
func (s *Site) relay(from int, to *Sender, wrap func([]byte) []byte) {
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
			for !stop.Load() && unix.Sendto(to.fd, out, 0, &to.to) == unix.ENOBUFS {
			}
		}
	}()
	s.t.Cleanup(func() {
		stop.Store(true)
		<-done
		_ = unix.Close(from)
	})
}

// MirrorVXLAN makes one more port of the switch that sees all: a VXLAN device of the kernel's, whose packets arrive at an
// interface in the namespace Tap, which it names. "" where this kernel has no such device.
func (s *Site) MirrorVXLAN(id int) (end string) {
	s.t.Helper()
	end = "tap1"
	s.bridge.Join("under0", s.Tap, end)
	s.bridge.MTU("under0", 65535)
	s.Tap.MTU(end, 65535)
	s.bridge.Address("under0", "10.255.0.1/24")
	s.Tap.Address(end, "10.255.0.2/24")
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "vxlan0"
	err := s.bridge.handle.LinkAdd(&netlink.Vxlan{
		LinkAttrs: attrs, VxlanId: id, Port: portVXLAN, Group: net.ParseIP("10.255.0.2"), SrcAddr: net.ParseIP("10.255.0.1"),
		VtepDevIndex: s.bridge.link("under0").Attrs().Index,
	})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return ""
	}
	s.bridge.must("add vxlan device", err)
	s.bridge.must("plug in", s.bridge.handle.LinkSetMasterByIndex(s.bridge.link("vxlan0"), s.bridge.link("switch").Attrs().Index))
	s.bridge.Up("vxlan0")
	return end
}

// receiver opens a socket that gets all frames of an interface. Reading it ends with an error every tenth of a second in
// which there was none, so that it can be given up.
func (n *Netns) receiver(name string) (fd int) {
	n.t.Helper()
	index := n.link(name).Attrs().Index
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

// Server gives Outside an address and a name that leads to it; several names may share one address, and a name that is
// under "*." stands for all below it. Nothing listens there yet.
func (s *Site) Server(name, address string) {
	s.t.Helper()
	a := netip.MustParseAddr(address)
	if !s.has(a) {
		s.Outside.Address("lo", address+"/32")
	}
	s.names[name] = a
}

func (s *Site) has(a netip.Addr) bool {
	for _, other := range s.names {
		if a == other {
			return true
		}
	}
	return false
}

// Resolve starts the resolver. Names that are given to Server afterwards are not known to it.
func (s *Site) Resolve() {
	s.t.Helper()
	names := map[string]netip.Addr{}
	for name, a := range s.names {
		names[dns.Fqdn(name)] = a
	}
	server := &dns.Server{PacketConn: s.Outside.ListenPacket(Resolver + ":53"), Handler: dns.HandlerFunc(func(to dns.ResponseWriter, m *dns.Msg) {
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

// Lookup asks the resolver from a client and gives the answer's addresses; none where there is no such name.
func (s *Site) Lookup(client int, name string) []netip.Addr {
	s.t.Helper()
	conn := &dns.Conn{Conn: s.Clients[client].Dial("udp", Resolver+":53")}
	defer conn.Close()
	s.Outside.must("ask for "+name, conn.WriteMsg(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)))
	m, err := conn.ReadMsg()
	s.Outside.must("hear of "+name, err)
	var list []netip.Addr
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			at, _ := netip.AddrFromSlice(a.A.To4())
			list = append(list, at)
		}
	}
	return list
}
