package live

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// linkWatch watches the interfaces of the network namespace that it was made in, whichever thread asks.
type linkWatch struct {
	fd   int // a socket to ask through
	news int // a netlink socket that is readable when an interface has changed; -1 if there is none
}

// face is what the kernel reports about an interface.
type face struct {
	index int
	kind  uint16 // ARPHRD_ETHER ...
	mtu   uint32
	state LinkState
}

// longest is the length of the longest packet, in bytes, that was not joined from several: MTU, link header and two VLAN
// tags.
func (f *face) longest() uint32 { return min(f.mtu, maxSnap) + 14 + 2*4 }

func newLinkWatch() (*linkWatch, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket: %w", err)
	}
	w := &linkWatch{fd: fd, news: -1}
	news, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return w, nil // checking once a second works as well
	}
	if unix.Bind(news, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}) != nil {
		_ = unix.Close(news)
		return w, nil
	}
	w.news = news
	return w, nil
}

// find returns the interface of a name, or ENODEV.
func (w *linkWatch) find(name string) (f face, err error) {
	if len(name) >= unix.IFNAMSIZ || name == "" {
		return f, unix.ENODEV
	}
	requests := [...]uint{unix.SIOCGIFINDEX, unix.SIOCGIFHWADDR, unix.SIOCGIFMTU, unix.SIOCGIFFLAGS}
	var answers [len(requests)]*unix.Ifreq
	for i, request := range requests {
		if answers[i], err = unix.NewIfreq(name); err == nil {
			err = unix.IoctlIfreq(w.fd, request, answers[i])
		}
		if err != nil {
			return f, err
		}
	}
	index, kind, mtu, flags := answers[0], answers[1], answers[2], answers[3]
	return face{index: int(index.Uint32()), kind: kind.Uint16(), mtu: mtu.Uint32(), state: stateOf(flags.Uint16())}, nil
}

func stateOf(flags uint16) LinkState {
	switch {
	case flags&unix.IFF_UP == 0:
		return LinkDown
	case flags&unix.IFF_RUNNING == 0:
		return LinkNoCarrier
	}
	return LinkUp
}

// changed reports whether the kernel has sent news about interfaces since the last call. Their content is not read.
func (w *linkWatch) changed() bool {
	if w.news < 0 {
		return false
	}
	var buf [1]byte // the rest of a message is thrown away
	for any := false; ; any = true {
		_, _, err := unix.Recvfrom(w.news, buf[:], unix.MSG_DONTWAIT)
		if err == unix.ENOBUFS || err == unix.EINTR {
			continue // messages were lost: that is news, too
		}
		if err != nil {
			return any
		}
	}
}

func (w *linkWatch) close() {
	_ = unix.Close(w.fd) // nothing was written to either
	if w.news >= 0 {
		_ = unix.Close(w.news)
	}
}
