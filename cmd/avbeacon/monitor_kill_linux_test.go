package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/store"
	"avbeacon/internal/testkit"
	"avbeacon/internal/testkit/rounds"
)

// pcapHeader begins a capture of Ethernet frames with times in nanoseconds.
func pcapHeader() []byte {
	var b []byte
	for _, n := range []uint32{0xa1b23c4d, 4<<16 | 2, 0, 0, 1 << 18, 1} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

func appendRecord(b []byte, at time.Time, frame []byte) []byte {
	for _, n := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond()), uint32(len(frame)), uint32(len(frame))} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return append(b, frame...)
}

// crowdHost is the n-th of many hosts.
func crowdHost(n int) testkit.Host {
	return testkit.Host{MAC: [6]byte{2, 1, 0, byte(n >> 16), byte(n >> 8), byte(n)}, Addr: netip.AddrFrom4([4]byte{10, 1 + byte(n>>16), byte(n >> 8), byte(n)}), TTL: 128}
}

// update is a host's request to Dr.Web's update server at a time, as records of a capture.
func update(host testkit.Host, at time.Time, seed uint64) []byte {
	c := testkit.NewCapture(seed)
	server := testkit.Host{Addr: netip.MustParseAddr("194.85.20.10"), MAC: [6]byte{2, 0, 0, 0, 0, 1}, RTT: time.Millisecond, TTL: 50}
	conn := c.Open(at, host, server, 80)
	conn.Send(testkit.HTTPRequest("GET /x64/600/av/windows/version.lst", "Host: update.drweb.com", "User-Agent: DrWebUpdate-12.0.56.02100 (windows: 10.0.19045)"))
	conn.Reply(testkit.HTTPResponse("200 OK", "text/plain", []byte("x")))
	conn.Close()
	var b []byte
	for _, f := range c.Frames() {
		b = appendRecord(b, f.Time, f.Data)
	}
	return b
}

// fed is one request that was written to a child, and when.
type fed struct {
	host netip.Addr
	at   time.Time
}

// regular is the host that calls with every fed one.
const regular = 0

// feedUntil writes a new host's request, and the regular one's, every few milliseconds until the child is gone.
func feedUntil(gone <-chan struct{}, w io.Writer, from int) (list []fed) {
	for n := from; ; n++ {
		select {
		case <-gone:
			return list
		case <-time.After(5 * time.Millisecond):
		}
		now := time.Now()
		host := crowdHost(n)
		both := append(update(host, now, uint64(n)), update(crowdHost(regular), now, uint64(n)+1<<32)...)
		if _, err := w.Write(both); err != nil {
			return list
		}
		list = append(list, fed{host.Addr, now})
	}
}

// kept is what a store has of the crowd.
func keptOf(t *testing.T, file string) (hosts map[netip.Addr]bool, contacts uint64) {
	t.Helper()
	s, err := store.Open(file, store.Options{ReadOnly: true})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Check(context.Background()))
	list, err := s.Findings(context.Background(), nil)
	require.NoError(t, err)
	hosts = map[netip.Addr]bool{}
	for _, f := range list {
		hosts[f.Host.Address] = true
		if f.Host.Address == crowdHost(regular).Addr {
			contacts = f.Contacts
		}
	}
	return hosts, contacts
}

// The daemon is killed at random moments while findings come in. Each time the store is intact and lacks at most the last
// second, and the next start resumes from it. Every finding is reported; an alert sent twice has the same id both times.
func TestKilledMonitorLosesASecondAtMost(t *testing.T) {
	kills := rounds.Of(t, 4)
	dir := t.TempDir()
	db, alerts := filepath.Join(dir, "a.db"), filepath.Join(dir, "alerts.ndjson")
	config := writeConfig(t, dir, "capture: {read: '-'}\nstore: {file: "+db+"}\nsensor: tap\nalerts: {group: {over: 0}}\n"+
		"sinks: [{name: soc, type: file, format: ecs, file: {path: "+alerts+"}}]\n")
	next, all := 1, 0
	var worst time.Duration
	var before uint64
	for range kills {
		list, killed := feedAndKill(t, config, next)
		next += len(list)
		all += len(list)
		hosts, contacts := keptOf(t, db)
		recent := 0
		for _, f := range list {
			age := killed.Sub(f.at)
			if age <= allowedLoss {
				recent++
			}
			if !hosts[f.host] {
				worst = max(worst, age)
				require.LessOrEqual(t, age, allowedLoss, "a finding that old was lost")
			}
		}
		require.GreaterOrEqual(t, contacts, before, "what was known before is not forgotten")
		require.GreaterOrEqual(t, contacts-before, uint64(len(list)-recent), "contacts that old were lost")
		require.LessOrEqual(t, contacts-before, uint64(len(list)), "nothing is counted twice")
		before = contacts
	}
	t.Logf("%d kills, %d hosts; the oldest finding that was lost was %v old", kills, all, worst.Round(time.Millisecond))

	r, w := feed(t)
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config}})
	d.await("watching", 1)
	_, err := w.Write(append(pcapHeader(), update(crowdHost(regular), time.Now(), 1)...))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, d.wait(time.Minute), d.log())
	hosts, contacts := keptOf(t, db)
	require.Equal(t, before+1, contacts)
	requireToldOnce(t, alerts, hosts)
}

// allowedLoss is the second that may be lost, and what a machine that runs all other tests beside needs to write it.
const allowedLoss = 4 * time.Second

// feedAndKill starts a daemon, feeds it for a while and kills it. It gives what was fed and when it was killed.
func feedAndKill(t *testing.T, config string, next int) ([]fed, time.Time) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config}})
	require.NoError(t, r.Close())
	d.await("watching", 1)
	_, err = w.Write(pcapHeader())
	require.NoError(t, err)
	gone := make(chan struct{})
	done := make(chan []fed, 1)
	go func() { done <- feedUntil(gone, w, next) }()
	time.Sleep(time.Duration(300+rand.IntN(7000)) * time.Millisecond)
	killed := time.Now()
	d.kill()
	close(gone)
	return <-done, killed
}

// requireToldOnce requires an alert for the new finding of each host. It may come several times, under one id.
func requireToldOnce(t *testing.T, file string, hosts map[netip.Addr]bool) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	ids := map[netip.Addr]map[string]bool{}
	for line := range bytes.Lines(text) {
		var a struct {
			Event  struct{ ID, Action string }
			Source struct{ IP netip.Addr }
		}
		if json.Unmarshal(line, &a) != nil || !strings.HasSuffix(a.Event.Action, "new") {
			continue // a line that a kill cut short is written again
		}
		if ids[a.Source.IP] == nil {
			ids[a.Source.IP] = map[string]bool{}
		}
		ids[a.Source.IP][a.Event.ID] = true
	}
	for host := range hosts {
		require.Len(t, ids[host], 1, "host %v", host)
	}
}
