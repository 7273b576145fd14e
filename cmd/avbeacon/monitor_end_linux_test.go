package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/session"
)

// feed is a child's standard input.
func feed(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func office(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../testdata/pcap/office.pcap")
	require.NoError(t, err)
	return b
}

// eventIDs are those of the alerts in a file of ECS lines, one for each line.
func eventIDs(t testing.TB, file string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var a struct{ Event struct{ ID string } }
		require.NoError(t, json.Unmarshal([]byte(line), &a), line)
		ids = append(ids, a.Event.ID)
	}
	return ids
}

// With limits.confine, and as user nobody, everything that a configuration names still works: the store, a file that is
// rotated and reopened, a reload, a second start.
func TestConfinedMonitorWorks(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir := openFolder(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, folder := range []string{"feeds", "state", "out"} {
		require.NoError(t, os.Mkdir(at(folder), 0o777))
		require.NoError(t, os.Chmod(at(folder), 0o777))
	}
	vendor := func(names ...string) {
		for _, name := range names {
			b, err := os.ReadFile("../../feeds/vendors/" + name + ".yaml")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(at("feeds/"+name+".yaml"), b, 0o644))
		}
	}
	vendor("_sources", "_makers", "drweb")
	config := writeConfig(t, dir, fmt.Sprintf(`
capture: {read: "-"}
knowledge: {feeds: %[1]s/feeds}
store: {file: %[1]s/state/a.db}
sinks: [{name: soc, type: file, format: ecs, file: {path: %[1]s/out/alerts.ndjson}}]
limits: {user: nobody, confine: true, panics: %[1]s/state/panics}
`, dir))
	start := func() (*child, *os.File) {
		r, w := feed(t)
		d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config}})
		d.await("watching", 1)
		return d, w
	}
	d, w := start()
	if n, ok := d.await("privileges were dropped", 1)["landlock"].(float64); !ok || n == 0 {
		t.Log("this kernel has no Landlock: nothing was confined")
	} else {
		t.Logf("confined by version %.0f of Landlock", n)
	}
	alerts := func(name, word string) {
		t.Helper()
		require.Eventually(t, func() bool {
			b, _ := os.ReadFile(at(name))
			return strings.Contains(string(b), word)
		}, time.Minute, 20*time.Millisecond, "%s never has %s", name, word)
	}
	_, err := w.Write(office(t))
	require.NoError(t, err)
	alerts("out/alerts.ndjson", "drweb")

	require.NoError(t, os.Rename(at("out/alerts.ndjson"), at("out/alerts.1")))
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGUSR1))
	d.await("files were opened again", 1)
	vendor("kaspersky")
	d.await("new knowledge is in use", 1)
	_, err = w.Write(office(t)[24:])
	require.NoError(t, err)
	alerts("out/alerts.ndjson", "kaspersky")
	require.NoError(t, d.stop())

	d, _ = start()
	require.NoError(t, d.stop())
	require.Empty(t, d.said(session.Unwritten))
	require.Contains(t, string(once(t, "db", "check", "--db", at("state/a.db"))), "undamaged")
	require.Contains(t, string(once(t, "report", "--db", at("state/a.db"))), "Dr.Web")
	for _, file := range []string{"out/alerts.ndjson", "state/a.db", "state/a.db.reserve"} {
		st, err := os.Stat(at(file))
		require.NoError(t, err)
		require.EqualValues(t, nobody, st.Sys().(*syscall.Stat_t).Uid)
	}
}

// SIGTERM ends within the time that the configuration allows, though one receiver takes connections and never answers; what it
// has not got is in the store, and comes to it after the next start.
func TestEndIsNotHeldUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() { // takes all and answers nothing
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	dir := t.TempDir()
	file := filepath.Join(dir, "alerts.ndjson")
	sinks := func(second string) string {
		return writeConfig(t, dir, fmt.Sprintf(`
capture: {read: "-"}
store: {file: %s/a.db}
sinks:
  - {name: soc, type: file, format: ecs, file: {path: %s}}
  - %s
limits: {drain: 2s}
`, dir, file, second))
	}
	r, w := feed(t)
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", sinks(`{name: slow, type: webhook, http: {url: "http://` + l.Addr().String() + `"}}`)}})
	d.await("watching", 1)
	_, err = w.Write(office(t))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(file)
		return len(b) > 0
	}, time.Minute, 10*time.Millisecond)
	asked := time.Now()
	err = d.stop()
	took := time.Since(asked)
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit, "it ends by itself: %s", d.log())
	}
	require.Less(t, took, 20*time.Second, "less than a request's timeout of 30 s: %s", d.log())
	t.Logf("ended after %v", took)

	second := filepath.Join(dir, "second.ndjson")
	r, w = feed(t)
	d = startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", sinks(`{name: slow, type: file, format: ecs, file: {path: ` + second + `}}`)}})
	d.await("watching", 1)
	_, err = w.Write(office(t)[:24]) // a capture without a packet
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, d.wait(time.Minute))
	require.ElementsMatch(t, eventIDs(t, file), eventIDs(t, second))
}
