package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// regular is the host that calls with every fed one.
const regular = 0

// feeding writes a new host's request, and the regular one's, every few milliseconds.
type feeding struct {
	n    atomic.Int64  // hosts written whole
	at   []time.Time   // when each was; valid after done
	gone chan struct{} // closed to end it
	done chan struct{}
}

func newFeeding(w io.Writer, from int) *feeding {
	f := &feeding{gone: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for n := from; ; n++ {
			select {
			case <-f.gone:
				return
			case <-time.After(5 * time.Millisecond):
			}
			now := time.Now()
			both := append(update(crowdHost(n), now, uint64(n)), update(crowdHost(regular), now, uint64(n)+1<<32)...)
			if _, err := w.Write(both); err != nil {
				return
			}
			f.at = append(f.at, now)
			f.n.Add(1)
		}
	}()
	return f
}

// keptOf returns which hosts of the crowd a store has, and how often the regular one called. The store may be in use.
func keptOf(t *testing.T, file string) (hosts map[netip.Addr]bool, contacts uint64) {
	t.Helper()
	s, err := store.Open(file, store.Options{ReadOnly: true})
	require.NoError(t, err)
	defer s.Close()
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

// The daemon is killed at random moments while findings come in. Each time the store is undamaged, still has all that it had
// before the kill, and has the finding of every alert that a sink got; the next start resumes from it. What was lost beyond
// that is at most what came in the last second, which the test logs and does not require: a busy machine may take longer.
// At the end every finding is reported; an alert sent twice has the same id both times.
func TestKilledMonitorLosesNothingStored(t *testing.T) {
	kills := rounds.Of(t, 4)
	dir := t.TempDir()
	db, alerts := filepath.Join(dir, "a.db"), filepath.Join(dir, "alerts.ndjson")
	config := writeConfig(t, dir, "capture: {read: '-'}\nstore: {file: "+db+"}\nsensor: tap\nalerts: {group: {over: 0}}\n"+
		"sinks: [{name: soc, type: file, format: ecs, file: {path: "+alerts+"}}]\n")
	next := 1
	var worst time.Duration
	var before uint64
	for range kills {
		stored, fed, killed := feedAndKill(t, config, db, next, before)
		hosts, contacts := checkedOf(t, db)
		for i, at := range fed {
			if !hosts[crowdHost(next+i).Addr] {
				worst = max(worst, killed.Sub(at))
				require.GreaterOrEqual(t, i, stored, "a finding that the store had is gone")
			}
		}
		for host := range alertsOf(t, alerts) {
			require.True(t, hosts[host], "the store lacks the finding of an alert that was delivered: %v", host)
		}
		require.GreaterOrEqual(t, contacts, before+uint64(stored), "contacts that the store had are gone")
		require.LessOrEqual(t, contacts, before+uint64(len(fed)), "nothing is counted twice")
		before, next = contacts, next+len(fed)
	}
	t.Logf("%d kills, %d hosts; the oldest finding that was lost was %v old", kills, next-1, worst.Round(time.Millisecond))

	r, w := feed(t)
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config}})
	d.await("watching", 1)
	_, err := w.Write(append(pcapHeader(), update(crowdHost(regular), time.Now(), 1)...))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, d.wait(time.Minute), d.log())
	hosts, contacts := checkedOf(t, db)
	require.Equal(t, before+1, contacts)
	ids := alertsOf(t, alerts)
	for host := range hosts {
		require.Len(t, ids[host], 1, "host %v", host)
	}
}

// checkedOf is keptOf of a store that nobody uses and that must be undamaged.
func checkedOf(t *testing.T, file string) (map[netip.Addr]bool, uint64) {
	t.Helper()
	s, err := store.Open(file, store.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, errors.Join(s.Check(context.Background()), s.Close()))
	return keptOf(t, file)
}

// feedAndKill starts a daemon, feeds it until the store has what was fed up to a random moment, and kills it a random time later.
// It returns how many hosts the store had before the kill, when each host was fed, and when the daemon was killed.
func feedAndKill(t *testing.T, config, db string, next int, before uint64) (stored int, fed []time.Time, killed time.Time) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config}})
	require.NoError(t, r.Close())
	d.await("watching", 1)
	_, err = w.Write(pcapHeader())
	require.NoError(t, err)
	f := newFeeding(w, next)
	time.Sleep(time.Duration(100+rand.IntN(2000)) * time.Millisecond)
	stored = int(f.n.Load())
	require.Eventually(t, func() bool {
		hosts, contacts := keptOf(t, db)
		for i := range stored {
			if !hosts[crowdHost(next+i).Addr] {
				return false
			}
		}
		return contacts >= before+uint64(stored)
	}, patience(), 100*time.Millisecond, "the store never has what was fed: %s", d.log())
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
	killed = time.Now()
	d.kill()
	close(f.gone)
	<-f.done
	return stored, f.at, killed
}

// alertsOf returns the ids of the alerts for new findings, by host. An alert may come several times, under one id.
func alertsOf(t *testing.T, file string) map[netip.Addr]map[string]bool {
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
	return ids
}
