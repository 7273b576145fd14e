package observe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/internal/testkit"
)

// datagrams are UDP packets between near and far.
type datagrams struct{ list []capture.Packet }

func (u *datagrams) put(side, sport, dport int, b []byte) {
	src, dst := near, far
	if side == server {
		src, dst, sport, dport = dst, src, dport, sport
	}
	u.list = append(u.list, capture.Packet{Link: capture.LinkRaw, Data: ip4Bytes(ipUDP, src, dst, udpBytes(sport, dport, b))})
}

func recorded(t testing.TB, version string) []testkit.Flight {
	flights, err := testkit.RecordedQUIC(version)
	require.NoError(t, err)
	return flights
}

// clientStart are the datagrams that a client sends before the server speaks.
func clientStart(flights []testkit.Flight) (out [][]byte) {
	for _, f := range flights {
		if !f.FromClient {
			break
		}
		out = append(out, f.Data)
	}
	return out
}

func TestQUICOverSeveralDatagrams(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		start := clientStart(recorded(t, version))
		require.Greater(t, len(start), 1, "a hello with a post-quantum key share fills two Initials")
		var u datagrams
		for n, order := range orders(len(start)) {
			for _, i := range order {
				u.put(client, 40000+n, 443, start[i])
				u.put(client, 40000+n, 443, start[i])
			}
		}
		seen, st := observed(t, Options{}, u.list)
		require.Len(t, byPort(seen), len(orders(len(start))))
		for port, list := range byPort(seen) {
			require.Equal(t, []string{"quic hello " + name}, briefs(list), "%s, order %d", version, port-40000)
			require.Equal(t, capture.QUIC, flowsOf(list)[0].Flow.Proto)
		}
		require.Zero(t, st.Observer.MalformedQUIC)
	}
}

// In a whole session, the server's datagrams stand between the client's, and change nothing.
func TestQUICSession(t *testing.T) {
	var u datagrams
	for _, f := range recorded(t, "v1") {
		side := server
		if f.FromClient {
			side = client
		}
		u.put(side, 40000, 443, f.Data)
	}
	var late datagrams // the server's Initial comes first in the capture
	flights := recorded(t, "v1")
	first := slices.IndexFunc(flights, func(f testkit.Flight) bool { return !f.FromClient })
	late.put(server, 40000, 443, flights[first].Data)
	for _, b := range clientStart(flights) {
		late.put(client, 40000, 443, b)
	}
	for _, list := range [][]capture.Packet{u.list, late.list} {
		seen, _ := observed(t, Options{}, list)
		require.Equal(t, []string{"quic hello " + name}, briefs(seen))
		require.Equal(t, near, flowsOf(seen)[0].Src.Addr().String())
	}
}

// A Retry (RFC 9000 17.2.5) between two first flights: each is read with keys of its own.
func TestQUICRetry(t *testing.T) {
	first, second := clientStart(recorded(t, "v1")), clientStart(recorded(t, "v1"))
	retry := slices.Concat([]byte{0xf0, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4}, bytes.Repeat([]byte{7}, 40))
	var u datagrams
	u.put(client, 40000, 443, first[0])
	u.put(server, 40000, 443, retry)
	for _, b := range second {
		u.put(client, 40000, 443, b)
	}
	seen, _ := observed(t, Options{}, u.list)
	require.Equal(t, []string{"quic hello " + name}, briefs(seen))
}

// dtlsRecords cuts a TLS hello's message into DTLS 1.2 fragments of n bytes, a record and a datagram each, with the
// cookie that a DTLS hello has and a TLS hello has not.
func dtlsRecords(tlsRecord []byte, n int) (out [][]byte) {
	body := tlsRecord[9:]
	at := 35 + int(body[34]) // behind version, random and session id
	body = slices.Insert(slices.Clone(body), at, 0)
	body[0], body[1] = 0xfe, 0xfd
	for from := 0; from < len(body); from += n {
		part := body[from:min(from+n, len(body))]
		size := func(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v))[1:] }
		fragment := slices.Concat([]byte{1}, size(len(body)), []byte{0, 0}, size(from), size(len(part)), part)
		out = append(out, slices.Concat([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, byte(len(out))}, u16(len(fragment)), fragment))
	}
	return out
}

func TestDTLS(t *testing.T) {
	parts := dtlsRecords(smallHello(t), 60)
	require.Greater(t, len(parts), 2)
	var u datagrams
	for i := range parts {
		u.put(client, 40000, 4433, parts[i])
		u.put(client, 40001, 4433, parts[len(parts)-1-i])
		u.put(client, 40002, 4433, parts[i])
		u.put(client, 40002, 4433, parts[i])
	}
	u.put(client, 40003, 4433, bytes.Join(parts, nil))
	seen, st := observed(t, Options{}, u.list)
	require.Len(t, byPort(seen), 4)
	for port, list := range byPort(seen) {
		require.Equal(t, []string{"dtls hello " + name}, briefs(list), "port %d", port)
		require.Equal(t, capture.DTLS, flowsOf(list)[0].Flow.Proto)
	}
	require.Zero(t, st.Observer.MalformedTLS)
}

// replyOf is a whole DNS answer with n addresses.
func replyOf(t testing.TB, n int) []byte {
	m := new(dns.Msg)
	m.SetQuestion("many.example.org.", dns.TypeA)
	m.Id, m.Response, m.Compress = 7, true, true
	for i := range n {
		rr, err := dns.NewRR(fmt.Sprintf("many.example.org. 60 IN A 192.0.%d.%d", i>>8, i&255))
		require.NoError(t, err)
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

func question(t testing.TB, name string, rd bool) []byte {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	m.Id, m.RecursionDesired = 7, rd
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

func framed(b []byte) []byte { return join(u16(len(b)), b) }

func TestDNSOverTCPCutAnywhere(t *testing.T) {
	two := join(framed(question(t, "a.example.org.", true)), framed(question(t, "b.example.org.", false)))
	var all []*talk
	for i := 1; i < len(two); i++ {
		k := opened(20000+i, 53)
		k.part(client, i, two[i:])
		k.part(client, 0, two[:i])
		all = append(all, k)
	}
	seen, st := observed(t, Options{}, together(all...))
	for port, list := range byPort(seen) {
		require.Equal(t, []string{"lookup a.example.org", "lookup b.example.org"}, briefs(list), "cut at %d", port-20000)
		require.Equal(t, capture.Marks(0), list[0].Marks)
		require.Equal(t, capture.NoRecursion, list[1].Marks)
		f := flowsOf(list)[0].Flow
		require.EqualValues(t, 2, f.Lookups)
		require.True(t, f.NoRecursion)
		require.Equal(t, capture.DNS, f.Proto)
	}
	require.Zero(t, st.Observer.MalformedDNS)
}

// The longest message there is: 65,535 bytes, in segments, twice.
func TestLongestDNSMessage(t *testing.T) {
	m := replyOf(t, 4000)
	full := append(m, make([]byte, 65535-len(m))...) // what follows the records is of no use
	k := opened(40000, 53)
	k.say(client, framed(question(t, "many.example.org.", true)))
	for stream := join(framed(full), framed(full)); len(stream) > 0; {
		n := min(1460, len(stream))
		k.say(server, stream[:n])
		stream = stream[n:]
	}
	seen, st := observed(t, Options{}, k.list)
	require.Equal(t, []string{"lookup many.example.org", "answer many.example.org", "answer many.example.org"}, briefs(seen))
	require.NotEmpty(t, seen[1].Addrs)
	require.Zero(t, st.Observer.WaitingFull)
}

func TestAnswersSayWhatTheyHold(t *testing.T) {
	var u datagrams
	u.put(client, 40000, 53, question(t, "many.example.org.", true))
	u.put(server, 40000, 53, replyOf(t, 2))
	seen, _ := observed(t, Options{}, u.list)
	require.Equal(t, []string{"lookup many.example.org", "answer many.example.org"}, briefs(seen))
	require.Len(t, seen[1].Addrs, 2)
	require.False(t, seen[1].FromClient)
	require.Equal(t, near, seen[1].Host.Addr.String())
	plain, _ := observed(t, Options{Observer: ObserverOptions{Interest: no{}}}, u.list)
	require.Equal(t, []string{"answer"}, briefs(plain), "addresses cross, so that they can be unlearned")
	require.Equal(t, seen[1].Addrs, plain[0].Addrs)
	require.Nil(t, plain[0].DNS)
}

func TestMulticastNames(t *testing.T) {
	u := datagrams{}
	u.put(client, 5353, 5353, question(t, "pc.local.", false))
	u.put(client, 5353, 5353, replyOf(t, 1))
	u.put(client, 40000, 5355, question(t, "pc.", false))
	seen, _ := observed(t, Options{Observer: ObserverOptions{Interest: no{}}}, u.list)
	require.Equal(t, []string{"lookup pc.local", "answer many.example.org", "lookup pc"}, briefs(seen), "these cross always")
	require.Equal(t, []capture.Proto{capture.MDNS, capture.MDNS, capture.LLMNR}, []capture.Proto{seen[0].Proto, seen[1].Proto, seen[2].Proto})
}
