package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/internal/testkit"
)

// wire is a veth pair: what is sent at out0 comes to tap0, which is listened to.
type wire struct {
	t           testing.TB
	here, there *testkit.Netns
	out         *testkit.Sender
}

func newWire(t testing.TB) *wire {
	w := &wire{t: t, here: testkit.NewNetns(t), there: testkit.NewNetns(t)}
	w.join()
	return w
}

func (w *wire) join() {
	w.t.Helper()
	w.here.Join("tap0", w.there, "out0")
	w.here.MTU("tap0", 65535)
	w.there.MTU("out0", 65535)
	w.out = w.there.Sender("out0")
}

// framesOf gives the Ethernet frames of a capture in testdata/pcap.
func framesOf(t testing.TB, name string) (frames [][]byte) {
	t.Helper()
	files := files.Open([]string{filepath.Join("..", "..", "testdata", "pcap", name)}, files.Options{})
	var b capture.Block
	for files.Next(context.Background(), &b) == nil {
		for _, p := range b.Packets {
			if p.Link == capture.LinkEthernet && len(p.Data) >= 14 {
				frames = append(frames, append([]byte(nil), p.Data...))
			}
		}
	}
	require.NoError(t, files.Close())
	require.NotEmpty(t, frames)
	return frames
}

// send sends frames, not much faster than a slow machine listens.
func (w *wire) send(frames [][]byte) {
	for i, f := range frames {
		w.out.Send(f)
		if i%500 == 499 {
			time.Sleep(time.Millisecond)
		}
	}
}

// get asks the daemon's server, which is in a namespace.
func get(t testing.TB, in *testkit.Netns, path string) (int, string) {
	t.Helper()
	c := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return in.Dial("tcp", "127.0.0.1:9477"), nil
	}}}
	r, err := c.Get("http://127.0.0.1:9477" + path)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

// metric gives the value of a metric with its labels, as /metrics prints it; -1 where it is not there.
func metric(t testing.TB, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(t, err)
			return v
		}
	}
	return -1
}

// ready waits until /readyz answers so, and with that reason.
func (w *wire) ready(code int, reason string) {
	w.t.Helper()
	var last string
	require.Eventually(w.t, func() bool {
		status, text := get(w.t, w.here, "/readyz")
		last = text
		var r struct{ Reasons []struct{ Reason string } }
		require.NoError(w.t, json.Unmarshal([]byte(text), &r))
		if reason == "" {
			return status == code
		}
		return status == code && len(r.Reasons) == 1 && r.Reasons[0].Reason == reason
	}, time.Minute, 50*time.Millisecond, "readyz does not become %d %s: %s", code, reason, last)
}

func (w *wire) metric(name string) float64 {
	w.t.Helper()
	_, text := get(w.t, w.here, "/metrics")
	return metric(w.t, text, name)
}

// privileges gives what the kernel says of every thread of a process; each answer once.
func privileges(t testing.TB, pid int) (answers []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		lines := regexp.MustCompile(`(?m)^(Uid|Gid|Groups|Cap\w+|NoNewPrivs):.*$`).FindAllString(string(text), -1)
		answer := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
		if len(answers) == 0 || answers[0] != answer {
			answers = append(answers, answer)
		}
	}
	return answers
}

const (
	noCapabilities = "CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 CapAmb: 0000000000000000 NoNewPrivs: 1"
	nobody         = 65534
)

// A daemon without privileges keeps running when its interface goes down, loses its link, is removed and comes back under
// its name, and reports its state each time.
func TestMonitorOutlivesItsInterface(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	dir := openFolder(t)
	d := startChild(t, childOptions{in: w.here, args: []string{"monitor", "-c", writeConfig(t, dir, "listen: {address: '127.0.0.1:9477'}\n"), "-i", "tap0",
		"--user", "nobody", "--db", filepath.Join(dir, "a.db"), "--ring", "8MiB"}})
	d.await("watching", 1)
	require.Equal(t, []string{"Uid: 65534 65534 65534 65534 Gid: 65534 65534 65534 65534 Groups: 65534 " + noCapabilities}, privileges(t, d.cmd.Process.Pid))
	w.ready(200, "")
	frames := framesOf(t, "office.pcap")
	packets := `avbeacon_capture_packets_total{interface="tap0"}`
	heard := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { return w.metric(packets) == float64(n) }, time.Minute, 50*time.Millisecond, "it never has %d packets", n)
	}
	w.send(frames[:len(frames)/2])
	heard(len(frames) / 2)

	w.here.Down("tap0")
	d.await("interface is down", 1)
	w.ready(503, "interfaces_down")
	w.here.Up("tap0")
	d.await("interface is up", 2)
	w.ready(200, "")
	w.there.Down("out0")
	d.await("interface has no carrier", 1)
	w.ready(503, "interfaces_down")
	w.there.Up("out0")
	d.await("interface is up", 3)
	w.send(frames[:10])
	heard(len(frames)/2 + 10)

	w.here.Remove("tap0")
	d.await("interface is gone", 1)
	w.ready(503, "interfaces_down")
	require.Equal(t, 0.0, w.metric(`avbeacon_capture_interface_up{interface="tap0"}`))
	w.join()
	d.await("interface is up", 4)
	w.ready(200, "")
	w.send(frames[len(frames)/2:])
	heard(len(frames) + 10)
	require.Equal(t, 2.0, w.metric(`avbeacon_capture_interface_losses_total{interface="tap0"}`), "that a cable is pulled is told, and is no loss of the interface")
	require.True(t, w.here.Promiscuous("tap0"))
	require.NoError(t, d.stop())
	vendors := map[string]bool{}
	for _, f := range findingsOf(t, once(t, "report", "--format", "json", "--db", filepath.Join(dir, "a.db"))) {
		vendors[f.Vendor] = true
	}
	require.Subset(t, vendors, map[string]bool{"kaspersky": true, "drweb": true, "eset": true})
}

// CAP_NET_RAW is enough to start. A tap that is silent for too long is not ready. Packets are truncated to the configured
// snap length, which is counted and logged.
func TestMonitorNeedsOneCapability(t *testing.T) {
	w := newWire(t)
	dir := openFolder(t)
	text, err := os.ReadFile(childBinary(t))
	require.NoError(t, err)
	binary := filepath.Join(dir, "avbeacon")
	require.NoError(t, os.WriteFile(binary, text, 0o755))
	d := startChild(t, childOptions{in: w.here, binary: binary,
		attr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: []uintptr{unix.CAP_NET_RAW}},
		args: []string{"monitor", "-c", writeConfig(t, dir, "listen: {address: '127.0.0.1:9477', silent: 2s}\n"), "-i", "tap0", "--snap-length", "200", "--ring", "8MiB"}})
	d.await("watching", 1)
	all := privileges(t, d.cmd.Process.Pid)
	require.Len(t, all, 1)
	require.Regexp(t, "^Uid: 65534 .* CapPrm: 0{16} CapEff: 0{16} .* CapAmb: 0{16} NoNewPrivs: 1$", all[0])
	frames := framesOf(t, "office.pcap")
	w.send(frames)
	w.ready(200, "")
	w.ready(503, "silent")
	w.send(frames[:1])
	w.ready(200, "")
	long := 0
	for _, f := range append(frames, frames[0]) {
		if len(f) > 200 {
			long++
		}
	}
	require.EqualValues(t, long, w.metric(`avbeacon_capture_cut_packets_total{interface="tap0"}`))
	require.NoError(t, d.stop())
	require.Contains(t, d.log(), "192.168.10.21")
	require.Regexp(t, "[Cc]ut short|snap", d.log())
}
