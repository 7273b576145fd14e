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

// NewNetns makes a network namespace with its loopback interface up and without IPv6, so that nothing passes in it that the
// test did not send. The test is skipped where the system does not allow it.
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
		t.Fatalf("speak to the namespace's kernel: %v", err)
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

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is not to be used again
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

// Address gives an interface an address with its prefix, such as 10.0.0.1/24.
func (n *Netns) Address(name, prefix string) {
	n.t.Helper()
	address, err := netlink.ParseAddr(prefix)
	n.must("parse address", err)
	n.must("add address", n.handle.AddrAdd(n.link(name), address))
}

// Up switches an interface on, Down off.
func (n *Netns) Up(name string) { n.t.Helper(); n.must("set up", n.handle.LinkSetUp(n.link(name))) }

// Down switches an interface off.
func (n *Netns) Down(name string) {
	n.t.Helper()
	n.must("set down", n.handle.LinkSetDown(n.link(name)))
}

// Remove takes an interface, and the other end of its pair, away.
func (n *Netns) Remove(name string) {
	n.t.Helper()
	n.must("remove", n.handle.LinkDel(n.link(name)))
}

// MTU sets the longest packet, in bytes, of an interface.
func (n *Netns) MTU(name string, bytes int) {
	n.t.Helper()
	n.must("set mtu", n.handle.LinkSetMTU(n.link(name), bytes))
}

// Promiscuous says whether somebody has asked the interface for packets to other addresses.
func (n *Netns) Promiscuous(name string) bool {
	n.t.Helper()
	return n.link(name).Attrs().Promisc > 0
}

// Tun makes an interface without link headers that is up, and gives what makes a packet come in through it.
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

func (n *Netns) link(name string) netlink.Link {
	n.t.Helper()
	link, err := n.handle.LinkByName(name)
	n.must("find "+name, err)
	return link
}

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

// Sender gives a sender for an interface.
func (n *Netns) Sender(name string) *Sender {
	n.t.Helper()
	s := &Sender{t: n.t, to: unix.SockaddrLinklayer{Ifindex: n.link(name).Attrs().Index}}
	n.Do(func() (err error) {
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	n.t.Cleanup(func() { _ = unix.Close(s.fd) })
	return s
}

// Send sends a frame.
func (s *Sender) Send(frame []byte) {
	s.t.Helper()
	for {
		err := unix.Sendto(s.fd, frame, 0, &s.to)
		if err == unix.ENOBUFS || err == unix.EINTR { // the interface's queue is full
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			s.t.Fatalf("send a frame of %d bytes: %v", len(frame), err)
		}
		return
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

// Dial connects from the namespace to an address in numbers.
func (n *Netns) Dial(network, address string) (c net.Conn) {
	n.t.Helper()
	n.Do(func() (err error) {
		c, err = net.Dial(network, address)
		return err
	})
	return c
}
