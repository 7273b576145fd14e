package outbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/measure"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/samples"
	"avbeacon/internal/store"
)

// kind is a kind of receiver, which runs in this process.
type kind struct {
	name string
	sink siem.Sink
	// open starts the receiver and completes the sink's configuration. got returns how many alerts arrived.
	open func(tb testing.TB, sink *siem.Sink) (got func() int)
}

func kinds() []kind {
	return []kind{
		{"store alone", siem.Sink{}, nil},
		{"file", siem.Sink{Type: "file", Format: "ecs"}, toFile},
		{"syslog", siem.Sink{Type: "syslog", Format: "cef"}, toSyslog},
		{"webhook", siem.Sink{Type: "webhook", Format: "ecs"}, toWebhook},
		{"splunk", siem.Sink{Type: "splunk", Format: "hec"}, toSplunk},
	}
}

// BenchmarkDeliver brings alerts through the store to a receiver. Every transaction of the store is on the disk before it counts, and
// so is each batch in the file. An alert is as most are: one host, two destinations, about 2.5 KB as JSON. All alerts are decided at
// once; the time ends when the receiver has the last. Run it with -cpu 1, and with BENCH_DIR on the disk that is to be measured.
func BenchmarkDeliver(b *testing.B) {
	for _, k := range kinds() {
		b.Run(k.name, func(b *testing.B) {
			wall, cpu := throughStore(b, k, b.N)
			b.ReportMetric(float64(b.N)/wall.Seconds(), "alerts/s")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// What BenchmarkDeliver measures arrives.
func TestEveryKindOfReceiverGetsAllAlerts(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			throughStore(t, k, 3000)
		})
	}
}

func throughStore(tb testing.TB, k kind, n int) (wall, cpu time.Duration) {
	dir, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "bench-siem-")
	require.NoError(tb, err)
	defer os.RemoveAll(dir)
	s, err := store.Open(filepath.Join(dir, "bench.db"), store.Options{Steady: true, Sensor: "tap01", Alerts: 4 << 30, Pending: n})
	require.NoError(tb, err)
	defer s.Close()
	o := New(s, Options{Drain: 10 * time.Minute})
	got := func() int { return n }
	if k.open != nil {
		k.sink.Name = "bench"
		if k.sink.Type == "file" {
			k.sink.File.Path = filepath.Join(dir, "alerts.ndjson")
		}
		got = k.open(tb, &k.sink)
		sink, err := siem.Open(k.sink, siem.Options{Hostname: "sensor", Version: "0.4.0"})
		require.NoError(tb, err)
		require.NoError(tb, o.Attach(tb.Context(), "bench", alert.Filter{}, 0, sink))
	}
	list := make([]*alert.Alert, n)
	for i := range list {
		a := *samples.New()
		a.ID, a.Finding, a.Severity = fmt.Sprintf("a3f1c09d5b7e46a2a3f1c09d%08x", i), fmt.Sprintf("f00dfeed1234567890abcdef%08x", i%250), policy.Severity(i/250%5)
		list[i] = &a
	}
	delivery, endDelivery := context.WithCancel(tb.Context())
	writing, endWriting := context.WithCancel(tb.Context())
	defer endDelivery()
	defer endWriting()
	var delivered, written sync.WaitGroup
	var failed, unwritten error
	if b, ok := tb.(*testing.B); ok {
		b.ResetTimer()
	}
	begin, used := time.Now(), measure.CPUTime()
	delivered.Go(func() { failed = o.Run(delivery) })
	written.Go(func() { unwritten = s.Run(writing, time.Second, nil) })
	for _, a := range list {
		s.KeepAlert(Send(a, begin))
	}
	endWriting()
	written.Wait()
	endDelivery() // Run ends when the sinks have caught up
	delivered.Wait()
	wall, cpu = time.Since(begin), measure.CPUTime()-used
	require.NoError(tb, failed)
	require.NoError(tb, unwritten)
	require.Eventually(tb, func() bool { return got() == n }, time.Minute, time.Millisecond, "syslog has no acknowledgement")
	return wall, cpu
}

func toFile(_ testing.TB, sink *siem.Sink) func() int {
	sink.File.Sync = true
	return func() int {
		text, _ := os.ReadFile(sink.File.Path) // nothing is none
		return bytes.Count(text, []byte{'\n'})
	}
}

// toSyslog reads frames with octet counting (RFC 6587 section 3.4.1).
func toSyslog(tb testing.TB, sink *siem.Sink) func() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { l.Close() })
	sink.Syslog.Network, sink.Syslog.Address = "tcp", l.Addr().String()
	var got atomic.Int64
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for in := bufio.NewReaderSize(conn, 64<<10); ; got.Add(1) {
			word, err := in.ReadString(' ')
			if err != nil {
				return
			}
			length, err := strconv.Atoi(strings.TrimSuffix(word, " "))
			if err != nil {
				return
			}
			if _, err := in.Discard(length); err != nil {
				return
			}
		}
	}()
	return func() int { return int(got.Load()) }
}

func toWebhook(tb testing.TB, sink *siem.Sink) func() int {
	return toHTTP(tb, sink, "", func(body *json.Decoder) (int, error) {
		var all []json.RawMessage
		err := body.Decode(&all)
		return len(all), err
	})
}

func toSplunk(tb testing.TB, sink *siem.Sink) func() int {
	sink.HTTP.Token = "bench"
	return toHTTP(tb, sink, `{"text":"Success","code":0}`, func(body *json.Decoder) (n int, err error) {
		for ; err == nil; n++ {
			var one json.RawMessage
			err = body.Decode(&one)
		}
		if err == io.EOF {
			return n - 1, nil
		}
		return n, err
	})
}

// toHTTP counts the alerts of each request and answers.
func toHTTP(tb testing.TB, sink *siem.Sink, answer string, count func(*json.Decoder) (int, error)) func() int {
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := count(json.NewDecoder(r.Body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		got.Add(int64(n))
		_, _ = io.WriteString(w, answer) // if the client is gone, it reports that itself
	}))
	tb.Cleanup(server.Close)
	sink.HTTP.URL = server.URL
	return func() int { return int(got.Load()) }
}
