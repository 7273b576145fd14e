package observe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

func get(path string) []byte  { return []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n") }
func head(path string) []byte { return []byte("HEAD " + path + " HTTP/1.1\r\nHost: a\r\n\r\n") }

func answerOf(status, rest string) []byte { return []byte("HTTP/1.1 " + status + "\r\n" + rest) }

// turn is what one side says.
type turn struct {
	side int
	text []byte
}

func ask(b ...[]byte) turn    { return turn{client, slices.Concat(b...)} }
func answer(b ...[]byte) turn { return turn{server, slices.Concat(b...)} }

func TestHTTP(t *testing.T) {
	inner := get("/inside")
	sized := func(status string, body string) []byte {
		return answerOf(status, fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
	}
	chunked := "Transfer-Encoding: chunked\r\n\r\n"
	inChunks := func(b []byte) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(b), b) }
	for what, c := range map[string]struct {
		turns []turn
		want  string
	}{
		"pipelined": {
			[]turn{ask(get("/1"), get("/2"), get("/3")), answer(sized("200 OK", "abc"), sized("404 No", ""), sized("200 OK", "x"))},
			"GET a /1|GET a /2|GET a /3|200|404|200"},
		"a body that looks like a request": {
			[]turn{ask([]byte(fmt.Sprintf("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(inner)))), ask(inner), ask(get("/2"))},
			"POST a /1|GET a /2"},
		"a chunked body that looks like a request": {
			[]turn{ask([]byte("POST /1 HTTP/1.1\r\nHost: a\r\n"+chunked), []byte(inChunks(inner))), ask(get("/2"))},
			"POST a /1|GET a /2"},
		"a chunked answer": {
			[]turn{ask(get("/1")), answer(answerOf("200 OK", chunked+inChunks(sized("500 Inner", "x")))), ask(get("/2")), answer(sized("404 No", ""))},
			"GET a /1|200|GET a /2|404"},
		"a chunked answer with a trailer": {
			[]turn{ask(get("/1"), get("/2")), answer(answerOf("200 OK", chunked+"3\r\nabc\r\n0\r\nX: y\r\n\r\n"), sized("404 No", ""))},
			"GET a /1|GET a /2|200|404"},
		"a body until the end": {
			[]turn{ask(get("/1")), answer(answerOf("200 OK", "\r\n")), answer([]byte("body GET / HTTP/1.1")), answer([]byte("more"))},
			"GET a /1|200"},
		"answers without length, one after the other": {
			[]turn{ask(get("/1")), answer(answerOf("200 OK", "\r\n"), []byte("body")), ask(get("/2")), answer(answerOf("404 No", "\r\n"))},
			"GET a /1|200|GET a /2|404"},
		"HEAD": {
			[]turn{ask(head("/1")), answer(answerOf("200 OK", "Content-Length: 500\r\n\r\n")), ask(get("/2")), answer(sized("404 No", "x"))},
			"HEAD a /1|200|GET a /2|404"},
		"HEAD pipelined": {
			[]turn{ask(head("/1"), get("/2"), head("/3"), get("/4")), answer(answerOf("200 OK", "Content-Length: 500\r\n\r\n"),
				sized("201 OK", "HTTP/1.1 599 Inner\r\n\r\n"), answerOf("202 OK", "Content-Length: 9\r\n\r\n"), sized("203 OK", "y"))},
			"HEAD a /1|GET a /2|HEAD a /3|GET a /4|200|201|202|203"},
		"100 Continue": {
			[]turn{ask([]byte("POST /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")), answer(answerOf("100 Continue", "\r\n")),
				ask([]byte("abc")), answer(sized("200 OK", "x")), ask(get("/2"))},
			"POST a /1|100|200|GET a /2"},
		"early hints before HEAD's answer": {
			[]turn{ask(head("/1")), answer(answerOf("103 Early", "Link: x\r\n\r\n"), answerOf("200 OK", "Content-Length: 5\r\n\r\n")), ask(get("/2")), answer(sized("404 No", ""))},
			"HEAD a /1|103|200|GET a /2|404"},
		"304 with a length": {
			[]turn{ask(get("/1"), get("/2")), answer(answerOf("304 Same", "Content-Length: 500\r\n\r\n"), sized("404 No", ""))},
			"GET a /1|GET a /2|304|404"},
		"a length that is too long": {
			[]turn{ask(get("/1")), answer(answerOf("200 OK", "Content-Length: 5000\r\n\r\nabc")), ask(get("/2")), answer(sized("404 No", "x")),
				ask(get("/3")), answer(sized("500 No", "x"))},
			"GET a /1|200|GET a /2|404|GET a /3|500"},
		"an answer within a body is none": {
			[]turn{ask(get("/1")), answer(answerOf("200 OK", "Content-Length: 500\r\n\r\n")), answer(sized("404 Inner", "x"))},
			"GET a /1|200"},
		"a request's length that is too long": {
			[]turn{ask([]byte("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nabc")), answer(sized("200 OK", "x")), ask(get("/2")), answer(sized("404 No", "x"))},
			"POST a /1|200|GET a /2|404"},
		"line ends of a lazy client": {
			[]turn{ask([]byte("\r\nGET /1 HTTP/1.0\nhost: a\n\n"), []byte("\n\nGET /2 HTTP/1.1\nHost: a\n\n"))},
			"GET a /1|GET a /2"},
		"an upgrade": {
			[]turn{ask([]byte("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")), answer(answerOf("101 Switching", "Upgrade: websocket\r\n\r\n")),
				ask([]byte("\x81\x05GET /")), answer([]byte("\x81\x05HTTP/"))},
			"GET a /ws|101"},
	} {
		k := opened(40000, 80)
		small := opened(40001, 80) // the same in small segments
		for _, turn := range c.turns {
			k.say(turn.side, turn.text)
			for b := turn.text; len(b) > 0 && !oneGo(what); b = b[min(7, len(b)):] {
				small.say(turn.side, b[:min(7, len(b))])
			}
		}
		seen, _ := observed(t, Options{}, together(k, small))
		ports := byPort(seen)
		require.Equal(t, c.want, strings.Join(briefs(ports[40000]), "|"), what)
		if !oneGo(what) {
			require.Equal(t, c.want, strings.Join(briefs(ports[40001]), "|"), "%s, in small segments", what)
		}
	}
}

// oneGo says that a message is found again only where it begins a segment.
func oneGo(what string) bool {
	return strings.Contains(what, "too long") || strings.Contains(what, "without length")
}

// An answer whose question was not seen says where the server is.
func TestHTTPAnswerFirst(t *testing.T) {
	k := newTalk(40000, 8081)
	k.say(server, answerOf("200 OK", "Content-Length: 1\r\n\r\nx"))
	k.say(client, get("/2"))
	seen, _ := observed(t, Options{}, k.list)
	require.Equal(t, []string{"200", "GET a /2"}, briefs(seen))
	require.False(t, seen[0].FromClient)
	require.Equal(t, near, seen[0].Host.Addr.String())
	f := flowsOf(seen)[0]
	require.Equal(t, near, f.Src.Addr().String())
	require.EqualValues(t, 1, f.Flow.PacketsOut)
}

func TestRequestFields(t *testing.T) {
	k := opened(40000, 80)
	k.say(client, []byte("GET /p HTTP/1.1\r\nHost: UP.Example.ORG.:8080\r\nUser-Agent: ua\r\nVia: 1.1 p\r\nX-Id: 7\r\nOther: z\r\n\r\n"))
	k.say(client, []byte("GET http://[2001:db8::1]:80/p HTTP/1.1\r\n\r\n"))
	k.say(client, []byte("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n"))
	opt := Options{Observer: ObserverOptions{Headers: []string{"x-id"}}}
	seen, _ := observed(t, opt, k.list)
	o := seen[0]
	require.Equal(t, "up.example.org", o.Name)
	require.Equal(t, "ua", o.Req.UserAgent)
	require.Equal(t, capture.ViaProxy, o.Marks)
	require.Len(t, o.Req.Headers, 1)
	require.Equal(t, "2001:db8::1", seen[1].Name)
	require.Equal(t, capture.BareAddress, seen[1].Marks)
	require.Equal(t, capture.BareAddress, seen[2].Marks)
}

func TestHTTP2InTheClear(t *testing.T) {
	// RFC 9113 3.4 and 6.2; RFC 7541 C.3.1: GET http://www.example.com/
	block := []byte{0x82, 0x86, 0x84, 0x41, 0x0f, 'w', 'w', 'w', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'c', 'o', 'm'}
	all := slices.Concat([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), []byte{0, 0, 0, 4, 0, 0, 0, 0, 0},
		[]byte{0, 0, byte(len(block)), 1, 5, 0, 0, 0, 1}, block)
	var talks []*talk
	for i := 1; i < len(all); i++ {
		k := opened(40000+i, 80)
		k.say(client, all[:i])
		k.say(server, []byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
		k.say(client, all[i:])
		talks = append(talks, k)
	}
	seen, _ := observed(t, Options{}, together(talks...))
	for port, list := range byPort(seen) {
		require.Equal(t, []string{"GET www.example.com /"}, briefs(list), "cut at %d", port-40000)
		require.Equal(t, capture.HTTP, flowsOf(list)[0].Flow.Proto)
	}
}
