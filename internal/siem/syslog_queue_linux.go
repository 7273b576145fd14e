package siem

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unacknowledged says how many bytes of a TCP connection the receiver's system has not acknowledged yet; 0 where that
// cannot be known. (SIOCOUTQ, tcp(7).)
func unacknowledged(conn net.Conn) int {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		return 0
	}
	return n
}
