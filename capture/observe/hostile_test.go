package observe

import (
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/limits"
)

// flood is a Source that makes its packets as they are asked for, and watches the heap.
type flood struct {
	n    int
	make func(i int) capture.Packet
	at   int
	peak uint64 // of the heap in use, in bytes
}

const (
	floodBlock = 256 // packets
	floodLooks = 16  // blocks between two looks at the heap
)

func (f *flood) Next(_ context.Context, b *capture.Block) error {
	if f.at%(floodLooks*floodBlock) == 0 || f.at >= f.n {
		f.measure()
	}
	if f.at >= f.n {
		return io.EOF
	}
	b.Packets = b.Packets[:0]
	for ; f.at < f.n && len(b.Packets) < floodBlock; f.at++ {
		p := f.make(f.at)
		p.Frame = uint64(f.at + 1)
		p.OrigLen = max(p.OrigLen, uint32(len(p.Data)))
		if p.Time == 0 {
			p.Time = someStart + int64(f.at)*1000
		}
		b.Packets = append(b.Packets, p)
	}
	return nil
}

func (f *flood) measure() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.peak = max(f.peak, m.HeapAlloc)
}

func (f *flood) Inputs() []capture.Input { return nil }
func (f *flood) Close() error            { return nil }

// flooded gives what n packets came to, and how many bytes of heap they took at most beyond what there was.
func flooded(t *testing.T, opt Options, n int, make func(i int) capture.Packet) (capture.Stats, int) {
	t.Helper()
	before := &flood{}
	before.measure()
	src := &flood{n: n, make: make}
	st, err := Run(context.Background(), src, opt, Sink{Observation: func(*capture.Observation) error { return nil }})
	require.NoError(t, err)
	t.Logf("%d packets, %d MB at most; %+v", n, (int(src.peak)-int(before.peak))>>20, st.Observer)
	return st, int(src.peak) - int(before.peak)
}

// stranger makes a raw IPv4 packet from an address and port of i's own to one server.
func stranger(proto uint8, i int, dport int, rest func(sport int) []byte) capture.Packet {
	b := ip4Bytes(proto, "10.0.0.0", far, rest(1024+i&0x3fff))
	binary.BigEndian.PutUint32(b[12:], 10<<24|uint32(i>>14))
	return capture.Packet{Link: capture.LinkRaw, Data: b}
}

func strangeTCP(i, dport int, flags uint8, seq uint32, payload []byte) capture.Packet {
	return stranger(ipTCP, i, dport, func(sport int) []byte { return tcpBytes(sport, dport, flags, seq, 0, payload) })
}

func strangeUDP(i, dport int, payload []byte) capture.Packet {
	return stranger(ipUDP, i, dport, func(sport int) []byte { return udpBytes(sport, dport, payload) })
}

// What Observe may take beyond its tables: blocks, batches, scratch memory.
const overhead = 4 << 20

// A million half-open flows and more fit into the memory that is promised for a million: 230 bytes each.
func TestHalfOpenFlows(t *testing.T) {
	limit := limits.Flows
	if testing.Short() {
		limit /= 8
	}
	n := limit * 5 / 4
	st, heap := flooded(t, Options{Observer: ObserverOptions{MaxFlows: limit}}, n, func(i int) capture.Packet {
		return strangeTCP(i, 443, decode.SYN, 1, nil)
	})
	require.EqualValues(t, n, st.Observer.Flows)
	require.GreaterOrEqual(t, st.Observer.FlowsEvicted, uint64(n-limit))
	require.Less(t, heap, limit*230)
}

// few bounds the flows and the bytes that wait far below the defaults: what is kept beyond them shows after some ten thousand
// packets.
var few = Options{Observer: ObserverOptions{MaxFlows: 1 << 15, MaxWaiting: fewWaiting}}

const (
	fewWaiting = 4 << 20
	fewFlows   = 10 << 20 // bytes that few's flows take at most
)

func TestHostileFloods(t *testing.T) {
	start := clientStart(recorded(t, "v1"))[0]
	hello := bigHello(t)
	farPiece := dtlsRecords(smallHello(t), 60)[0]
	farPiece = slices.Clone(farPiece)
	copy(farPiece[14:17], []byte{0, 0xff, 0xff}) // length of the message: 65,535 bytes
	copy(farPiece[19:22], []byte{0, 0xf0, 0})    // ... of which this is at 61,440
	head := []byte("GET / HTTP/1.1\r\nX: " + string(make([]byte, 1200)))
	for i := range 1200 {
		head[len(head)-1-i] = 'a'
	}
	for what, c := range map[string]struct {
		n    int
		make func(i int) capture.Packet
	}{
		"first byte of a hello": {40_000, func(i int) capture.Packet { return strangeTCP(i, 443, decode.ACK, 1, hello[:1]) }},
		"first part of a hello": {20_000, func(i int) capture.Packet { return strangeTCP(i, 443, decode.ACK, 1, hello[:1000]) }},
		"early segments of one byte": {75_000, func(i int) capture.Packet {
			return strangeTCP(i/30, 443, decode.ACK, 1+2*uint32(i%30), hello[:1])
		}},
		"early segments": {75_000, func(i int) capture.Packet {
			return strangeTCP(i/30, 443, decode.ACK, 1+1001*uint32(i%30), hello[:1000])
		}},
		"heads that never end": {60_000, func(i int) capture.Packet {
			if i%100 == 0 {
				return strangeTCP(i/100, 80, decode.ACK, 1, head)
			}
			return strangeTCP(i/100, 80, decode.ACK, 1+uint32(i%100)*uint32(len(head)), head[19:])
		}},
		"one byte a segment": {75_000, func(i int) capture.Packet {
			return strangeTCP(i/100_000, 443, decode.ACK, 1+uint32(i%100_000), []byte{[]byte{22, 3, 1, 64, 0, 1, 0, 63, 252}[min(i%100_000, 8)]})
		}},
		"QUIC Initials that stay alone": {20_000, func(i int) capture.Packet { return strangeUDP(i, 443, start) }},
		"DTLS pieces far behind":        {20_000, func(i int) capture.Packet { return strangeUDP(i, 4433, farPiece) }},
		"HTTP/2 without end": {40_000, func(i int) capture.Packet {
			return strangeTCP(i, 80, decode.ACK, 1, append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0xff, 0, 1, 0, 0, 0, 0, 1, 0x40, 0x7f, 0x80, 0x70, 1))
		}},
		"DNS over TCP, too long": {20_000, func(i int) capture.Packet {
			return strangeTCP(i, 53, decode.ACK, 1, join([]byte{0xff, 0xff}, make([]byte, 900)))
		}},
	} {
		t.Run(what, func(t *testing.T) {
			_, heap := flooded(t, few, c.n, c.make)
			require.Less(t, heap, fewWaiting*3/2+fewFlows+overhead)
		})
	}
}

func TestFragmentsThatStayAlone(t *testing.T) {
	st, heap := flooded(t, few, 100_000, func(i int) capture.Packet {
		p := strangeUDP(i, 53, make([]byte, 1400))
		p.Data = ip4Piece(ipUDP, "10.0.0.1", far, i, 0x2000, p.Data[20:1420])
		p.Time = someStart + int64(i)*100
		return p
	})
	require.NotZero(t, st.Decode.Fragments.Dropped)
	require.Less(t, heap, 64<<20+overhead)
}

// inGRE wraps a packet in GRE, n times.
func inGRE(b []byte, n int) []byte {
	for range n {
		b = ip4Bytes(ipGRE, "10.9.0.1", "10.9.0.2", join([]byte{0, 0, 8, 0}, b))
	}
	return b
}

func TestTunnelsInTunnels(t *testing.T) {
	inner := ip4Bytes(ipUDP, near, far, udpBytes(40000, 53, question(t, "deep.example.org.", true)))
	for _, n := range []int{1, 3, 8, 9, 100, 2500} {
		seen, st := observed(t, Options{}, []capture.Packet{{Link: capture.LinkRaw, Data: inGRE(inner, n)}})
		if n <= 8 {
			require.Equal(t, []string{"lookup deep.example.org"}, briefs(seen))
			require.Len(t, seen[0].Link.Tunnels, n)
			continue
		}
		require.Empty(t, briefs(seen), "%d tunnels", n)
		require.NotEqual(t, capture.DecodeStats{}, st.Decode, "it is counted")
	}
	_, heap := flooded(t, few, 100_000, func(i int) capture.Packet { // ever new paths
		b := inGRE(inner, 8)
		for at := range 8 {
			binary.BigEndian.PutUint32(b[at*24+12:], uint32(i*8+at))
		}
		return capture.Packet{Link: capture.LinkRaw, Data: b}
	})
	require.Less(t, heap, fewFlows+overhead+8<<20)
}

func TestDNSLoops(t *testing.T) {
	h := []byte{0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}
	self := join(h, []byte{0xc0, 12, 0, 1, 0, 1})
	twins := join(h, []byte{0xc0, 14, 0xc0, 12, 0, 1, 0, 1})
	ahead := join(h, []byte{1, 'a', 0xc0, 30, 0, 1, 0, 1, 1, 'b', 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4})
	answers := join([]byte{0, 1, 0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0}, []byte{1, 'a', 0, 0, 1, 0, 1})
	for i := 0; len(answers) < 60_000; i++ { // each CNAME ends in the one before
		answers = append(answers, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'x', 0xc0, byte(max(12, min(i, 60))))
	}
	for _, in := range []capture.Interest{nil, no{}, all{}} {
		var u datagrams
		k := opened(40001, 53)
		for _, m := range [][]byte{self, twins, ahead, answers} {
			u.put(server, 40000, 53, m)
			k.say(server, framed(m))
		}
		u.put(client, 40000, 53, question(t, "after.example.org.", true))
		seen, st := observed(t, Options{Observer: ObserverOptions{Interest: in}}, append(u.list, k.list...))
		require.NotZero(t, st.Observer.MalformedDNS)
		for _, o := range seen {
			require.LessOrEqual(t, len(o.Addrs), 4096)
		}
		if in != (no{}) {
			require.Contains(t, briefs(seen), "lookup after.example.org")
		}
	}
}

// Times that jump to the ends of what a capture can hold and back: nothing is lost, and no record is made over and over.
func TestTimesThatJump(t *testing.T) {
	const day = int64(86400e9)
	years := []int64{someStart, 0, someStart + day, 130 * 365 * day, someStart + 2*day, 1, 146 * 365 * day, someStart}
	make := func(i int) capture.Packet {
		p := strangeTCP(i%50, 443, decode.ACK, uint32(i/50), []byte{0xff})
		if i%3 == 0 {
			p = strangeUDP(i%7, 53, question(t, "x.example.org.", true))
		}
		p.Time = max(1, years[i/500%len(years)]+int64(i))
		return p
	}
	want := ""
	for _, n := range []int{1, 3} {
		text, st := dumped(t, Options{Workers: n}, &flood{n: 8000, make: make})
		require.Zero(t, st.Observer.FlowsOpen)
		require.True(t, want == "" || want == text, firstDifference(want, text))
		want = text
	}
	contacts, lookups := 0, 0
	_, err := Run(context.Background(), &flood{n: 8000, make: make}, Options{}, Sink{Observation: func(o *capture.Observation) error {
		switch o.Kind {
		case capture.Contact:
			contacts++
		case capture.Lookup:
			lookups++
		}
		return nil
	}})
	require.NoError(t, err)
	require.Equal(t, 2667, lookups)
	require.Less(t, contacts, 1000)
}

func TestEmptyFrames(t *testing.T) {
	var list []capture.Packet
	for link := range 300 {
		for n := range 5 {
			list = append(list, capture.Packet{Link: capture.LinkType(link), Data: make([]byte, n*n), OrigLen: uint32(n) << 28})
		}
	}
	for _, n := range []int{1, 3} {
		_, st := dumped(t, Options{Workers: n}, &memSource{packets: numbered(list)})
		require.Zero(t, st.Observer.FlowsOpen)
	}
}

// Waiting bytes are given up from the oldest on: who comes last is still read.
func TestFloodsDoNotBlindTheRest(t *testing.T) {
	hello := bigHello(t)
	list := []capture.Packet{}
	for i := range 20_000 {
		list = append(list, strangeTCP(i, 443, decode.ACK, 1, hello[:1000]))
	}
	k := opened(40000, 443)
	k.say(client, hello[:1000])
	k.say(client, hello[1000:])
	seen, st := observed(t, Options{}, append(list, k.list...))
	require.Equal(t, []string{tlsHello1}, briefs(seen))
	require.NotZero(t, st.Observer.WaitingEvicted)
}
