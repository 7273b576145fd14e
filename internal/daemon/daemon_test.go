package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"avbeacon/capture"
	"avbeacon/capture/observe"
	"avbeacon/internal/config"
	"avbeacon/internal/store"
)

const office = "../../testdata/pcap/office.pcap"

// output is a standard output that several goroutines may use.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// ids are those of the alerts, in order.
func (o *output) ids(t testing.TB) (list []string) {
	t.Helper()
	for line := range strings.Lines(o.text()) {
		var a struct {
			Event struct{ ID string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &a), line)
		list = append(list, a.Event.ID)
	}
	return list
}

// one is a daemon in a folder of the test.
type one struct {
	Options
	out  *output
	logs *observer.ObservedLogs
}

func newOne(t testing.TB) *one {
	c := config.Default()
	c.Listen.Address = ""
	c.Capture.Read = office
	c.Limits.Drain = time.Minute
	c.Limits.User, c.Limits.Confine = strconv.Itoa(os.Getuid()), false // this process is the test's
	core, logs := observer.New(zap.InfoLevel)
	o := &one{out: &output{}, logs: logs}
	o.Options = Options{Config: c, Version: "test", Stdout: o.out, Log: zap.New(core)}
	return o
}

func (o *one) run(t testing.TB) {
	t.Helper()
	require.NoError(t, Run(context.Background(), o.Options))
}

func (o *one) said(message string) bool { return o.logs.FilterMessage(message).Len() > 0 }

func TestAlertsOfOneCaptureComeOnce(t *testing.T) {
	o := newOne(t)
	var summary bytes.Buffer
	o.Summary = &summary
	o.run(t)
	ids := o.out.ids(t)
	require.Greater(t, len(ids), 5)
	seen := map[string]bool{}
	for _, id := range ids {
		require.False(t, seen[id], "an id twice")
		seen[id] = true
	}
	require.Contains(t, o.out.text(), "192.168.10.21")
	require.Contains(t, summary.String(), "what the capture could not show")
	again := newOne(t)
	again.run(t)
	require.ElementsMatch(t, ids, again.out.ids(t), "the same capture gives the same ids")
}

func TestRestartRepeatsNoAlert(t *testing.T) {
	dir := t.TempDir()
	first := newOne(t)
	first.Config.Store.File, first.Config.Sensor = filepath.Join(dir, "home.db"), "tap"
	first.run(t)
	require.Greater(t, len(first.out.ids(t)), 5)
	s, err := store.Open(filepath.Join(dir, "home.db"), store.Options{ReadOnly: true})
	require.NoError(t, err)
	defer s.Close()
	alerts, err := s.Alerts(context.Background())
	require.NoError(t, err)
	sent := 0
	for _, a := range alerts {
		if !a.Sent.IsZero() {
			sent++
		}
	}
	require.Equal(t, len(first.out.ids(t)), sent)
	hours, err := s.CoverageHours(context.Background(), time.Time{})
	require.NoError(t, err)
	require.NotEmpty(t, hours)
	var seen time.Duration
	var packets uint64
	for _, h := range hours {
		seen += h.Seen
		packets += h.Packets
	}
	require.InDelta(t, (8*time.Hour + 55*time.Minute).Seconds(), seen.Seconds(), 60)
	require.EqualValues(t, 1402, packets)

	second := newOne(t) // the same packets once more: nothing is new
	second.Config.Store.File = first.Config.Store.File
	second.run(t)
	for _, id := range second.out.ids(t) {
		require.NotContains(t, first.out.ids(t), id)
	}
	require.NotContains(t, second.out.text(), `"action":"avbeacon-new"`)
}

// tap is standard input that packets come from for as long as the test wants.
func tap(t testing.TB) (r *os.File, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// background runs a daemon on a pipe until the function it returns is called.
func (o *one) background(t testing.TB) (in io.Writer, stop func() error) {
	t.Helper()
	r, w := tap(t)
	o.Config.Capture.Read, o.Stdin = "-", r
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := Run(ctx, o.Options)
		if err != nil {
			t.Log("the daemon ended: ", err)
		}
		r.Close() // a test that writes on must not wait for ever
		done <- err
	}()
	return w, func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(time.Minute):
			return context.DeadlineExceeded
		}
	}
}

func TestRequestedEndDrains(t *testing.T) {
	o := newOne(t)
	in, stop := o.background(t)
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	_, err = in.Write(whole)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(o.out.text(), "192.168.10.21") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, stop(), "though standard input is still open")
}

// catalogue makes a folder of some of the embedded catalogue's files.
func catalogue(t testing.TB, dir string, vendors ...string) {
	t.Helper()
	for _, v := range vendors {
		b, err := os.ReadFile(filepath.Join("../../feeds/vendors", v+".yaml"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, v+".yaml"), b, 0o600))
	}
}

func TestReloadReplacesKnowledge(t *testing.T) {
	dir := t.TempDir()
	catalogue(t, dir, "_sources", "_makers", "drweb")
	o := newOne(t)
	o.Config.Knowledge.Feeds = dir
	reload := make(chan os.Signal, 1)
	o.Reload = reload
	in, stop := o.background(t)
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	_, err = in.Write(whole)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(o.out.text(), "drweb") }, time.Minute, 10*time.Millisecond)
	require.NotContains(t, o.out.text(), "kaspersky")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.yaml"), []byte("vendor: ["), 0o600))
	rejected := func() int { return o.logs.FilterMessage("new knowledge was rejected; the old one stays in use").Len() }
	require.Eventually(t, func() bool { return rejected() == 1 }, time.Minute, 10*time.Millisecond, "a change of the files is enough")
	reload <- syscall.SIGHUP
	require.Eventually(t, func() bool { return len(reload) == 0 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, 1, rejected(), "the same reason is logged once")

	require.NoError(t, os.Remove(filepath.Join(dir, "broken.yaml")))
	catalogue(t, dir, "kaspersky")
	reload <- syscall.SIGHUP
	require.Eventually(t, func() bool { return o.said("new knowledge is in use") }, time.Minute, 10*time.Millisecond)
	_, err = in.Write(whole[24:]) // the same packets again, without the file's header
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(o.out.text(), "kaspersky") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, stop())
}

func TestShrunkCatalogueIsRejected(t *testing.T) {
	dir := t.TempDir()
	catalogue(t, dir, "_sources", "_makers", "drweb", "kaspersky", "eset")
	o := newOne(t)
	o.Config.Knowledge.Feeds = dir
	reload := make(chan os.Signal, 1)
	o.Reload = reload
	_, stop := o.background(t)
	require.Eventually(t, func() bool { return o.said("watching") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, os.Remove(filepath.Join(dir, "kaspersky.yaml")))
	require.NoError(t, os.Remove(filepath.Join(dir, "eset.yaml")))
	reload <- syscall.SIGHUP
	require.Eventually(t, func() bool { return o.said("new knowledge was rejected; the old one stays in use") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, stop())
}

func TestUnreadFilesAreReported(t *testing.T) {
	o := newOne(t)
	dir := t.TempDir()
	o.Config.Capture.Read, o.Config.Capture.Watch = "", dir
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cut.pcap"), whole[:len(whole)/2], 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "whole.pcap"), whole, 0o600))
	var summary bytes.Buffer
	o.Summary = &summary
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o.Options) }()
	require.Eventually(t, func() bool { return o.said("capture file cannot be read further") }, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.Contains(t, summary.String(), "files of the folder that were not read to their end: 1;")
}

func TestHealthIsServed(t *testing.T) {
	o := newOne(t)
	o.Config.Listen.Address = "127.0.0.1:0"
	o.Config.Store.File = filepath.Join(t.TempDir(), "a.db")
	in, stop := o.background(t)
	require.Eventually(t, func() bool { return o.said("metrics and health are served") }, time.Minute, 10*time.Millisecond)
	at := o.logs.FilterMessage("metrics and health are served").All()[0].ContextMap()["address"].(string)
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	_, err = in.Write(whole)
	require.NoError(t, err)
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + at + path)
		require.NoError(t, err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(b)
	}
	require.Eventually(t, func() bool {
		_, text := get("/metrics")
		return strings.Contains(text, `avbeacon_capture_packets_total{interface="-"} 1402`) &&
			strings.Contains(text, `avbeacon_findings{concern="true",vendor="kaspersky",verdict="installed"} 2`) &&
			strings.Contains(text, `avbeacon_alerts_total{event="new",severity="high"}`) &&
			strings.Contains(text, `avbeacon_sink_delivered_alerts_total{sink="stdout"}`)
	}, time.Minute, 50*time.Millisecond)
	code, text := get("/readyz")
	require.Equal(t, http.StatusOK, code, text)
	_, text = get("/metrics")
	list, err := os.ReadFile("../metrics/README.md")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?m)^\\| `(avbeacon_[a-z_]+)`").FindAllSubmatch(list, -1) {
		name := string(m[1])
		never := strings.HasPrefix(name, "avbeacon_reload_") && strings.HasSuffix(name, "_seconds") // there was no reload
		require.True(t, never || strings.Contains(text, "# TYPE "+name+" "), "README.md names %s, which the daemon does not have", name)
	}
	require.NoError(t, stop())
}

func TestPanickingPacketIsKept(t *testing.T) {
	dir := t.TempDir()
	var f faults
	require.NoError(t, f.open(dir))
	core, logs := observer.New(zap.InfoLevel)
	for n := range mostPieces + 5 {
		f.packet(zap.New(core))(&observe.Panic{Packet: capture.Packet{Data: []byte{1, 2, 3}, Link: capture.LinkRaw}, Reason: fmt.Sprint("why", n)})
	}
	require.EqualValues(t, mostPieces+5, f.panics.Load())
	files, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	require.NoError(t, err)
	require.Len(t, files, mostPieces)
	require.Equal(t, mostPieces+5, logs.Len())

	again := faults{folder: t.TempDir()}
	for range mostAlike + 5 {
		again.packet(zap.NewNop())(&observe.Panic{Reason: "the same"})
	}
	require.Equal(t, mostAlike, again.kept, "others have room too")
}

// Two stores in one folder share nothing: each run sends all alerts, whatever the other sent.
func TestStoresInOneFolderAreIndependent(t *testing.T) {
	dir := t.TempDir()
	sent := map[string][]string{}
	for _, name := range []string{"a.db", "b.db"} {
		o := newOne(t)
		o.Config.Store.File, o.Config.Sensor = filepath.Join(dir, name), "tap"
		o.run(t)
		sent[name] = o.out.ids(t)
	}
	require.NotEmpty(t, sent["a.db"])
	require.Equal(t, sent["a.db"], sent["b.db"])
}

// What an earlier version decided and could not hand to its spool is sent at the first start of this one, under the id that it
// had, though its packets do not come again.
func TestUnsentAlertsOfEarlierVersionAreSent(t *testing.T) {
	dir := t.TempDir()
	first := newOne(t)
	first.Config.Store.File, first.Config.Sensor = filepath.Join(dir, "home.db"), "tap"
	first.run(t)
	ids := first.out.ids(t)
	s, err := store.Open(filepath.Join(dir, "home.db"), store.Options{})
	require.NoError(t, err)
	alerts, err := s.Alerts(context.Background())
	require.NoError(t, err)
	former, err := store.Open(filepath.Join(dir, "former.db"), store.Options{Sensor: "tap", IDKey: s.IDKey()})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	missed := map[string]bool{}
	for i, a := range alerts {
		if !a.Sent.IsZero() && i%2 == 0 { // as if the spool had not come to it
			missed[a.ID] = true
			a.Sent = time.Time{}
		}
		former.KeepAlert(a)
	}
	require.NoError(t, former.Flush(context.Background(), time.Now()))
	require.NoError(t, former.Close())
	require.Greater(t, len(missed), 2)

	second := newOne(t)
	second.Config.Store.File = filepath.Join(dir, "former.db")
	second.Config.Capture.Read = "../../testdata/pcap/visit.pcap"
	second.run(t)
	for _, id := range second.out.ids(t) {
		if missed[id] {
			require.Contains(t, ids, id)
			delete(missed, id)
		} else {
			require.NotContains(t, ids, id, "it was sent before")
		}
	}
	require.Empty(t, missed)
}
