package observe

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/internal/testkit"
)

// A flow record says whether a server name was seen at all, so that a name may be sought elsewhere.
func TestNoName(t *testing.T) {
	tls12 := func(name string) []testkit.Flight {
		flights, err := testkit.TLS{Name: name, Version: tls.VersionTLS12, Classic: true, Seed: 7}.Record()
		require.NoError(t, err)
		return flights
	}
	named, unnamed := tls12("www.example.org"), tls12("192.0.2.1") // crypto/tls sends no address as server name
	with, without, half, other := opened(40001, 443), opened(40002, 443), opened(40003, 443), opened(40004, 4444)
	for _, f := range named[:2] {
		with.say(sideOf(f), f.Data)
	}
	for _, f := range unnamed[:2] {
		without.say(sideOf(f), f.Data)
	}
	half.say(server, named[1].Data) // the client's side is not in the capture
	other.say(client, []byte("hello"))
	asked, answered := opened(40005, 80), opened(40006, 80)
	asked.say(client, []byte("GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n"))
	answered.say(server, []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) // the request is not in the capture
	for _, in := range []func() capture.Interest{nil, func() capture.Interest { return no{} }} {
		seen, _ := observed(t, Options{Interest: in}, together(with, without, half, other, asked, answered))
		got := map[int]bool{}
		for _, o := range flowsOf(seen) {
			got[int(o.Src.Port())-40000] = o.Marks&capture.NoName != 0
		}
		require.Equal(t, map[int]bool{1: false, 2: true, 3: true, 4: false, 5: false, 6: true}, got)
	}
}

func sideOf(f testkit.Flight) int {
	if f.FromClient {
		return client
	}
	return server
}
