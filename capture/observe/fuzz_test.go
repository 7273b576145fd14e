package observe

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/files"
)

// fuzzBounds make the limits near.
var fuzzBounds = ObserverOptions{MaxFlows: 64 * 16, MaxWaiting: 64 << 10, MaxWaitingEach: 16 << 10, Headers: []string{"*"}}

// requireSame runs a source inline and with three workers, for every kind of interest.
func requireSame(t *testing.T, open func() capture.Source) {
	for _, in := range []capture.Interest{nil, no{}, all{}} {
		opt := Options{Decoder: decode.Options{MaxFragments: 64 << 10}, Observer: fuzzBounds}
		opt.Observer.Interest = in
		want, st := dumped(t, opt, open())
		opt.Workers = 3
		got, gotSt := dumped(t, opt, open())
		require.True(t, want == got, firstDifference(want, got))
		require.Equal(t, st, gotSt)
		require.Zero(t, st.Observer.FlowsOpen)
		require.Zero(t, st.Observer.Waiting)
	}
}

// FuzzObserveFile: any bytes as a file.
func FuzzObserveFile(f *testing.F) {
	for _, path := range captures(f) {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(b) < 32<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.pcap")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		requireSame(t, func() capture.Source { return files.Open([]string{path}, files.Options{BlockSize: 512}) })
	})
}

// fuzzFrames reads a sequence of frames: of each its link type, how far time moves (0 to 255 of a unit that grows with
// its square), its length in two bytes, and itself.
func fuzzFrames(b []byte) []capture.Packet {
	var list []capture.Packet
	at := someStart
	for len(b) >= 5 && len(list) < 500 {
		link, gap, n := capture.LinkType(binary.BigEndian.Uint16(b)), int64(b[2]), int(binary.BigEndian.Uint16(b[3:]))
		b = b[5:]
		n = min(n, len(b))
		at += gap * gap * gap * 1e5
		list = append(list, capture.Packet{Data: b[:n:n], Link: link, Time: at})
		b = b[n:]
	}
	return numbered(list)
}

func fuzzBytes(list []capture.Packet) []byte {
	var b []byte
	for i := range list {
		b = append(b, byte(list[i].Link>>8), byte(list[i].Link), byte(i*13), byte(len(list[i].Data)>>8), byte(len(list[i].Data)))
		b = append(b, list[i].Data...)
	}
	return b
}

func TestFuzzFrames(t *testing.T) {
	list := crowd(t, 1, 50)
	got := fuzzFrames(fuzzBytes(list))
	require.Len(t, got, len(list))
	for i := range got {
		require.True(t, bytes.Equal(list[i].Data, got[i].Data))
		require.Equal(t, list[i].Link, got[i].Link)
	}
}

// FuzzObserve: any sequence of frames.
func FuzzObserve(f *testing.F) {
	f.Add(fuzzBytes(crowd(f, 1, 12)))
	k := opened(40000, 80)
	k.say(client, someRequest)
	k.say(server, answerOf("200 OK", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add(fuzzBytes(k.closed().list))
	k = opened(40000, 443)
	hello := smallHello(f)
	k.part(client, 50, hello[50:])
	k.part(client, 0, hello[:60])
	k.say(server, retryRequest())
	f.Add(fuzzBytes(k.list))
	k = opened(40000, 53)
	k.say(client, framed(question(f, "a.example.org.", true)))
	k.say(server, framed(replyOf(f, 3)))
	f.Add(fuzzBytes(k.list))
	var u datagrams
	for _, b := range dtlsRecords(hello, 60) {
		u.put(client, 40000, 4433, b)
	}
	u.put(client, 5353, 5353, question(f, "pc.local.", false))
	f.Add(fuzzBytes(u.list))
	f.Fuzz(func(t *testing.T, b []byte) {
		list := fuzzFrames(b)
		requireSame(t, func() capture.Source { return &memSource{packets: list, size: 7} })
	})
}
