// Package loopback finds ports for the servers that tests start on 127.0.0.1.
package loopback

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreePort returns a TCP port at which nothing listens now, for a server that is started, or started again, later. It is below the
// ports that systems give to clients (from 32768 on Linux, 49152 elsewhere): no connection of another test takes it meanwhile.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.IntN(22000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port of 127.0.0.1 is free")
	return 0
}
