package deliver

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unacknowledged says how many bytes of a TCP connection the receiver's system has not acknowledged yet; 0 where that
// cannot be known. (SIOCOUTQ, tcp(7).)
func unacknowledged(conn net.Conn) (n int) {
	control(conn, func(fd int) {
		if queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil {
			n = queued
		}
	})
	return n
}

// acknowledgeAtOnce makes our system not wait before it acknowledges what comes next: a receiver that sends many short
// answers, each as a segment of its own, waits for that with the second one (RFC 896), by up to 40 ms. (TCP_QUICKACK,
// tcp(7): it does not last.)
func acknowledgeAtOnce(conn net.Conn) {
	control(conn, func(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }) // it is faster, no more
}

// control does something with the socket of a connection that has one.
func control(conn net.Conn, act func(fd int)) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { act(int(fd)) }) // fails where the connection is closed: the next use says so
	}
}
