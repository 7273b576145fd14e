package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// placeholder is the part of a name in the template that is replaced each time.
const placeholder = "qqqqqqqq"

// crowdTraffic makes captures without end of hosts, flows and names that never come again.
type crowdTraffic struct {
	unit   []byte // records of one host's doings
	names  []int  // offsets of placeholder in it
	client []int  // of the client's address
	server []int  // of the server's
	macs   []int  // of the client's hardware address
	times  []int  // of records
	n      uint64
	frames int
}

// newCrowdTraffic makes the template: a DNS query, a TLS session that is never closed, and connection attempts without an
// answer. name contains placeholder.
func newCrowdTraffic(t *testing.T, name string) *crowdTraffic {
	t.Helper()
	client := testkit.Host{MAC: [6]byte{2, 7, 7, 0xc1, 0xc2, 0xc3}, Addr: netip.MustParseAddr("10.201.202.203"), TTL: 128}
	server := testkit.Host{MAC: [6]byte{2, 0, 0, 0, 0, 1}, Addr: netip.MustParseAddr("198.51.211.212"), RTT: time.Millisecond, TTL: 50}
	resolver := testkit.Host{MAC: [6]byte{2, 0, 0, 0, 0, 2}, Addr: netip.MustParseAddr("10.0.0.2"), RTT: time.Millisecond, TTL: 64}
	c := testkit.NewCapture(1)
	at := time.Unix(1_790_000_000, 0)
	at = c.Lookup(at, client, resolver, name, dns.TypeA, testkit.Reply{Records: []string{name + ". 60 IN A 198.51.211.212"}})
	flights, err := testkit.TLS{Name: name, Classic: true, Seed: 1, Ask: 100, Answer: 100}.Record()
	require.NoError(t, err)
	c.Open(at.Add(time.Millisecond), client, server, 443).Play(flights)
	for i := range 6 {
		c.Open(at.Add(time.Duration(2+i)*time.Millisecond), client, server, uint16(1000+i))
	}
	x := &crowdTraffic{}
	for _, f := range c.Frames() {
		if len(f.Data) > 54 && f.Data[23] == 6 && f.Data[47] == 0x12 && binary.BigEndian.Uint16(f.Data[34:]) != 443 {
			continue // an answer to one of the attempts
		}
		begin := len(x.unit)
		x.unit = appendRecord(x.unit, f.Time, f.Data)
		x.times = append(x.times, begin)
		x.frames++
	}
	x.names, x.macs = indexAll(x.unit, placeholder), indexAll(x.unit, "\xc1\xc2\xc3")
	x.client, x.server = indexAll(x.unit, "\x0a\xc9\xca\xcb"), indexAll(x.unit, "\xc6\x33\xd3\xd4")
	require.Len(t, x.names, 3, "question, answer, server name")
	require.Len(t, x.client, x.frames)
	return x
}

func indexAll(b []byte, what string) (list []int) {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte(what))
		if i < 0 {
			return list
		}
		list = append(list, at+i)
		at += i + len(what)
	}
}

// next gives the records of one more host, at a packet time. They are valid until the next call.
func (x *crowdTraffic) next(at time.Time) []byte {
	x.n++
	var word [8]byte
	for i, shift := 0, x.n; i < len(word); i, shift = i+1, shift/26 {
		word[i] = 'a' + byte(shift%26)
	}
	for _, i := range x.names {
		copy(x.unit[i:], word[:])
	}
	for _, i := range x.client {
		binary.BigEndian.PutUint32(x.unit[i:], 10<<24|uint32(x.n)&0xffffff)
	}
	for _, i := range x.macs {
		copy(x.unit[i:], []byte{byte(x.n >> 16), byte(x.n >> 8), byte(x.n)})
	}
	for _, i := range x.server {
		binary.BigEndian.PutUint32(x.unit[i:], 198<<24|uint32(x.n*2654435761)&0xffffff)
	}
	for _, i := range x.times {
		binary.LittleEndian.PutUint32(x.unit[i:], uint32(at.Unix()))
		binary.LittleEndian.PutUint32(x.unit[i+4:], uint32(at.Nanosecond()))
	}
	return x.unit
}

// pour writes ever-new hosts for so long, at a packet clock that goes by the hosts and not by the wall, and gives how many
// packets those were. One host in 16 has a product of concern.
func pour(t *testing.T, w io.Writer, length time.Duration) (packets int) {
	t.Helper()
	others, vendor := newCrowdTraffic(t, "update-"+placeholder+".example.org"), newCrowdTraffic(t, placeholder+".upd.kaspersky.com")
	vendor.n = 1 << 23
	at := time.Now()
	_, err := w.Write(pcapHeader())
	require.NoError(t, err)
	var b []byte
	for begun, n := time.Now(), 0; time.Since(begun) < length; {
		b = b[:0]
		for len(b) < 1<<16 {
			at = at.Add(100 * time.Microsecond)
			x := others
			if n++; n%16 == 0 {
				x = vendor
			}
			b = append(b, x.next(at)...)
			packets += x.frames
		}
		_, err := w.Write(b)
		require.NoError(t, err)
	}
	return packets
}

// resident is the memory of a process that is in use, bytes.
func resident(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	n, _ := strconv.Atoi(strings.Fields(after + " 0")[0])
	return n << 10
}

// watchMemory samples a process's memory until stop is called.
func watchMemory(pid int) (stop func() []int) {
	done, list := make(chan struct{}), make(chan []int)
	go func() {
		var all []int
		for {
			select {
			case <-done:
				list <- all
				return
			case <-time.After(100 * time.Millisecond):
				all = append(all, resident(pid))
			}
		}
	}()
	return func() []int {
		close(done)
		return <-list
	}
}

// Millions of packets of hosts, flows and names that never come again leave memory flat and within its limit, tables full and
// what went from them counted, the store whole, and the alerts for a receiver that is away within their limit. SOAK, as 45s,
// says how long (make soak).
func TestSoak(t *testing.T) {
	t.Parallel()
	length := 4 * time.Second
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	dir := t.TempDir()
	config := writeConfig(t, dir, fmt.Sprintf(`
capture: {read: "-"}
listen: {address: "127.0.0.1:0"}
store: {file: %[1]s/a.db, alerts: 16MiB}
alerts: {group: {over: 0}}
sinks:
  - {name: file, type: file, format: ecs, file: {path: %[1]s/alerts.ndjson}}
  - {name: away, type: webhook, http: {url: "http://127.0.0.1:9"}}
limits: {memory: 256MiB, drain: 10s}
`, dir))
	r, w := feed(t)
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config}})
	d.await("watching", 1)
	address := d.await("metrics and health are served", 1)["address"].(string)
	stop := watchMemory(d.cmd.Process.Pid)
	packets := pour(t, w, length)
	memory := stop()
	text := scrape(t, address)
	require.NoError(t, w.Close())
	require.NoError(t, d.wait(time.Minute))

	quarter := len(memory) / 4
	before, after := slices.Max(memory[2*quarter:3*quarter]), slices.Max(memory[3*quarter:])
	t.Logf("%d packets in %v; memory at most %d MB in the third quarter, %d MB in the last", packets, length, before>>20, after>>20)
	if length >= 30*time.Second { // before, tables fill
		require.Less(t, float64(after), 1.05*float64(before), "memory grows: %v", memory)
	}
	require.Less(t, after, 270<<20) // 256 MiB, and a twentieth for a moment
	for _, table := range []string{"flows", "names", "hosts", "addresses"} {
		entries, limit := metric(t, text, `avbeacon_table_entries{table="`+table+`"}`), metric(t, text, `avbeacon_table_limit_entries{table="`+table+`"}`)
		evicted := metric(t, text, `avbeacon_table_evictions_total{table="`+table+`"}`)
		t.Logf("%s: %.0f of %.0f, %.0f went", table, entries, limit, evicted)
		require.LessOrEqual(t, entries, limit)
		if length >= 12*time.Second && (table == "flows" || table == "hosts") {
			require.Greater(t, entries, 0.9*limit, table)
			require.Positive(t, evicted, table)
		}
	}
	waiting, limit := metric(t, text, "avbeacon_spool_size_bytes"), metric(t, text, "avbeacon_spool_limit_bytes")
	t.Logf("store %d MB, %.0f MB of alerts that wait", folderSize(t, dir)>>20, waiting/(1<<20))
	require.LessOrEqual(t, waiting, limit)
	require.EqualValues(t, 16<<20, limit)
	require.Contains(t, string(once(t, "db", "check", "--db", filepath.Join(dir, "a.db"))), "undamaged")
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	r, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func folderSize(t *testing.T, dir string) (sum int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := e.Info()
		if err == nil && !i.IsDir() {
			sum += i.Size()
		}
		return err
	}))
	return sum
}
