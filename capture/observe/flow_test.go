package observe

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
)

func TestObservationSize(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(capture.Observation{}), uintptr(300))
}

func TestOutcomes(t *testing.T) {
	refused := newTalk(40001, 443)
	refused.put(client, decode.SYN, 9, nil)
	refused.put(server, decode.RST|decode.ACK, 0, nil)
	silent := newTalk(40002, 443)
	silent.put(client, decode.SYN, 9, nil)
	silent.put(client, decode.SYN, 9, nil)
	oneSided := newTalk(40003, 443)
	oneSided.put(client, decode.SYN, 9, nil)
	oneSided.put(client, decode.ACK, 10, nil)
	oneSided.put(client, decode.ACK, 10, []byte("data"))
	midstream := newTalk(40004, 443)
	midstream.say(client, []byte("x"))
	midstream.say(server, []byte("y"))
	serverOnly := newTalk(40005, 443)
	serverOnly.say(server, []byte("y"))
	established := opened(40006, 443).closed()
	reset := opened(40007, 443) // later than the opening: not refused
	reset.put(server, decode.RST, 5000, nil)
	half := newTalk(40008, 443) // the SYN was not seen
	half.put(server, decode.SYN|decode.ACK, 9, nil)
	half.put(client, decode.ACK, 10, nil)
	seen, st := observed(t, Options{}, together(refused, silent, oneSided, midstream, serverOnly, established, reset, half))
	got := map[int]string{}
	for port, list := range byPort(seen) {
		require.Len(t, list, 1)
		require.Equal(t, near, list[0].Src.Addr().String(), "port %d: the client opened it", port)
		require.True(t, list[0].Flow.Final)
		got[port-40000] = outcomeWord(list[0].Flow.Outcome)
	}
	require.Equal(t, map[int]string{1: "refused", 2: "no answer", 3: "one-sided", 4: "midstream", 5: "one-sided", 6: "established",
		7: "established", 8: "midstream"}, got)
	require.EqualValues(t, 2, st.Observer.OneSided)
	require.True(t, byPort(seen)[40007][0].Flow.ResetByServer)
	require.False(t, byPort(seen)[40006][0].Flow.Reset)
}

// icmpAbout is a message of the kind given from a router that quotes packet p.
func icmpAbout(kind, code uint8, p capture.Packet) capture.Packet {
	quote := p.Data[:min(28, len(p.Data))]
	return capture.Packet{Link: capture.LinkRaw, Data: ip4Bytes(1, "203.0.113.1", near, join([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quote))}
}

func TestUnreachable(t *testing.T) {
	k := newTalk(40001, 443)
	k.put(client, decode.SYN, 9, nil)
	var u datagrams
	u.put(client, 40002, 9999, []byte("hello"))
	exceeded := newTalk(40003, 443) // time exceeded does not mean refused
	exceeded.put(client, decode.SYN, 9, nil)
	stranger := newTalk(40004, 443)
	stranger.put(client, decode.SYN, 9, nil)
	list := append(together(k, exceeded), u.list...)
	list = append(list, icmpAbout(3, 1, k.list[0]), icmpAbout(3, 3, u.list[0]), icmpAbout(11, 0, exceeded.list[0]), icmpAbout(3, 1, stranger.list[0]))
	six := ip6Bytes(ipTCP, "2001:db8::7", "2001:db8::80", tcpBytes(40005, 443, decode.SYN, 9, 0, nil))
	icmp6 := ip6Bytes(58, "2001:db8::1", "2001:db8::7", join([]byte{1, 4, 0, 0, 0, 0, 0, 0}, six))
	list = append(list, capture.Packet{Link: capture.LinkRaw, Data: six}, capture.Packet{Link: capture.LinkRaw, Data: icmp6})
	seen, _ := observed(t, Options{}, list)
	got := map[int]string{}
	for port, list := range byPort(seen) {
		require.Len(t, list, 1)
		got[port-40000] = outcomeWord(list[0].Flow.Outcome)
	}
	require.Equal(t, map[int]string{1: "refused", 2: "refused", 3: "no answer", 5: "refused"}, got)
}

func TestDatagramOutcomes(t *testing.T) {
	var u datagrams
	u.put(client, 40001, 9999, []byte("a"))
	u.put(server, 40001, 9999, []byte("b"))
	u.put(client, 40002, 9999, []byte("a"))
	u.put(server, 40003, 53, []byte("b"))
	seen, _ := observed(t, Options{}, u.list)
	got := byPort(seen)
	require.Equal(t, capture.Established, got[40001][0].Flow.Outcome)
	require.Equal(t, capture.NoAnswer, got[40002][0].Flow.Outcome)
	require.Equal(t, capture.OneSided, got[40003][0].Flow.Outcome)
}

func TestFlowCounts(t *testing.T) {
	k := opened(40001, 443)
	k.say(client, []byte("\x16\x09hello, nameless"))
	k.say(server, []byte("yes"))
	k.closed()
	list := numbered(k.list)
	for i := range list {
		list[i].Time = someStart + int64(i)*int64(30*time.Millisecond)
	}
	seen, _ := observed(t, Options{}, list)
	require.Len(t, seen, 1)
	o, f := seen[0], seen[0].Flow
	require.Equal(t, capture.FlowRecord{
		FirstFrame: 1, LastFrame: 7, First: time.Unix(0, someStart).UTC(), Last: time.Unix(0, someStart).UTC().Add(180 * time.Millisecond),
		PacketsOut: 4, PacketsIn: 3, BytesOut: 4*40 + 17, BytesIn: 3*40 + 3, RTT: 30 * time.Millisecond, Outcome: capture.Established, Final: true,
		TTL: 64, OutHead: [8]byte([]byte("\x16\x09hello,")), OutHeadLen: 8, InHead: [8]byte{'y', 'e', 's'}, InHeadLen: 3,
	}, *f)
	require.EqualValues(t, 7, o.Frame)
	require.Equal(t, f.Last, o.Time)
	require.Equal(t, "192.0.2.80:443", o.Dst.String())
}

// at gives packets their times, in seconds.
func at(list []capture.Packet, seconds ...float64) []capture.Packet {
	for i := range list {
		list[i].Time = someStart + int64(seconds[i]*1e9)
	}
	return list
}

func TestFlowEnds(t *testing.T) {
	count := func(list []capture.Packet) (records []capture.Observation) {
		seen, _ := observed(t, Options{}, list)
		return flowsOf(seen)
	}
	closed := opened(40001, 443).closed() // five packets
	closed.put(client, decode.SYN, 99, nil)
	got := count(at(closed.list, 0, 1, 2, 3, 4, 5))
	require.Len(t, got, 2, "a new connection on the same ports")
	require.EqualValues(t, 5, got[0].Flow.LastFrame)
	require.EqualValues(t, 6, got[1].Flow.FirstFrame)

	again := newTalk(40001, 443) // the same SYN is the same attempt
	again.put(client, decode.SYN, 9, nil)
	again.put(client, decode.SYN, 9, nil)
	again.put(client, decode.SYN, 9, nil)
	require.Len(t, count(at(again.list, 0, 1, 3)), 1)
	require.Len(t, count(at(again.list, 0, 1, 70)), 2, "an attempt is over after a minute")

	last := opened(40001, 443).closed() // the last acknowledgement belongs to it
	last.put(client, decode.ACK, last.first[0]+1, nil)
	require.Len(t, count(at(last.list, 0, 1, 2, 3, 4, 5)), 1)

	require.Len(t, count(at(last.list, 0, 1, 2, 3, 4, 8)), 1)
	require.Len(t, count(at(last.list, 0, 1, 2, 3, 4, 10)), 2, "a closed connection is over after 5 s")
	reset := opened(40001, 443)
	reset.put(server, decode.RST, 5000, nil)
	reset.put(client, decode.ACK, 9, nil)
	require.Len(t, count(at(reset.list, 0, 1, 2, 3, 20)), 2)

	idle := opened(40001, 443)
	idle.say(client, []byte("x"))
	require.Len(t, count(at(idle.list, 0, 1, 2, 900)), 2, "one record while it is open, one at its end")
	require.Len(t, count(at(idle.list, 0, 1, 2, 903)), 2, "two flows")
}

// Flows that have ended are reported while others go on, not only when the input ends.
func TestIdleFlowsAreSwept(t *testing.T) {
	var u datagrams
	u.put(client, 40001, 9999, []byte("a"))
	for i := range 20 {
		u.put(client, 40002, 9999, []byte("b"))
		u.list[i+1].Time = someStart + int64(i)*1e10
	}
	u.list[0].Time = someStart
	seen, _ := observed(t, Options{}, u.list)
	require.Len(t, seen, 2)
	require.EqualValues(t, 40001, seen[0].Src.Port())
	require.EqualValues(t, 1, seen[0].Frame)
}

func TestRecordsWhileOpen(t *testing.T) {
	k := opened(40001, 443)
	times := []float64{0, 0.1, 0.2}
	for i := range 70 {
		k.say(client, []byte{byte(i)})
		times = append(times, float64(i+1)*30)
	}
	seen, _ := observed(t, Options{}, at(k.list, times...))
	require.Len(t, seen, 4) // at 10, 20 and 30 minutes, and at the end
	for i, o := range seen[:3] {
		require.False(t, o.Flow.Final)
		require.Equal(t, time.Duration(i+1)*10*time.Minute, o.Flow.Last.Sub(o.Flow.First))
		require.Equal(t, seen[3].Flow.First, o.Flow.First)
	}
	require.True(t, seen[3].Flow.Final)
	require.EqualValues(t, 72, seen[3].Flow.PacketsOut)
}

// Who opened a flow is guessed by ports if there is no SYN.
func TestDirectionGuesses(t *testing.T) {
	for _, c := range []struct {
		sport, dport int
		reversed     bool
	}{
		{443, 50000, true}, {50000, 443, false}, {50000, 50001, false}, {8080, 50000, true}, {443, 80, false}, {53, 123, false},
	} {
		k := newTalk(c.sport, c.dport)
		k.say(client, []byte{0xff})
		var u datagrams
		u.put(client, c.sport, c.dport, []byte{0})
		for _, list := range [][]capture.Packet{k.list, u.list} {
			seen, _ := observed(t, Options{}, list)
			f := flowsOf(seen)
			require.Len(t, f, 1)
			require.Equal(t, c.reversed, f[0].Src.Addr().String() == far, "%+v", c)
			require.Equal(t, c.reversed, f[0].Flow.PacketsIn == 1, "%+v", c)
			require.Equal(t, c.reversed, f[0].Flow.TTL == 0, "%+v: the opener's", c)
		}
	}
}

func TestHostOfAFlow(t *testing.T) {
	frame := func(fromClient bool, tag bool, flags uint8) capture.Packet {
		src, dst, sport, dport := near, far, 40001, 443
		mac := join(testDstMAC[:], testSrcMAC[:])
		if !fromClient {
			src, dst, sport, dport = dst, src, dport, sport
			mac = join(testSrcMAC[:], testDstMAC[:])
		}
		kind := u16(etherIPv4)
		if tag {
			kind = join(u16(etherVLAN), u16(42), kind)
		}
		return capture.Packet{Link: capture.LinkEthernet, Data: join(mac, kind, ip4Bytes(ipTCP, src, dst, tcpBytes(sport, dport, flags, 1, 1, nil)))}
	}
	for _, list := range [][]capture.Packet{
		{frame(true, true, decode.SYN), frame(false, true, decode.SYN|decode.ACK)},
		{frame(false, true, decode.SYN|decode.ACK), frame(true, true, decode.ACK)},
	} {
		seen, _ := observed(t, Options{}, list)
		require.Len(t, seen, 1)
		h := seen[0].Host
		require.Equal(t, capture.Host{Addr: seen[0].Src.Addr(), MAC: testSrcMAC, HasMAC: true, VLAN: 42}, h)
		require.Equal(t, near, h.Addr.String())
		require.Equal(t, []uint16{42}, seen[0].Link.VLANs)
	}
}

// Every flow's record names its tunnel, however many tunnels there are.
func TestTunnelsOfManyFlows(t *testing.T) {
	var list []capture.Packet
	for id := range 70_000 {
		inner := ip4Bytes(ipUDP, near, far, udpBytes(1024+id&0x7fff, 9999+id>>15, []byte("x")))
		vxlan := join([]byte{8, 0, 0, 0}, u32(uint32(id)<<8), etherBytes(etherIPv4, inner))
		list = append(list, capture.Packet{Link: capture.LinkRaw, Data: ip4Bytes(ipUDP, "10.0.0.1", "10.0.0.2", udpBytes(9, portVXLAN, vxlan))})
	}
	seen, _ := observed(t, Options{}, list)
	require.Len(t, seen, len(list))
	for _, o := range seen {
		require.NotNil(t, o.Link)
		require.EqualValues(t, o.Frame-1, o.Link.Tunnels[0].ID)
	}
}
