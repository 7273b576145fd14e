package main

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"time"

	"avbeacon/internal/testkit"
)

// cutShort is a session with Kaspersky's update servers, in a file that ends in the middle of its last record.
func cutShort() ([]byte, error) {
	s := newSite(3)
	s.updateBases(at(9, 0, 0), machine("ACCT-PC-01", 21), "dnl-01.geo.kaspersky.com")
	b, err := s.bytes()
	if err != nil {
		return nil, err
	}
	return b[:len(b)-37], nil
}

// tunnels is the same session with Kaspersky's reputation service in each kind of tunnel, each from another host.
func tunnels() ([]byte, error) {
	s := newSite(4)
	near := testkit.Host{MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 200}, Addr: netip.MustParseAddr("10.255.0.1")}
	far := testkit.Host{MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 201}, Addr: netip.MustParseAddr("10.255.0.2")}
	for n, wrap := range []func([]byte) []byte{
		testkit.GRE(near, far),
		testkit.VXLAN(near, far, 5001),
		testkit.Geneve(near, far, 5002),
		testkit.QinQ(100, 20),
		testkit.IPinIP(near, far),
		testkit.Nested(testkit.QinQ(100, 20), testkit.VXLAN(near, far, 5003), testkit.GRE(far, near)),
	} {
		s.c.Through = wrap
		s.product(at(9, n, 0), machine("", byte(101+n)), "ds.kaspersky.com", "ds.kaspersky.com")
	}
	return s.bytes()
}

// fragments is requests to Kaspersky's update servers in IPv4 fragments: in order, backwards, and with one sent twice.
func fragments() ([]byte, error) {
	whole, cut := newSite(5), testkit.NewCapture(5)
	for n := range 3 {
		whole.updateBases(at(9, n, 0), machine("", byte(111+n)), "dnl-07.geo.kaspersky.com")
	}
	c, err := whole.capture()
	if err != nil {
		return nil, err
	}
	for id, f := range c.Frames() {
		if len(f.Data) < 200 {
			cut.Add(f.Time, f.Data)
			continue
		}
		parts := testkit.Fragments(f.Data, 96, uint16(id))
		switch f.Time.Minute() {
		case 1:
			slices.Reverse(parts)
		case 2:
			parts = append(parts[:2:2], append([][]byte{parts[0]}, parts[2:]...)...)
		}
		for k, p := range parts {
			cut.Add(f.Time.Add(time.Duration(k)*time.Microsecond), p)
		}
	}
	return pcap(cut)
}

// segments is post-quantum hellos to Kaspersky's reputation service, which fill several segments: out of order, with one
// sent twice, in small ones, and on a connection whose opening is missing.
func segments() ([]byte, error) {
	s := newSite(6)
	server := s.host("ds.kaspersky.com")
	flights, err := testkit.TLS{Name: "ds.kaspersky.com", Version: tls.VersionTLS13, Seed: 6, Ask: 100, Answer: 100}.Record()
	if err != nil {
		return nil, err
	}
	hello := flights[0].Data
	for n, way := range []struct {
		size  int
		order []int
	}{
		{500, []int{2, 0, 1, 0}},
		{1000, []int{1, 1, 0}},
		{200, countTo((len(hello) + 199) / 200)},
	} {
		conn := s.c.Open(at(9, n, 0), machine("", byte(121+n)), server, 443)
		conn.SendParts(hello, way.size, way.order...)
		conn.Play(flights[1:2])
		conn.Close()
	}
	conn := s.c.Midstream(at(9, 3, 0), machine("", 124), server, 443)
	conn.Play(flights)
	conn.Close()
	return s.bytes()
}

func countTo(n int) []int {
	var out []int
	for i := range n {
		out = append(out, i)
	}
	return out
}
