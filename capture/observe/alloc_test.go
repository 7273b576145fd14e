package observe

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/internal/testkit"
)

// worker is an observer as Observe runs it, without the engine around it. It hands out packets of its own: each of them
// is changed in place before it is looked at, so that flows are ever new or ever the same, as the test wants.
type worker struct {
	o     *observer
	clock clock
	at    uint64
	time  int64
	step  int64 // nanoseconds from packet to packet
	seen  int
}

func newWorker(in capture.Interest) *worker {
	w := &worker{o: newObserver(ObserverOptions{Interest: in}, batchSize, func(int) bool { return true }), time: someStart, step: 4e8}
	w.o.flush = func() {
		w.seen += len(w.o.out.obs)
		w.o.out.reset()
	}
	return w
}

func (w *worker) look(d *decode.Headers) {
	w.at++
	w.time += w.step
	d.Time, d.Frame = w.time, w.at
	w.o.packet(d, locate(d, &w.o.opt.Seed), w.at)
	if w.at%256 == 0 {
		w.o.flush()
	}
	if due := w.clock.pass(w.time); due != 0 {
		w.o.sweep(w.time, due, false, w.at)
	}
	w.clock.number()
}

// segmentOf is a decoded packet from a host's side of a flow, or with in the server's.
func segmentOf(proto uint8, port uint16, in bool, flags uint8, seq uint32, b []byte) *decode.Headers {
	d := &decode.Headers{
		Src: addr16(near), Dst: addr16(far), Payload: b, PayloadLen: uint32(len(b)), IPLen: uint32(len(b) + 40), Seq: seq,
		SrcPort: 40000, DstPort: port, Layer: decode.LayerIP, Proto: proto, TTL: 64, TCPFlags: flags, HasMAC: true, SrcMAC: testSrcMAC, DstMAC: testDstMAC,
	}
	if in {
		d.Src, d.Dst, d.SrcPort, d.DstPort = d.Dst, d.Src, d.DstPort, d.SrcPort
	}
	return d
}

// clients are so many that a client's last flow has ended when it comes again.
const clients = 4096

// another moves a packet to the n-th client.
func another(d *decode.Headers, n uint32) {
	a := &d.Src
	if d.SrcPort < 1024 {
		a = &d.Dst
	}
	binary.BigEndian.PutUint32(a[12:], 10<<24|n%clients)
}

// conversation is what one client and its server say, from the first packet to the last.
func conversation(t testing.TB, kind string) []*decode.Headers {
	hello := smallHello(t)
	tcp := func(in bool, flags uint8, seq uint32, b []byte) *decode.Headers {
		return segmentOf(protoTCP, 443, in, flags, seq, b)
	}
	opening := []*decode.Headers{tcp(false, decode.SYN, 99, nil), tcp(true, decode.SYN|decode.ACK, 499, nil), tcp(false, decode.ACK, 100, nil)}
	closing := []*decode.Headers{tcp(false, decode.RST, 100+uint32(len(hello)), nil)}
	switch kind {
	case "handshake":
		return append(opening, closing...)
	case "hello":
		return append(append(opening, tcp(false, decode.ACK, 100, hello)), closing...)
	case "hello in two parts":
		return append(append(opening, tcp(false, decode.ACK, 100, hello[:150]), tcp(false, decode.ACK, 250, hello[150:])), closing...)
	case "hello out of order":
		return append(append(opening, tcp(false, decode.ACK, 250, hello[150:]), tcp(false, decode.ACK, 100, hello[:150])), closing...)
	case "short flow":
		answer := session(t, testkit.TLS{Classic: true})[1].Data
		data := make([]byte, 1200)
		data[0] = 23
		all := append(opening, tcp(false, decode.ACK, 100, hello), tcp(true, decode.ACK, 500, answer[:min(1400, len(answer))]))
		for i := range uint32(6) {
			all = append(all, tcp(true, decode.ACK, 500+1400+1200*i, data))
		}
		return append(all, closing...)
	case "dns":
		ask := segmentOf(protoUDP, 53, false, 0, 0, question(t, "www.example.org.", true))
		answer := segmentOf(protoUDP, 53, true, 0, 0, replyOf(t, 2))
		return []*decode.Headers{ask, answer}
	case "quic":
		return []*decode.Headers{segmentOf(protoUDP, 443, false, 0, 0, clientStart(recorded(t, "v1"))[0])}
	case "request":
		return append(opening, segmentOf(protoTCP, 443, false, decode.ACK, 100, someRequest))
	case "unknown":
		return []*decode.Headers{segmentOf(protoUDP, 9999, false, 0, 0, []byte("\x00\x01nothing known"))}
	}
	panic("no conversation " + kind)
}

// bulk sends one segment of a known flow after the other.
func bulk(w *worker, t testing.TB) func() {
	for _, d := range conversation(t, "hello") {
		if d.TCPFlags&decode.RST == 0 {
			w.look(d)
		}
	}
	data := make([]byte, 1400)
	data[0] = 23
	d := segmentOf(protoTCP, 443, true, decode.ACK, 500, data)
	return func() {
		w.look(d)
		d.Seq += uint32(len(data))
	}
}

// Packets that nobody has interest in cost no allocation. The tables have their size when it is measured; what is left
// are the steps in which they grow.
func TestUninterestingPacketsAllocateNothing(t *testing.T) {
	for _, kind := range []string{"handshake", "hello", "hello in two parts", "hello out of order", "short flow", "dns", "unknown"} {
		w := newWorker(no{})
		talk := conversation(t, kind)
		n := uint32(0)
		round := func() {
			for _, d := range talk {
				another(d, n)
				w.look(d)
			}
			n++
		}
		for range 2 * clients {
			round()
		}
		const rounds = 5000
		allocs := testing.AllocsPerRun(1, func() {
			for range rounds {
				round()
			}
		})
		perPacket := allocs / float64(rounds*len(talk))
		require.Less(t, perPacket, 0.01, "%s: %v allocations a packet", kind, perPacket)
		require.EqualValues(t, n, w.o.Stats().Flows, "%s: each conversation is a new flow", kind)
	}
}

// What is kept beside a flow goes with it.
func TestEndedFlowsLeaveNothing(t *testing.T) {
	for _, kind := range []string{"hello", "quic", "request", "hello in two parts"} {
		w := newWorker(all{})
		talk := conversation(t, kind)
		for n := range uint32(3 * clients) {
			for _, d := range talk {
				d.Link = &capture.Link{VLANs: []uint16{7}}
				another(d, n)
				w.look(d)
			}
		}
		most := 0
		for _, s := range w.o.shards {
			most += max(len(s.links.items), len(s.names.items), len(s.http.items), len(s.quics.items), len(s.dtls.items))
		}
		require.Less(t, most, clients, kind)
		w.o.sweep(0, allShards, true, w.at)
		require.Zero(t, w.o.Stats().FlowsOpen)
		for _, s := range w.o.shards {
			require.Len(t, s.links.free, len(s.links.items))
			require.Len(t, s.names.free, len(s.names.items))
			require.Len(t, s.http.free, len(s.http.items))
			require.Len(t, s.quics.free, len(s.quics.items))
			require.Zero(t, s.stitch.Stats().Memory)
		}
	}
}

func TestBulkAllocatesNothing(t *testing.T) {
	for _, in := range []capture.Interest{nil, no{}, all{}} {
		w := newWorker(in)
		round := bulk(w, t)
		require.Zero(t, testing.AllocsPerRun(5000, round))
	}
}

// What does allocate, and how much at most: a QUIC client's keys, and what is of interest.
func TestWhatAllocates(t *testing.T) {
	for _, c := range []struct {
		kind     string
		in       capture.Interest
		from, to float64 // allocations a conversation
	}{
		{"quic", no{}, 3, 12},
		{"hello", all{}, 3, 20},
		{"dns", all{}, 8, 60},
		{"request", no{}, 3, 12},
	} {
		w := newWorker(c.in)
		talk := conversation(t, c.kind)
		n := uint32(0)
		round := func() {
			for _, d := range talk {
				another(d, n)
				w.look(d)
			}
			n++
		}
		for range 2 * clients {
			round()
		}
		allocs := testing.AllocsPerRun(2000, round)
		t.Logf("%s: %v allocations", c.kind, allocs)
		require.GreaterOrEqual(t, allocs, c.from, c.kind)
		require.LessOrEqual(t, allocs, c.to, c.kind)
		require.NotZero(t, w.seen, c.kind)
	}
}
