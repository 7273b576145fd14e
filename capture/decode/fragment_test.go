package decode

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// joiner feeds IP packets to one Decoder, a millisecond apart.
type joiner struct {
	t   *testing.T
	d   *Decoder
	now int64
	n   uint64
	out Headers
}

func newJoiner(t *testing.T, opt Options) *joiner { return &joiner{t: t, d: New(opt)} }

func (j *joiner) feed(ip []byte) Layer {
	j.now += int64(time.Millisecond)
	j.n++
	return j.d.Decode(&capture.Packet{Data: ip, OrigLen: uint32(len(ip)), Link: capture.LinkRaw, Time: j.now, Frame: j.n}, &j.out)
}

// body is a UDP datagram whose payload is n recognisable bytes.
func body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return udpBytes(1111, 53, b)
}

// cut4 is body's bytes from..to as an IPv4 fragment with id 77.
func cut4(b []byte, from, to int) []byte {
	at := from / 8
	if to < len(b) {
		at |= 0x2000
	}
	return ip4Piece(ipUDP, "10.0.0.1", "10.0.0.2", 77, at, b[from:to])
}

func cut6(b []byte, from, to int) []byte {
	at := from
	if to < len(b) {
		at |= 1
	}
	return ip6Bytes(ipFragment, "fd00::1", "fd00::2", join([]byte{ipUDP, 0}, u16(at), u32(77), b[from:to]))
}

func (j *joiner) requireWhole(b []byte) {
	j.t.Helper()
	require.Equal(j.t, LayerIP, j.out.Layer)
	require.Equal(j.t, uint16(53), j.out.DstPort)
	require.Equal(j.t, b[8:], j.out.Payload)
	require.EqualValues(j.t, len(b)-8, j.out.PayloadLen)
	require.Zero(j.t, j.d.Stats().Fragments.Pending)
	require.Zero(j.t, j.d.Stats().Fragments.Memory)
	require.Zero(j.t, j.d.Stats().Undecoded)
}

func TestFragmentsInAnyOrder(t *testing.T) {
	b := body(3000)
	cuts := []int{0, 8, 1000, 1480, 2400, len(b)}
	for name, cut := range map[string]func([]byte, int, int) []byte{"IPv4": cut4, "IPv6": cut6} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				j := newJoiner(t, Options{})
				total := 0
				for n, i := range r.Perm(len(cuts) - 1) {
					ip := cut(b, cuts[i], cuts[i+1])
					total += len(ip)
					require.Equal(t, n == len(cuts)-2, j.feed(ip) == LayerIP)
				}
				j.requireWhole(b)
				require.EqualValues(t, total, j.out.IPLen)
				require.EqualValues(t, 1, j.d.Stats().Fragments.Joined)
			}
		})
	}
}

func TestFragmentOverlaps(t *testing.T) {
	b := body(100)
	other := bytes.Repeat([]byte{0xee}, len(b))
	evil := append(bytes.Clone(b[:8]), other[8:]...)
	for name, c := range map[string]struct {
		ips                    [][]byte
		want                   []byte
		overlapping, duplicate uint64
	}{
		"duplicates":              {[][]byte{cut4(b, 0, 48), cut4(b, 0, 48), cut4(b, 48, 108)}, b, 0, 1},
		"the first stands":        {[][]byte{cut4(b, 0, 48), cut4(evil, 0, 48), cut4(evil, 24, 108)}, join(b[:48], evil[48:]), 2, 0},
		"the first stands, later": {[][]byte{cut4(b, 48, 108), cut4(evil, 0, 80)}, join(evil[:48], b[48:]), 1, 0},
		"teardrop":                {[][]byte{cut4(b, 0, 48), cut4(evil, 24, 32), cut4(b, 48, 108)}, b, 1, 0},
		"one over two holes":      {[][]byte{cut4(b, 8, 16), cut4(b, 24, 32), cut4(evil, 0, 48), cut4(b, 48, 108)}, join(evil[:8], b[8:16], evil[16:24], b[24:32], evil[32:48], b[48:]), 1, 0},
		"two ends: the first":     {[][]byte{cut4(b[:60], 48, 60), cut4(evil, 48, 108), cut4(b, 0, 48)}, b[:60], 1, 0},
		"an end before the end":   {[][]byte{cut4(b, 48, 96), cut4(b[:60], 48, 60), cut4(b, 0, 48)}, b[:60], 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJoiner(t, Options{})
			for i, ip := range c.ips {
				require.Equal(t, i == len(c.ips)-1, j.feed(ip) == LayerIP)
			}
			j.requireWhole(c.want)
			s := j.d.Stats().Fragments
			require.Equal(t, []uint64{c.overlapping, c.duplicate}, []uint64{s.Overlapping, s.Duplicate})
		})
	}
}

// TestFragmentsAgainstBytewise: any pieces in any order give what a table of single bytes gives.
func TestFragmentsAgainstBytewise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		j := newJoiner(t, Options{})
		size := 8 * (2 + r.IntN(12))
		want, have := make([]byte, size), make([]bool, size)
		missing := size
		for missing > 0 {
			from := 8 * r.IntN(size/8)
			to := min(size, from+8*(1+r.IntN(4)))
			if to-from == size { // no fragment
				to -= 8
			}
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			copy(data, join(u16(1), u16(53), u32(0)))
			for i := from; i < to; i++ {
				if !have[i] {
					want[i], have[i] = data[i], true
					missing--
				}
			}
			require.Equal(t, missing == 0, j.feed(cut4(data, from, to)) == LayerIP)
		}
		require.Equal(t, want[8:], j.out.Payload)
	}
}

func TestFragmentsOfTwoDatagramsStayApart(t *testing.T) {
	b, c := body(100), body(100)
	c[20] ^= 0xff
	j := newJoiner(t, Options{})
	other := func(from, to int) []byte {
		ip := cut4(c, from, to)
		ip[5] = 78
		return ip
	}
	j.feed(cut4(b, 0, 48))
	j.feed(other(0, 48))
	require.Equal(t, LayerIP, j.feed(cut4(b, 48, 108)))
	require.Equal(t, b[8:], j.out.Payload)
	require.Equal(t, LayerIP, j.feed(other(48, 108)))
	require.Equal(t, c[8:], j.out.Payload)

	tagged := func(vid int, ip []byte) *capture.Packet {
		e := etherBytes(etherVLAN, join(u16(vid), u16(etherIPv4), ip))
		return &capture.Packet{Data: e, OrigLen: uint32(len(e)), Link: capture.LinkEthernet}
	}
	j.d.Decode(tagged(1, cut4(b, 0, 48)), &j.out)
	require.Equal(t, LayerNone, j.d.Decode(tagged(2, cut4(b, 48, 108)), &j.out), "another VLAN")
	require.Equal(t, LayerIP, j.d.Decode(tagged(1, cut4(b, 48, 108)), &j.out))
	require.EqualValues(t, 1, j.out.VLAN)
}

func TestFragmentsAndTunnels(t *testing.T) {
	b := body(2000)
	j := newJoiner(t, Options{})
	greOf := func(ip []byte) []byte { return outer4(ipGRE, gre(0, etherIPv4, ip)) }
	require.Equal(t, LayerNone, j.feed(greOf(cut4(b, 0, 1400))))
	require.Equal(t, LayerIP, j.feed(greOf(cut4(b, 1400, len(b)))))
	require.Equal(t, b[8:], j.out.Payload)
	require.Equal(t, "gre", j.out.Link.Tunnels[0].Type, "fragments inside a tunnel")

	whole := join([]byte{8, 0, 0, 0, 0, 0, 1, 0}, etherBytes(etherIPv4, inner4()))
	udp := udpBytes(1111, portVXLAN, whole)
	require.Equal(t, LayerNone, j.feed(cut4(udp, 24, len(udp))))
	require.Equal(t, LayerIP, j.feed(cut4(udp, 0, 24)))
	requireInnerPorts(t, j.out)
	require.Equal(t, "vxlan", j.out.Link.Tunnels[0].Type, "a tunnel in fragments")
	require.Zero(t, j.d.Stats().Undecoded)
}

func requireInnerPorts(t *testing.T, out Headers) {
	t.Helper()
	require.Equal(t, []any{uint16(443), "hello"}, []any{out.DstPort, string(out.Payload)})
}

func TestImpossibleFragments(t *testing.T) {
	for name, ip := range map[string][]byte{
		"ping of death":        ip4Piece(ipICMP, "10.0.0.1", "10.0.0.2", 1, 0x1fff, make([]byte, 100)),
		"less than 8, more":    ip4Piece(ipUDP, "10.0.0.1", "10.0.0.2", 1, 0x2000, make([]byte, 7)),
		"nothing":              ip4Piece(ipUDP, "10.0.0.1", "10.0.0.2", 1, 0x0010, nil),
		"nothing IPv6":         ip6Bytes(ipFragment, "fd00::1", "fd00::2", join([]byte{ipUDP, 0}, u16(8), u32(1))),
		"beyond the end, IPv6": ip6Bytes(ipFragment, "fd00::1", "fd00::2", join([]byte{ipUDP, 0}, u16(0xfff8), u32(1), make([]byte, 16))),
	} {
		out, s := decode(capture.LinkRaw, ip)
		require.Equal(t, LayerNone, out.Layer)
		require.Equal(t, capture.ReasonFragmentBad, refusal(t, s), name)
		require.EqualValues(t, 1, s.Fragments.Bad)
		require.Zero(t, s.Fragments.Pending)
	}
	inFragment := join([]byte{ipUDP, 0}, u16(1), u32(9), make([]byte, 24))
	j := newJoiner(t, Options{})
	nested := func(from, to int) []byte {
		at := from
		if to < len(inFragment) {
			at |= 1
		}
		return ip6Bytes(ipFragment, "fd00::1", "fd00::2", join([]byte{ipFragment, 0}, u16(at), u32(1), inFragment[from:to]))
	}
	j.feed(nested(0, 16))
	require.Equal(t, LayerNone, j.feed(nested(16, 32)))
	require.EqualValues(t, 1, j.d.Stats().Undecoded[capture.ReasonExtension], "a fragment in a joined datagram")
}

func TestCutFragments(t *testing.T) {
	b := body(2000)
	d := New(Options{})
	var out Headers
	ip := cut4(b, 0, 1400)
	require.Equal(t, LayerIP, d.Decode(&capture.Packet{Data: ip[:100], OrigLen: uint32(len(ip)), Link: capture.LinkRaw}, &out))
	require.Equal(t, []any{uint16(53), b[8:80], uint32(1392)}, []any{out.DstPort, out.Payload, out.PayloadLen}, "the first is used as far as it goes")
	ip = cut4(b, 1400, len(b))
	require.Equal(t, LayerNone, d.Decode(&capture.Packet{Data: ip[:100], OrigLen: uint32(len(ip)), Link: capture.LinkRaw}, &out))
	require.Equal(t, capture.ReasonFragmentCut, refusal(t, d.Stats()))
	require.EqualValues(t, 2, d.Stats().Fragments.Cut)
}

func TestFragmentsTimeOut(t *testing.T) {
	b := body(2000)
	j := newJoiner(t, Options{MaxFragmentAge: 10 * time.Second})
	j.feed(cut4(b, 0, 800))
	j.feed(cut4(b, 800, 1600))
	j.now += int64(10 * time.Second)
	require.Equal(t, LayerNone, j.feed(cut4(b, 1600, len(b))), "too late")
	s := j.d.Stats()
	require.Equal(t, []uint64{1, 0}, []uint64{s.Fragments.TimedOut, s.Fragments.Joined})
	require.EqualValues(t, 3, s.Undecoded[capture.ReasonFragmentWaiting])

	var got []Headers
	keep := func(out *Headers) { got = append(got, *out) }
	j.d.Flush(j.now, keep)
	require.Len(t, got, 1)
	require.Equal(t, []any{uint64(1), LayerIP, uint16(53), uint32(len(b) - 8)}, []any{got[0].Frame, got[0].Layer, got[0].DstPort, got[0].PayloadLen})
	require.Equal(t, b[8:1600], got[0].Payload)
	require.EqualValues(t, 2, j.d.Stats().Undecoded[capture.ReasonFragmentWaiting])

	j.d.Flush(math.MaxInt64, keep)
	require.Len(t, got, 1, "a datagram without its first fragment gives nothing")
	f := j.d.Stats().Fragments
	require.Equal(t, []uint64{2, 1, 0, 0}, []uint64{f.TimedOut, f.HandedOut, uint64(f.Pending), uint64(f.Memory)})
}

func TestFlushWithoutAnEnd(t *testing.T) {
	b := body(2000)
	j := newJoiner(t, Options{})
	j.feed(outer4(ipGRE, gre(0, etherIPv4, cut4(b, 0, 800))))
	n := 0
	j.d.Flush(math.MaxInt64, func(out *Headers) {
		n++
		require.Equal(t, b[8:800], out.Payload)
		require.Greater(t, int(out.PayloadLen), len(out.Payload), "cut")
		require.Equal(t, "gre", out.Link.Tunnels[0].Type)
	})
	require.Equal(t, 1, n)
}

func TestOldestDatagramIsDropped(t *testing.T) {
	b := body(2000)
	j := newJoiner(t, Options{MaxFragments: 3 * (800 + pieceCost + datagramCost)})
	first := func(id byte) []byte {
		ip := cut4(b, 0, 800)
		ip[5] = id
		return ip
	}
	for id := range byte(4) {
		j.feed(first(id))
	}
	s := j.d.Stats().Fragments
	require.Equal(t, []uint64{1, 3}, []uint64{s.Dropped, uint64(s.Pending)})
	last := cut4(b, 800, len(b))
	last[5] = 0
	require.Equal(t, LayerNone, j.feed(last), "the oldest is gone")
}
