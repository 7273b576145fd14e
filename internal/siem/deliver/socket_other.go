//go:build !linux

package deliver

import "net"

// unacknowledged cannot be known here.
func unacknowledged(net.Conn) int { return 0 }

// acknowledgeAtOnce is for Linux alone.
func acknowledgeAtOnce(net.Conn) {}
