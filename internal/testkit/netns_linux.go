package testkit

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Netns is a network namespace that lives as long as its test.
type Netns struct {
	t      testing.TB
	ns     netns.NsHandle
	handle *netlink.Handle
}

// NewNetns makes a network namespace with its loopback interface up and without IPv6, so that only the test's
// packets pass in it. The test is skipped where the system does not allow it.
func NewNetns(t testing.TB) *Netns {
	t.Helper()
	n := &Netns{t: t}
	if err := onThread(func() (err error) {
		n.ns, err = netns.New()
		if err == nil {
			err = withoutIPv6()
		}
		return err
	}); err != nil {
		t.Skipf("no network namespace here (root is needed): %v", err)
	}
	handle, err := netlink.NewHandleAt(n.ns)
	if err != nil {
		t.Fatalf("open netlink: %v", err)
	}
	n.handle = handle
	t.Cleanup(func() {
		handle.Close()
		_ = n.ns.Close() // what was in it goes with it
	})
	n.Up("lo")
	return n
}

func withoutIPv6() error {
	for _, scope := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+scope+"/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// onThread runs f on a thread of its own, which ends with f.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends
		done <- f()
	}()
	return <-done
}

// Do runs f in the namespace. Sockets that f opens and processes that it starts stay there. f must not leave its goroutine.
func (n *Netns) Do(f func() error) {
	n.t.Helper()
	if err := onThread(func() error {
		if err := netns.Set(n.ns); err != nil {
			return fmt.Errorf("enter namespace: %w", err)
		}
		return f()
	}); err != nil {
		n.t.Fatal(err)
	}
}

// Join puts a veth pair between two namespaces: what is sent into one end comes out of the other. Both ends are up, and
// neither card nor kernel joins or cuts packets on their way.
func (n *Netns) Join(name string, other *Netns, otherName string) {
	n.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	n.must("add veth pair", n.handle.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: otherName, PeerNamespace: netlink.NsFd(other.ns)}))
	n.Up(name)
	other.Up(otherName)
}

// Address adds an address with its prefix, such as 10.0.0.1/24, to an interface.
func (n *Netns) Address(name, prefix string) {
	n.t.Helper()
	address, err := netlink.ParseAddr(prefix)
	n.must("parse address", err)
	n.must("add address", n.handle.AddrAdd(n.Link(name), address))
}

// Up switches an interface on.
func (n *Netns) Up(name string) { n.t.Helper(); n.must("set up", n.handle.LinkSetUp(n.Link(name))) }

// Down switches an interface off.
func (n *Netns) Down(name string) {
	n.t.Helper()
	n.must("set down", n.handle.LinkSetDown(n.Link(name)))
}

// Remove deletes an interface, and with it the other end of its pair.
func (n *Netns) Remove(name string) {
	n.t.Helper()
	n.must("remove", n.handle.LinkDel(n.Link(name)))
}

// MTU sets the longest packet, in bytes, of an interface.
func (n *Netns) MTU(name string, bytes int) {
	n.t.Helper()
	n.must("set mtu", n.handle.LinkSetMTU(n.Link(name), bytes))
}

// Promiscuous reports whether the interface takes packets to other addresses.
func (n *Netns) Promiscuous(name string) bool {
	n.t.Helper()
	return n.Link(name).Attrs().Promisc > 0
}

// Tun makes an interface without link headers that is up. put makes a packet arrive there.
func (n *Netns) Tun(name string) (put func(packet []byte)) {
	n.t.Helper()
	var fd int
	n.Do(func() (err error) {
		fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return nil
		}
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	})
	if fd < 0 {
		n.t.Skip("this system has no tunnel interfaces (/dev/net/tun)")
	}
	n.t.Cleanup(func() { _ = unix.Close(fd) })
	n.Up(name)
	return func(packet []byte) {
		n.t.Helper()
		_, err := unix.Write(fd, packet)
		n.must("write to "+name, err)
	}
}

// Link returns an interface by its name.
func (n *Netns) Link(name string) netlink.Link {
	n.t.Helper()
	link, err := n.handle.LinkByName(name)
	n.must("find "+name, err)
	return link
}

// Handle returns the netlink handle of the namespace.
func (n *Netns) Handle() *netlink.Handle { return n.handle }

func (n *Netns) must(act string, err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s: %v", act, err)
	}
}

// Sender puts frames on an interface as they are.
type Sender struct {
	t  testing.TB
	fd int
	to unix.SockaddrLinklayer
}

// Sender returns a sender for an interface.
func (n *Netns) Sender(name string) *Sender {
	n.t.Helper()
	s := &Sender{t: n.t, to: unix.SockaddrLinklayer{Ifindex: n.Link(name).Attrs().Index}}
	n.Do(func() (err error) {
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	n.t.Cleanup(func() { _ = unix.Close(s.fd) })
	return s
}

// Try sends a frame, unless the interface's queue is full (ENOBUFS).
func (s *Sender) Try(frame []byte) error { return unix.Sendto(s.fd, frame, 0, &s.to) }

// Send sends a frame. It waits while the interface's queue is full.
func (s *Sender) Send(frame []byte) {
	s.t.Helper()
	for {
		switch err := s.Try(frame); err {
		case nil:
			return
		case unix.ENOBUFS, unix.EINTR:
			time.Sleep(time.Millisecond)
		default:
			s.t.Fatalf("send a frame of %d bytes: %v", len(frame), err)
		}
	}
}

// Listen opens a TCP listener in the namespace.
func (n *Netns) Listen(address string) (l net.Listener) {
	n.t.Helper()
	n.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	n.t.Cleanup(func() { _ = l.Close() })
	return l
}

// ListenPacket opens a UDP socket in the namespace.
func (n *Netns) ListenPacket(address string) (c net.PacketConn) {
	n.t.Helper()
	n.Do(func() (err error) {
		c, err = net.ListenPacket("udp", address)
		return err
	})
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Dial connects from the namespace to a numeric address.
func (n *Netns) Dial(network, address string) (c net.Conn) {
	n.t.Helper()
	n.Do(func() (err error) {
		c, err = net.Dial(network, address)
		return err
	})
	return c
}
