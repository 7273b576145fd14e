package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2/hpack"
)

// h2Client writes the client's side of a connection.
type h2Client struct {
	bytes.Buffer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newH2Client() *h2Client {
	c := &h2Client{}
	c.enc = hpack.NewEncoder(&c.block)
	c.WriteString(h2Preface)
	c.frame(4, 0, 0, []byte{0, 3, 0, 0, 0, 100})
	return c
}

func (c *h2Client) frame(kind, flags byte, stream byte, payload []byte) {
	n := len(payload)
	c.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, stream})
	c.Write(payload)
}

func (c *h2Client) fields(pairs ...string) []byte {
	c.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = c.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(c.block.Bytes())
}

// conversation is two requests: one padded, with priority and over a CONTINUATION, one that uses the header table.
func (c *h2Client) conversation() {
	block := c.fields(":method", "GET", ":scheme", "http", ":path", "/a", ":authority", "a.example:8080",
		"user-agent", "probe/1", "x-one", "1")
	first := append([]byte{3, 0, 0, 0, 0, 16}, block[:7]...)
	c.frame(h2Headers, h2Padded|h2Priority|1, 1, append(first, 0, 0, 0))
	c.frame(h2Continuation, h2EndHeaders, 1, block[7:])
	c.frame(8, 0, 0, []byte{0, 0, 1, 0})
	c.frame(h2Headers, h2EndHeaders, 3, c.fields(":method", "POST", ":scheme", "http", ":path", "/b", "host", "b.example",
		"user-agent", "probe/1", "via", "2 proxy"))
	c.frame(0, 0, 3, []byte("a body"))
	c.frame(h2Headers, h2EndHeaders|1, 3, c.fields("trailer", "x"))
}

var h2Want = []*Request{
	{Method: "GET", URI: "/a", Version: "2", Host: "a.example:8080", UserAgent: "probe/1"},
	{Method: "POST", URI: "/b", Version: "2", Host: "b.example", UserAgent: "probe/1", Via: true},
}

func TestH2Stream(t *testing.T) {
	c := newH2Client()
	c.conversation()
	in := c.Bytes()
	require.Equal(t, Whole, LooksH2(in))
	require.Equal(t, More, LooksH2(in[:5]))
	require.Equal(t, No, LooksH2([]byte("PRI * HTTP/1.1")))
	for _, step := range []int{len(in), 1, 2, 7, 100} {
		s := H2Stream{}
		var got []*Request
		for rest := in; len(rest) > 0; {
			n := min(step, len(rest))
			got = append(got, s.Feed(rest[:n])...)
			rest = rest[n:]
		}
		require.False(t, s.broken, "step %d", step)
		require.Equal(t, h2Want, got, "step %d", step)
	}
}

func TestH2StreamBroken(t *testing.T) {
	tests := map[string]func(c *h2Client){
		"no continuation":      func(c *h2Client) { c.frame(h2Headers, 0, 1, nil); c.frame(0, 0, 1, nil) },
		"lone continuation":    func(c *h2Client) { c.frame(h2Continuation, 0, 1, nil) },
		"padding too long":     func(c *h2Client) { c.frame(h2Headers, h2Padded|h2EndHeaders, 1, []byte{9, 0}) },
		"no room for priority": func(c *h2Client) { c.frame(h2Headers, h2Priority|h2EndHeaders, 1, []byte{0, 0}) },
		"bad table index":      func(c *h2Client) { c.frame(h2Headers, h2EndHeaders, 1, []byte{0xff, 0x7f}) },
		"block breaks off":     func(c *h2Client) { c.frame(h2Headers, h2EndHeaders, 1, []byte{0x40, 9, 'a'}) },
		"table grows too big":  func(c *h2Client) { c.frame(h2Headers, h2EndHeaders, 1, []byte{0x3f, 0xe1, 0xff, 0x03}) },
		"long value": func(c *h2Client) {
			c.frame(h2Headers, h2EndHeaders, 1, c.fields("a", strings.Repeat("\xf9", h2StringMax+1)))
		},
		"list bomb": func(c *h2Client) {
			c.frame(h2Headers, 0, 1, c.fields("a", strings.Repeat("b", 3000)))
			for range 8 {
				c.frame(h2Continuation, 0, 1, bytes.Repeat([]byte{0x80 | 62}, 10))
			}
		},
		"endless block": func(c *h2Client) {
			c.frame(h2Headers, 0, 1, c.fields(":method", "GET"))
			for range 70 {
				c.frame(h2Continuation, 0, 1, bytes.Repeat([]byte{0x20}, 1024))
			}
		},
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			c := newH2Client()
			write(c)
			var s H2Stream
			require.Empty(t, s.Feed(c.Bytes()))
			require.True(t, s.broken)
			require.Empty(t, s.Feed([]byte("more")))
		})
	}
	var s H2Stream
	require.Empty(t, s.Feed([]byte("GET / HTTP/1.1\r\n")))
	require.True(t, s.broken)
}

func FuzzH2Stream(f *testing.F) {
	c := newH2Client()
	c.conversation()
	f.Add(c.Bytes()[len(h2Preface):], 9)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		in := append([]byte(h2Preface), b...)
		var whole, parts H2Stream
		want := whole.Feed(in)
		var got []*Request
		step = max(1, step%64)
		for rest := in; len(rest) > 0; {
			n := min(step, len(rest))
			got = append(got, parts.Feed(rest[:n])...)
			rest = rest[n:]
		}
		require.Equal(t, whole.broken, parts.broken)
		if !whole.broken {
			require.Equal(t, want, got)
		}
	})
}
