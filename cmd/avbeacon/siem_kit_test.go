package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// The tests of siem_*_test.go run the program itself against receivers on loopback, from packets to what arrives.

// crowd is a capture in which every machine sends a DNS query for a name of each of several vendors; some then connect to one
// of them by TLS. Each query makes a finding, each connection raises a verdict.
type crowd struct {
	head    []byte   // the file's header
	records [][]byte // its packets, each with its header
	alerts  int      // that it causes if all are sent: new for each query; raised and place (Moscow) for each connection
}

// vendorNames are strong names of five vendors, which show a product that may be there.
func vendorNames() []string {
	return []string{"dnl-01.geo.kaspersky.com", "update.drweb.com", "update.eset.com", "su.ff.avast.com", "upgrade.bitdefender.com"}
}

// newCrowd makes a crowd of so many machines, with a DNS query every 10 ms; every tenth machine connects.
func newCrowd(t testing.TB, machines int) *crowd {
	t.Helper()
	c := testkit.NewCapture(6)
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	step := func() time.Time {
		at = at.Add(10 * time.Millisecond)
		return at
	}
	router := testkit.Host{MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 1}, Addr: netip.MustParseAddr("10.0.0.1")}
	resolver := testkit.Host{Addr: netip.MustParseAddr("198.51.100.53"), RTT: time.Millisecond}.Behind(router)
	server := testkit.Host{Addr: netip.MustParseAddr("195.128.246.15"), RTT: 3 * time.Millisecond}.Behind(router)
	hello, err := testkit.TLS{Name: "ds.kaspersky.com", Classic: true, Seed: 1}.Hello()
	require.NoError(t, err)
	for i := range machines {
		h := testkit.Host{MAC: [6]byte{2, 0, 0, 1, byte(i >> 8), byte(i)}, Addr: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}
		for _, name := range vendorNames() {
			c.Lookup(step(), h, resolver, name, dns.TypeA, testkit.Reply{Records: []string{name + ". 300 IN A 195.128.246.15"}})
		}
		if i%10 == 9 {
			call := c.Open(step(), h, server, 443)
			call.Send(hello)
			at = call.Now
		}
	}
	var file bytes.Buffer
	require.NoError(t, c.WritePcap(&file))
	crowd := cutUp(file.Bytes())
	crowd.alerts = machines*len(vendorNames()) + machines/10*2
	return crowd
}

// cutUp parts a pcap file in the order of little-endian machines into its packets.
func cutUp(file []byte) *crowd {
	c := &crowd{head: file[:24]}
	for rest := file[24:]; len(rest) > 0; {
		n := 16 + int(binary.LittleEndian.Uint32(rest[8:]))
		c.records, rest = append(c.records, rest[:n]), rest[n:]
	}
	return c
}

func (c *crowd) file(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "crowd.pcap")
	require.NoError(t, os.WriteFile(name, append(bytes.Clone(c.head), bytes.Join(c.records, nil)...), 0o600))
	return name
}

// timeOf is the packet time of a record.
func (c *crowd) timeOf(r []byte) time.Time {
	return time.Unix(int64(binary.LittleEndian.Uint32(r)), c.fraction(binary.LittleEndian.Uint32(r[4:]))).UTC()
}

// fraction is in nanoseconds: the file's first bytes say whether its times are in micro- or in nanoseconds.
func (c *crowd) fraction(n uint32) int64 {
	if binary.LittleEndian.Uint32(c.head) == 0xa1b2c3d4 {
		return int64(n) * 1000
	}
	return int64(n)
}

// said is what a process wrote, for several goroutines.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// process is a running avbeacon.
type process struct {
	*exec.Cmd
	in       io.WriteCloser
	out, log said
	ended    chan struct{}
	err      error // valid after ended
}

// avbeacon starts the program; it is killed when the test ends.
func avbeacon(t testing.TB, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath("avbeacon")
	require.NoError(t, err)
	p := &process{Cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.Stdout, p.Stderr = &p.out, &p.log
	p.in, err = p.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	go func() {
		p.err = p.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// end waits for the end that comes by itself, or was asked for.
func (p *process) end(t testing.TB) {
	t.Helper()
	select {
	case <-p.ended:
		require.NoError(t, p.err, p.log.String())
	case <-time.After(patience()):
		t.Fatalf("it does not end: %s", p.log.String())
	}
}

// patience is how long a test waits for what has to come.
func patience() time.Duration {
	if raced {
		return 2 * time.Minute
	}
	return time.Minute
}

// eventually waits until is returns true. If it never does, what returns the text for the failure.
func eventually(t testing.TB, is func() bool, what func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience()); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what())
		}
	}
}

// feed writes packets to standard input, so many a second (0: as fast as they are taken), until ctx is done or the process
// has ended. It gives the number of the first one that was not written.
func (p *process) feed(ctx context.Context, c *crowd, from, to, rate int) int {
	const lot = 20 // at a time
	begin := time.Now()
	for i := from; i < to; i += lot {
		if rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(i-from) * time.Second / time.Duration(rate))))
		}
		some := c.records[i:min(i+lot, to)]
		if _, err := p.in.Write(bytes.Join(some, nil)); err != nil || ctx.Err() != nil {
			return i
		}
	}
	return to
}

// configured writes a configuration, %s in it being the folder that it gives.
func configured(t testing.TB, text string) (file, dir string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "avbeacon.yaml")
	write(t, file, text, dir, eachAlert)
	return file, dir
}

// write writes the configuration again, with other settings for alerts.
func write(t testing.TB, file, text, dir, alerts string) {
	t.Helper()
	text = "sensor: tap\n" + strings.TrimSpace(strings.Replace(strings.ReplaceAll(text, "%s", dir), eachAlert, alerts, 1)) + "\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// eachAlert is the section that sends every alert of the crowd at once.
const eachAlert = `
alerts: {all: true, at-least: possible, repeat: 0s, resolve: 0s, group: {over: 0}}
`

func count[K comparable](m map[K]int, more int) (n int) {
	for _, k := range m {
		if k > more {
			n++
		}
	}
	return n
}

func few(list []string) string { return fmt.Sprintf("%d: %.5q", len(list), list[:min(len(list), 5)]) }
