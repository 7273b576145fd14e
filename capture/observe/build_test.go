package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
)

// memSource hands out packets from memory, size of them a block (64 where it is 0), in memory that it uses again.
type memSource struct {
	packets []capture.Packet
	size    int
	at      int
	worst   error
}

func (s *memSource) Next(ctx context.Context, b *capture.Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.at == len(s.packets) {
		if s.worst != nil {
			return s.worst
		}
		return io.EOF
	}
	n := min(max(s.size, 1), len(s.packets)-s.at)
	if s.size == 0 {
		n = min(64, len(s.packets)-s.at)
	}
	b.Packets, b.Buf = b.Packets[:0], b.Buf[:0]
	for _, p := range s.packets[s.at : s.at+n] {
		b.Buf = append(b.Buf, p.Data...)
		b.Packets = append(b.Packets, p)
	}
	rest := b.Buf
	for i := range b.Packets {
		k := len(b.Packets[i].Data)
		b.Packets[i].Data, rest = rest[:k:k], rest[k:]
	}
	buf := b.Buf
	b.Release = func() { clear(buf) } // nobody may look at a packet after that
	s.at += n
	return nil
}

func (s *memSource) Inputs() []capture.Input { return nil }
func (s *memSource) Close() error            { return nil }

// numbered gives packets their frames, and a microsecond between those that have no time.
func numbered(list []capture.Packet) []capture.Packet {
	at := someStart
	for i := range list {
		p := &list[i]
		p.Frame = uint64(i + 1)
		if p.Time == 0 {
			at += 1000
			p.Time = at
		}
		at = p.Time
		p.OrigLen = max(p.OrigLen, uint32(len(p.Data)))
	}
	return list
}

// observed runs packets through Observe and gives what was seen, each Observation with a record of its own.
func observed(t testing.TB, opt Options, list []capture.Packet) ([]capture.Observation, capture.Stats) {
	t.Helper()
	var out []capture.Observation
	st, err := Run(context.Background(), &memSource{packets: numbered(list)}, opt, Sink{Observation: func(o *capture.Observation) error {
		c := *o
		if o.Flow != nil {
			f := *o.Flow
			c.Flow = &f
		}
		c.Addrs = slices.Clone(o.Addrs)
		out = append(out, c)
		return nil
	}})
	require.NoError(t, err)
	return out, st
}

// dumped is all that Observations hold, one a line, by n workers.
func dumped(t testing.TB, opt Options, src capture.Source) (string, capture.Stats) {
	t.Helper()
	var text strings.Builder
	encode := func(dst []byte, o *capture.Observation) []byte {
		b, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		return append(append(dst, b...), '\n')
	}
	st, err := Run(context.Background(), src, opt, Sink{Encode: encode, Line: func(b []byte) error {
		text.Write(b)
		return nil
	}})
	require.NoError(t, err)
	return text.String(), st
}

// brief says in a word or two what an Observation is.
func brief(o *capture.Observation) string {
	switch o.Kind {
	case capture.Lookup:
		return "lookup " + o.Name
	case capture.Answer:
		return strings.TrimSpace("answer " + o.Name)
	case capture.Hello:
		return strings.ToLower(protoWord(o.Proto)) + " hello " + o.Name
	case capture.ServerHello:
		return "server hello"
	case capture.Cert:
		return "cert " + o.Name
	case capture.Request:
		return o.Req.Method + " " + o.Req.Host + " " + o.Req.URI
	case capture.Response:
		return fmt.Sprint(o.Resp.Status)
	case capture.Contact:
		return "flow " + outcomeWord(o.Flow.Outcome)
	}
	return "identity"
}

func protoWord(p capture.Proto) string {
	return map[capture.Proto]string{capture.TLS: "tls", capture.DTLS: "dtls", capture.QUIC: "quic"}[p]
}

func outcomeWord(o capture.Outcome) string {
	return [...]string{"none", "established", "refused", "no answer", "midstream", "one-sided"}[o]
}

// briefs leaves the flow records out.
func briefs(list []capture.Observation) []string {
	out := []string{}
	for i := range list {
		if list[i].Kind != capture.Contact {
			out = append(out, brief(&list[i]))
		}
	}
	return out
}

// flowsOf gives the flow records alone.
func flowsOf(list []capture.Observation) []capture.Observation {
	return slices.DeleteFunc(slices.Clone(list), func(o capture.Observation) bool { return o.Kind != capture.Contact })
}

const (
	near = "10.0.0.7"
	far  = "192.0.2.80"
)

// talk is a TCP connection from near to far that a test writes segment by segment.
type talk struct {
	list  []capture.Packet
	first [2]uint32 // sequence number of each side's first byte
	next  [2]uint32 // bytes that each side sent so far
	ports [2]int
}

// Sides of a talk.
const (
	client = 0
	server = 1
)

func newTalk(sport, dport int) *talk {
	return &talk{first: [2]uint32{0xffffff00, 5000}, ports: [2]int{sport, dport}} // the client's numbers wrap
}

// opened has made its handshake.
func opened(sport, dport int) *talk {
	k := newTalk(sport, dport)
	k.put(client, decode.SYN, k.first[0]-1, nil)
	k.put(server, decode.SYN|decode.ACK, k.first[1]-1, nil)
	k.put(client, decode.ACK, k.first[0], nil)
	return k
}

func (k *talk) put(side int, flags uint8, seq uint32, b []byte) {
	src, dst := near, far
	if side == server {
		src, dst = dst, src
	}
	tcp := tcpBytes(k.ports[side], k.ports[1-side], flags, seq, 0, b)
	k.list = append(k.list, capture.Packet{Link: capture.LinkRaw, Data: ip4Bytes(ipTCP, src, dst, tcp)})
}

// part sends some bytes of a side's stream, from at bytes after its first one.
func (k *talk) part(side int, at int, b []byte) { k.put(side, decode.ACK, k.first[side]+uint32(at), b) }

// say sends the next bytes of a side's stream.
func (k *talk) say(side int, b []byte) {
	k.part(side, int(k.next[side]), b)
	k.next[side] += uint32(len(b))
}

// skip leaves bytes out that were sent and not captured.
func (k *talk) skip(side, n int) { k.next[side] += uint32(n) }

func (k *talk) closed() *talk {
	for _, side := range []int{client, server} {
		k.put(side, decode.FIN|decode.ACK, k.first[side]+k.next[side], nil)
	}
	return k
}

// together joins talks, one after the other.
func together(talks ...*talk) []capture.Packet {
	var out []capture.Packet
	for _, k := range talks {
		out = append(out, k.list...)
	}
	return out
}

// byPort sorts what was seen by the client's port.
func byPort(list []capture.Observation) map[int][]capture.Observation {
	out := map[int][]capture.Observation{}
	for _, o := range list {
		p := o.Dst.Port()
		if o.FromClient {
			p = o.Src.Port()
		}
		out[int(p)] = append(out[int(p)], o)
	}
	return out
}
