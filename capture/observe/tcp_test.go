package observe

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/internal/testkit"
)

const (
	name      = "www.example.org"
	tlsHello1 = "tls hello " + name
)

func session(t testing.TB, s testkit.TLS) []testkit.Flight {
	t.Helper()
	s.Name, s.Seed = name, 7
	flights, err := s.Record()
	require.NoError(t, err)
	return flights
}

// bigHello fills more than one segment.
func bigHello(t testing.TB) []byte {
	b := session(t, testkit.TLS{})[0].Data
	require.Greater(t, len(b), 1200)
	return b
}

func smallHello(t testing.TB) []byte { return session(t, testkit.TLS{Classic: true})[0].Data }

var someRequest = []byte("POST /x?y=1 HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 3\r\n\r\nabc")

const someRequest1 = "POST www.example.org /x?y=1"

func TestHelloCutAnywhere(t *testing.T) {
	hello := bigHello(t)
	for way, order := range map[string][2]int{"in order": {0, 1}, "backwards": {1, 0}} {
		var all []*talk
		for i := 1; i < len(hello); i++ {
			k := opened(20000+i, 443)
			at, parts := [2]int{0, i}, [2][]byte{hello[:i], hello[i:]}
			k.part(client, at[order[0]], parts[order[0]])
			k.part(client, at[order[1]], parts[order[1]])
			all = append(all, k)
		}
		seen, st := observed(t, Options{}, together(all...))
		ports := byPort(seen)
		require.Len(t, ports, len(hello)-1)
		for port, list := range ports {
			require.Equal(t, []string{tlsHello1}, briefs(list), "%s, cut at %d", way, port-20000)
			require.EqualValues(t, (port-20000)*5, list[0].Frame, "the segment that made it whole")
		}
		require.Zero(t, st.Observer.MalformedTLS)
		require.Zero(t, st.Observer.Waiting, "nothing waits at the end")
	}
}

func TestRequestCutAnywhere(t *testing.T) {
	two := slices.Concat(someRequest, []byte("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n"))
	var all []*talk
	for i := 1; i < len(two); i++ {
		k := opened(20000+i, 8000)
		k.part(client, i, two[i:])
		k.part(client, 0, two[:i])
		j := newTalk(30000+i, 8000) // the opening was not seen
		j.part(client, 0, two[:i])
		j.part(client, i, two[i:])
		all = append(all, k, j)
	}
	seen, _ := observed(t, Options{}, together(all...))
	for port, list := range byPort(seen) {
		require.Equal(t, []string{someRequest1, "GET b /2"}, briefs(list), "port %d", port)
	}
}

// orders gives all orders of n things.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var out [][]int
	for _, o := range orders(n - 1) {
		for i := range n {
			out = append(out, slices.Insert(slices.Clone(o), i, n-1))
		}
	}
	return out
}

// Four segments in any order; each time as they are, with one sent again, overlapping, and with each sent twice.
func TestSegmentsInAnyOrder(t *testing.T) {
	for what, message := range map[string][]byte{tlsHello1: bigHello(t), someRequest1: someRequest} {
		quarter := (len(message) + 3) / 4
		cut := func(i, over int) (int, []byte) {
			from, to := max(0, i*quarter-over), min(len(message), (i+1)*quarter+over)
			return from, message[from:to]
		}
		var all []*talk
		for n, order := range orders(4) {
			for v := range 7 {
				k := opened(1024+n*7+v, 443)
				for _, i := range order {
					at, b := cut(i, map[int]int{4: 5, 5: quarter / 2, 6: quarter}[v])
					k.part(client, at, b)
					if v == i || v == 6 {
						k.part(client, at, b)
					}
				}
				all = append(all, k)
			}
		}
		seen, _ := observed(t, Options{}, together(all...))
		for port, list := range byPort(seen) {
			require.Equal(t, []string{what}, briefs(list), "order %v, variant %d", orders(4)[(port-1024)/7], (port-1024)%7)
		}
	}
}

func TestEachByteASegment(t *testing.T) {
	hello := bigHello(t)
	k := opened(40000, 443)
	for i := range hello {
		k.say(client, hello[i:i+1])
	}
	j := opened(40001, 80)
	for i := range someRequest {
		j.say(client, someRequest[i:i+1])
	}
	seen, _ := observed(t, Options{}, together(k, j))
	require.ElementsMatch(t, []string{tlsHello1, someRequest1}, briefs(seen)) // the hello, of very many parts, at the end
}

func TestStreamsThatBeginOddly(t *testing.T) {
	hello := smallHello(t)
	fast := newTalk(40000, 443) // data on the SYN (RFC 7413)
	fast.put(client, decode.SYN, fast.first[0]-1, hello)
	split := newTalk(40001, 443) // a part of it on the SYN
	split.put(client, decode.SYN, split.first[0]-1, hello[:100])
	split.put(server, decode.SYN|decode.ACK, split.first[1]-1, nil)
	split.part(client, 100, hello[100:])
	again := newTalk(40002, 443) // SYN without, then sent again with all
	again.put(client, decode.SYN, again.first[0]-1, nil)
	again.put(client, decode.SYN, again.first[0]-1, hello)
	midstream := newTalk(40003, 443)
	midstream.say(client, hello)
	answer := newTalk(40004, 443) // the first packet seen is the server's
	answer.put(server, decode.ACK, answer.first[1], nil)
	answer.say(client, hello)
	probe := opened(40005, 443) // keep-alive: one byte before the next one
	probe.part(client, -1, []byte{0})
	probe.say(client, hello)
	empty := opened(40006, 443)
	empty.put(client, decode.PSH|decode.ACK, empty.first[0], nil)
	empty.say(client, hello)
	urgent := opened(40007, 443)
	urgent.put(client, 0x20|decode.PSH|decode.ACK, urgent.first[0], hello)
	seen, _ := observed(t, Options{}, together(fast, split, again, midstream, answer, probe, empty, urgent))
	ports := byPort(seen)
	require.Len(t, ports, 8)
	for port, list := range ports {
		require.Equal(t, []string{tlsHello1}, briefs(list), "port %d", port)
		for _, o := range list {
			require.Equal(t, near, o.Src.Addr().String(), "the client opened it")
		}
	}
}

func TestUpgradesToTLS(t *testing.T) {
	hello := bigHello(t)
	line := func(s string) []byte { return []byte(s + "\r\n") }
	mail := opened(40000, 25)
	mail.say(server, line("220 mail.example.org ESMTP"))
	mail.say(client, line("EHLO pc"))
	mail.say(server, line("250 STARTTLS"))
	mail.say(client, line("STARTTLS"))
	mail.say(server, line("220 go"))
	mail.say(client, hello)
	postgres := opened(40001, 5432)
	postgres.say(client, []byte{0, 0, 0, 8, 4, 210, 22, 47})
	postgres.say(server, []byte("S"))
	postgres.say(client, hello)
	imap := opened(40002, 143)
	imap.say(server, line("* OK ready"))
	imap.say(client, line("a STARTTLS"))
	imap.say(server, line("a OK"))
	imap.say(client, hello[:200])
	imap.say(client, hello[200:])
	seen, _ := observed(t, Options{}, together(mail, postgres, imap))
	require.Len(t, byPort(seen), 3)
	for port, list := range byPort(seen) {
		require.Equal(t, []string{tlsHello1}, briefs(list), "port %d", port)
	}
}

func TestPostgresAnswersTLS(t *testing.T) {
	flights := session(t, testkit.TLS{Version: tls.VersionTLS12, Classic: true})
	k := opened(40001, 5432)
	k.say(client, []byte{0, 0, 0, 8, 4, 210, 22, 47})
	k.say(server, []byte("S"))
	k.say(client, flights[0].Data)
	k.say(server, flights[1].Data)
	seen, _ := observed(t, Options{}, k.list)
	require.Equal(t, []string{tlsHello1, "server hello", "cert " + name}, briefs(seen))
}

func TestConnect(t *testing.T) {
	flights := session(t, testkit.TLS{Version: tls.VersionTLS12, Classic: true})
	connect := []byte("CONNECT www.example.org:443 HTTP/1.1\r\nHost: www.example.org:443\r\n\r\n")
	ok := []byte("HTTP/1.1 200 Connection established\r\n\r\n")
	inside := []string{tlsHello1, "server hello", "cert " + name}
	whole := opened(40000, 3128)
	whole.say(client, connect)
	whole.say(server, ok)
	whole.say(client, flights[0].Data)
	whole.say(server, flights[1].Data)
	joined := opened(40001, 3128) // the proxy's answer and the server's flight in one segment
	joined.say(client, slices.Concat(connect, flights[0].Data))
	joined.say(server, slices.Concat(ok, flights[1].Data))
	denied := opened(40002, 3128)
	denied.say(client, connect)
	denied.say(server, []byte("HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno"))
	denied.say(client, connect)
	denied.say(server, ok)
	denied.say(client, flights[0].Data)
	oneSided := newTalk(40003, 3128)
	oneSided.say(client, connect)
	oneSided.say(client, flights[0].Data)
	seen, _ := observed(t, Options{}, together(whole, joined, denied, oneSided))
	ports := byPort(seen)
	said := "CONNECT www.example.org:443 www.example.org:443"
	require.Equal(t, append([]string{said, "200"}, inside...), briefs(ports[40000]))
	require.ElementsMatch(t, append([]string{said, "200"}, inside...), briefs(ports[40001]))
	require.Equal(t, []string{said, "407", said, "200", tlsHello1}, briefs(ports[40002]))
	require.Equal(t, []string{said, tlsHello1}, briefs(ports[40003]))
	o := ports[40000][0]
	require.Equal(t, name, o.Name)
	require.NotZero(t, o.Marks&capture.ConnectProxy)
}

func TestServerFlightCutAnywhere(t *testing.T) {
	flights := session(t, testkit.TLS{Version: tls.VersionTLS12, Classic: true})
	flight := flights[1].Data
	var all []*talk
	for i := 1; i < len(flight); i++ {
		k := opened(20000+i, 443)
		k.say(client, flights[0].Data)
		k.part(server, 0, flight[:i])
		k.part(server, i, flight[i:])
		all = append(all, k)
	}
	seen, st := observed(t, Options{}, together(all...))
	for port, list := range byPort(seen) {
		require.Equal(t, []string{tlsHello1, "server hello", "cert " + name}, briefs(list), "cut at %d", port-20000)
	}
	require.Zero(t, st.Observer.MalformedTLS)
}

// records cuts a handshake record into records of n bytes.
func records(b []byte, n int) []byte {
	var out []byte
	for body := b[5:]; len(body) > 0; {
		part := body[:min(n, len(body))]
		body = body[len(part):]
		out = append(binary.BigEndian.AppendUint16(append(out, 22, 3, 1), uint16(len(part))), part...)
	}
	return out
}

func TestHelloOverManyRecords(t *testing.T) {
	hello := smallHello(t)
	for _, n := range []int{1, 3, 4, 5, 50, 1000} {
		cut := records(hello, n)
		k := opened(40000, 443)
		for i := 0; i < len(cut); i += 100 {
			k.say(client, cut[i:min(i+100, len(cut))])
		}
		seen, _ := observed(t, Options{}, k.list)
		require.Equal(t, []string{tlsHello1}, briefs(seen), "records of %d", n)
	}
}

// retryRequest is a HelloRetryRequest: a ServerHello with a random of its own (RFC 8446 4.1.3).
func retryRequest() []byte {
	random := []byte{0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
		0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c}
	body := slices.Concat([]byte{3, 3}, random, []byte{0}, []byte{0x13, 1, 0}, []byte{0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 23})
	message := slices.Concat([]byte{2, 0, 0, byte(len(body))}, body)
	return slices.Concat([]byte{22, 3, 3, 0, byte(len(message))}, message)
}

func TestSecondHello(t *testing.T) {
	hello := smallHello(t)
	ccs := []byte{20, 3, 3, 0, 1, 1}
	for what, second := range map[string][]byte{"bare": hello, "behind a ChangeCipherSpec": slices.Concat(ccs, hello)} {
		for _, cut := range []int{0, 1, 5, 6, 11, len(second) - 1} {
			k := opened(40000, 443)
			k.say(client, hello)
			k.say(server, retryRequest())
			k.say(client, second[:cut])
			k.say(client, second[cut:])
			k.say(client, hello) // no third one
			seen, _ := observed(t, Options{}, k.list)
			require.Equal(t, []string{tlsHello1, "server hello", tlsHello1}, briefs(seen), "%s, cut at %d", what, cut)
		}
	}
}

func TestAlerts(t *testing.T) {
	hello := smallHello(t)
	fromServer := opened(40000, 443)
	fromServer.say(client, hello)
	fromServer.say(server, testkit.TLSAlert(40))
	fromClient := opened(40001, 443)
	fromClient.say(client, hello)
	fromClient.say(server, session(t, testkit.TLS{Version: tls.VersionTLS12, Classic: true})[1].Data)
	fromClient.say(client, testkit.TLSAlert(48))
	warning := opened(40002, 443)
	warning.say(client, hello)
	warning.say(server, []byte{21, 3, 3, 0, 2, 1, 112})
	seen, _ := observed(t, Options{}, together(fromServer, fromClient, warning))
	ports := byPort(flowsOf(seen))
	f := ports[40000][0].Flow
	require.EqualValues(t, 40, f.TLSAlert)
	require.True(t, f.TLSAlertFromServer)
	f = ports[40001][0].Flow
	require.EqualValues(t, 48, f.TLSAlert)
	require.False(t, f.TLSAlertFromServer)
	require.Zero(t, ports[40002][0].Flow.TLSAlert)
}

func TestMissingSegments(t *testing.T) {
	hello := bigHello(t)
	lost := opened(40000, 443) // the middle of the hello
	lost.say(client, hello[:500])
	lost.skip(client, 300)
	lost.say(client, hello[800:])
	lost.skip(client, maxEarly)
	lost.say(client, []byte("x"))
	resync := opened(40001, 80)
	resync.say(client, []byte("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"))
	resync.skip(client, 100)
	for i := range maxWaitSegments + 2 {
		resync.say(client, fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: b\r\n\r\n", i))
	}
	body := opened(40002, 80) // the hole is within a body
	body.say(client, []byte("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"))
	body.say(server, []byte("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"))
	body.skip(server, 1460)
	body.say(server, make([]byte, 3540))
	body.say(server, []byte("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"))
	half := opened(40003, 80) // a request of which the end is lost still says what is there
	half.say(client, []byte("GET /half HTTP/1.1\r\nHost: half.example.org\r\nCookie: "))
	half.skip(client, 2000)
	half.say(client, []byte("more\r\n\r\n"))
	seen, st := observed(t, Options{}, together(lost, resync, body, half))
	ports := byPort(seen)
	require.Empty(t, briefs(ports[40000]))
	got := briefs(ports[40001])
	require.Len(t, got, maxWaitSegments+3, "all requests beside the hole")
	require.Equal(t, "GET b /0", got[1])
	require.Equal(t, []string{"GET a /1", "200", "404"}, briefs(ports[40002]))
	require.Equal(t, []string{"GET half.example.org /half"}, briefs(ports[40003]))
	require.NotZero(t, st.Observer.StreamGaps)
}

func TestCutBySnapLength(t *testing.T) {
	hello := smallHello(t)
	k := opened(40000, 443)
	k.say(client, hello)
	cut := len(k.list) - 1
	p := &k.list[cut]
	p.OrigLen = uint32(len(p.Data))
	p.Data = p.Data[:40+60]
	h := opened(40001, 80)
	h.say(client, slices.Concat([]byte("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"), make([]byte, 1000)))
	p = &h.list[len(h.list)-1]
	p.OrigLen = uint32(len(p.Data))
	p.Data = p.Data[:40+80]
	h.say(client, []byte("GET /b HTTP/1.1\r\nHost: b\r\n\r\n"))
	seen, _ := observed(t, Options{}, together(k, h))
	require.Empty(t, briefs(byPort(seen)[40000]))
	require.Equal(t, []string{"POST a /a", "GET b /b"}, briefs(byPort(seen)[40001]))
}

// What is in the clear is found again behind bytes that are nothing.
func TestProtocolsBehindOthers(t *testing.T) {
	k := opened(40000, 9999)
	k.say(client, bytes.Repeat([]byte{0xfe}, 100))
	k.say(server, bytes.Repeat([]byte{0xfd}, 100))
	k.say(client, smallHello(t))
	seen, _ := observed(t, Options{}, k.list)
	require.Equal(t, []string{tlsHello1}, briefs(seen))
}
