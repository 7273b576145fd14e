package wire

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

const browserGet = "GET /assets/site.css?v=20260301 HTTP/1.1\r\n" +
	"Host: www.example.org\r\n" +
	"Connection: keep-alive\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
	"Accept: text/css,*/*;q=0.1\r\n" +
	"Referer: http://www.example.org/\r\n" +
	"Accept-Encoding: gzip, deflate\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\n" +
	"Cookie: session=0123456789abcdef; seen=1\r\n\r\n"

func TestLooksRequest(t *testing.T) {
	for in, want := range map[string]Status{
		"":                           More,
		"G":                          More,
		"GET":                        More,
		"GET ":                       More,
		"GET /":                      Whole,
		"GET  /a HTTP/1.1\r\n":       Whole,
		"\r\nGET / HTTP/1.0\r\n":     Whole,
		"GET /a\r\n":                 More,
		"GET /a\r\nHost: h":          Whole,
		"GET /a\r\n\r\n":             No,
		"GET /a b\r\nHost: h":        No,
		"NOTIFY sip:a@b\r\n\r\n":     No,
		"GET /a HTTP/0.9\r\n":        No,
		"GET \x00":                   No,
		"get / HTTP/1.1\r\n":         No,
		"BREW /pot":                  More,
		"BREW /pot HTTP/1.1\r\n":     Whole,
		"BREW pot":                   No,
		"EHLO example.org\r\n":       No,
		"RETR /pub/file\r\n":         No,
		"OPTIONS * RTSP/1.0\r\n":     No,
		"OPTIONS * HTTP/1.1\r\n":     Whole,
		"NOTIFY sip:a@b SIP/2.0\r\n": No,
		"RPC_IN_DATA /rpc/rpcproxy":  Whole,
		"CCM_POST /ccm_system/request HTTP/1.1\r\n": Whole,
		"M-SEARCH * HTTP/1.1\r\n":                   Whole,
		"PRI * HTTP/2.0\r\n":                        No,
		"\x16\x03\x01\x02\x00":                      No,
		strings.Repeat("A", 25):                     No,
	} {
		require.Equal(t, want, LooksRequest([]byte(in)), "%q", in)
	}
}

func TestLooksResponse(t *testing.T) {
	require.Equal(t, More, LooksResponse(nil))
	require.Equal(t, More, LooksResponse([]byte("HTTP/")))
	require.Equal(t, Whole, LooksResponse([]byte("HTTP/1.")))
	require.Equal(t, No, LooksResponse([]byte("HTTP/2.")))
	require.Equal(t, No, LooksResponse([]byte("220 ready")))
}

func TestParseRequest(t *testing.T) {
	tests := []struct {
		name, in string
		status   Status
		want     Request
	}{
		{"browser", browserGet, Whole, Request{Method: "GET", URI: "/assets/site.css?v=20260301", Version: "1.1", Host: "www.example.org",
			UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"}},
		{"bare line ends, odd case", "GET / HTTP/1.0\nhOsT:  a.example \nUSER-agent:x\t\n\n", Whole,
			Request{Method: "GET", URI: "/", Version: "1.0", Host: "a.example", UserAgent: "x"}},
		{"folded", "GET / HTTP/1.1\r\nUser-Agent: one\r\n two\r\n\tthree\r\nHost: h\r\n\r\n", Whole,
			Request{Method: "GET", URI: "/", Version: "1.1", Host: "h", UserAgent: "one two three"}},
		{"absolute form", "GET http://u:p@a.example:8080/x HTTP/1.1\r\n\r\n", Whole,
			Request{Method: "GET", URI: "http://u:p@a.example:8080/x", Version: "1.1", Host: "a.example:8080"}},
		{"Host beats target", "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", Whole,
			Request{Method: "GET", URI: "http://a.example/", Version: "1.1", Host: "b.example"}},
		{"a query that looks absolute", "GET /go?to=http://a.example/ HTTP/1.0\r\n\r\n", Whole,
			Request{Method: "GET", URI: "/go?to=http://a.example/", Version: "1.0"}},
		{"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\n\r\n", Whole,
			Request{Method: "CONNECT", URI: "a.example:443", Version: "1.1", Host: "a.example:443"}},
		{"blanks in the target", "GET /a b c HTTP/1.1\r\nHost: h\r\n\r\n", Whole,
			Request{Method: "GET", URI: "/a b c", Version: "1.1", Host: "h"}},
		{"no version", "GET /HTTP/1.1\nHost: h\n\n", Whole, Request{Method: "GET", URI: "/HTTP/1.1", Host: "h"}},
		{"half a version", "GET / HTTP/1.\nHost: h\n\n", Whole, Request{Method: "GET", URI: "/", Version: "1.", Host: "h"}},
		{"a version for a target", "OPTIONS HTTP/1.1\nHost: h\n\n", Whole, Request{Method: "OPTIONS", URI: "HTTP/1.1", Host: "h"}},
		{"no target", "POST  HTTP/1.1\r\nHost: h\r\n\r\n", Whole, Request{Method: "POST", Version: "1.1", Host: "h"}},
		{"proxy", "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", Whole,
			Request{Method: "GET", URI: "/", Version: "1.1", Host: "h", Via: true}},
		{"first of two that is not empty", "GET / HTTP/1.1\r\nHost:\r\nHost: b\r\nHost: c\r\n\r\n", Whole,
			Request{Method: "GET", URI: "/", Version: "1.1", Host: "b"}},
		{"cut in a field", "GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: Moz", More,
			Request{Method: "GET", URI: "/", Version: "1.1", Host: "a.example"}},
		{"lines that are no fields", "GET / HTTP/1.1\r\nnonsense\r\n: x\r\nHost: h\r\n\r\n", Whole,
			Request{Method: "GET", URI: "/", Version: "1.1", Host: "h"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v RequestView
			require.Equal(t, tt.status, ScanRequest([]byte(tt.in), &v))
			require.Equal(t, &tt.want, ParseRequest([]byte(tt.in), &v, nil))
			if tt.status == Whole {
				require.Equal(t, len(tt.in), v.HeadLen)
			}
		})
	}
}

func TestScanRequestBody(t *testing.T) {
	scan := func(fields string) RequestView {
		var v RequestView
		require.Equal(t, Whole, ScanRequest([]byte("POST / HTTP/1.1\r\n"+fields+"\r\nbody"), &v))
		return v
	}
	require.EqualValues(t, -1, scan("").BodyLen)
	require.EqualValues(t, 42, scan("content-length: 42\r\n").BodyLen)
	require.EqualValues(t, 42, scan("Content-Length: 42, 42\r\n").BodyLen)
	require.EqualValues(t, -1, scan("Content-Length: -42\r\n").BodyLen)
	require.EqualValues(t, -1, scan("Content-Length: 99999999999999999999\r\n").BodyLen)
	v := scan("Content-Length: 42\r\nTransfer-Encoding: gzip, Chunked\r\n")
	require.True(t, v.Chunked)
	require.EqualValues(t, -1, v.BodyLen)
}

func TestScanRequestNo(t *testing.T) {
	var v RequestView
	for _, in := range []string{"GET /\r\n\r\n", "GET /\r\nno field\r\n", "GET / HTTP/2.0\r\n\r\n", "EHLO x\r\n", "GET/ HTTP/1.1\r\n\r\n", "\x00\n"} {
		require.Equal(t, No, ScanRequest([]byte(in), &v), "%q", in)
	}
	require.Equal(t, No, ScanRequest([]byte("GET /"+strings.Repeat("a", httpHeadMax)), &v))
}

func TestScanRequestBounds(t *testing.T) {
	var v RequestView
	in := []byte("GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", httpFieldsMax) + "Host: late\r\n\r\n")
	require.Equal(t, Whole, ScanRequest(in, &v))
	require.Empty(t, v.Host)
	require.Equal(t, len(in), v.HeadLen)
	in = []byte("GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("b", httpHeadMax) + "\r\n\r\n")
	require.Equal(t, More, ScanRequest(in, &v))
	require.Equal(t, "h", string(v.Host))
}

func TestWantedHeaders(t *testing.T) {
	in := []byte("GET / HTTP/1.1\r\nx-drweb-a: 1\r\nHost: h\r\nX-DrWeb-B: 2\r\n 3\r\nAccept: */*\r\n\r\n")
	var v RequestView
	require.Equal(t, Whole, ScanRequest(in, &v))
	require.Equal(t, []Header{{"x-drweb-a", "1"}, {"X-DrWeb-B", "2 3"}}, ParseRequest(in, &v, []string{"X-DrWeb-*"}).Headers)
	require.Equal(t, []Header{{"Accept", "*/*"}}, ParseRequest(in, &v, []string{"accept", "cookie"}).Headers)
}

func TestParseResponse(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html;\r\n charset=utf-8\r\n"
	tests := []struct {
		name, in string
		want     Response
		length   int64
	}{
		{"length", head + "Content-Length: 5\r\n\r\nhello HTTP/1.1", Response{200, "1.1", "text/html; charset=utf-8", "nginx", []byte("hello")}, 5},
		{"to the end", head + "Connection: close\r\n\r\n0123456789abcdefghi", Response{200, "1.1", "text/html; charset=utf-8", "nginx", []byte("0123456789abcdef")}, -1},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nKLZF\r\n0\r\n\r\n", Response{200, "1.1", "text/html; charset=utf-8", "nginx", []byte("KLZF")}, -1},
		{"chunk not there", head + "Transfer-Encoding: chunked\r\n\r\n4", Response{200, "1.1", "text/html; charset=utf-8", "nginx", nil}, -1},
		{"no body", "HTTP/1.0 304 Not Modified\nConnection: Keep-Alive\nContent-Length: 100\n\nxyz", Response{304, "1.0", "", "", nil}, 0},
		{"no reason", "HTTP/1.1 404\r\n\r\n", Response{404, "1.1", "", "", nil}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v ResponseView
			require.Equal(t, Whole, ScanResponse([]byte(tt.in), &v))
			require.Equal(t, &tt.want, ParseResponse([]byte(tt.in), &v))
			require.Equal(t, tt.length, v.BodyLen)
		})
	}
	var v ResponseView
	for in, want := range map[string]Status{"HTTP/1.1 20": More, "HTTP/1.1 20\r\n": No, "HTTP/1.1 2000\r\n": No, "HTTP/1.1 200\rA: b\nC: d\n\n": Whole, "HTTP/1.1 abc\r\n": No, "HTTP/1.1x200 OK\n": No} {
		require.Equal(t, want, ScanResponse([]byte(in), &v), "%q", in)
	}
	require.Equal(t, More, ScanResponse([]byte("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX"), &v))
	require.Equal(t, "a/b", string(v.ContentType))
}

func TestChunkSkipper(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(ChunkSkipper{}), uintptr(16))
	body := "4\r\nwiki\r\n1a ; ext=\"x\"\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: a\r\n\r\n"
	for step := 1; step <= len(body)+4; step++ {
		var c ChunkSkipper
		var total int
		rest, done, ok := []byte(body+"HTTP"), false, true
		for len(rest) > 0 && !done {
			part := rest[:min(step, len(rest))]
			var n int
			n, done, ok = c.Skip(part)
			require.True(t, ok)
			total += n
			rest = rest[n:]
		}
		require.True(t, done)
		require.Equal(t, len(body), total)
		require.Equal(t, "HTTP", string(rest))
	}
}

func TestChunkSkipperBroken(t *testing.T) {
	for _, in := range []string{"\r\n", "x\r\n", "4\r\nwikix", "4x\r\n", "ffffffffffffffff\r\n", "4;" + strings.Repeat("a", chunkLinesMax+1), "0\r\n" + strings.Repeat("a: b\r\n", chunkLinesMax/4)} {
		var c ChunkSkipper
		_, done, ok := c.Skip([]byte(in))
		require.False(t, ok, "%.20q", in)
		require.False(t, done)
		_, _, ok = c.Skip([]byte("0\r\n\r\n"))
		require.False(t, ok)
	}
}

func TestHTTPAllocations(t *testing.T) {
	request := []byte(browserGet)
	response := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var v RequestView
		if LooksRequest(request) != Whole || ScanRequest(request, &v) != Whole {
			panic("not whole")
		}
		var w ResponseView
		if ScanResponse(response, &w) != Whole {
			panic("not whole")
		}
		var c ChunkSkipper
		c.Skip(response[w.HeadLen:])
	}))
}

func FuzzHTTP(f *testing.F) {
	f.Add([]byte(browserGet))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n"))
	f.Add([]byte("CONNECT a:443 HTTP/1.1\n a\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v RequestView
		status := ScanRequest(b, &v)
		if status == Whole {
			require.NotEqual(t, No, LooksRequest(b))
			require.LessOrEqual(t, v.HeadLen, len(b))
			require.Positive(t, v.HeadLen)
		}
		if status != No {
			ParseRequest(b, &v, []string{"x*", "accept"})
		}
		var w ResponseView
		if ScanResponse(b, &w) != No {
			require.LessOrEqual(t, len(ParseResponse(b, &w).Body), BodyPeek)
		}
		fuzzChunks(t, b)
	})
}

// fuzzChunks checks that a body is followed the same way whole and byte by byte.
func fuzzChunks(t *testing.T, b []byte) {
	var whole, single ChunkSkipper
	n, done, ok := whole.Skip(b)
	require.LessOrEqual(t, n, len(b))
	m, end, fine := 0, false, true
	for i := 0; i < len(b) && !end && fine; i++ {
		var k int
		k, end, fine = single.Skip(b[i : i+1])
		m += k
	}
	require.Equal(t, done, end)
	require.Equal(t, ok, fine)
	if ok {
		require.Equal(t, n, m)
	}
}

func BenchmarkScanRequest(b *testing.B) {
	in := []byte(browserGet)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		var v RequestView
		ScanRequest(in, &v)
	}
}
