//go:build amd64 || arm64

package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"avbeacon/capture"
	"avbeacon/capture/live"
	"avbeacon/internal/config"
	"avbeacon/internal/measure"
	"avbeacon/internal/testkit"
)

// The ends of the veth pair: packets are sent into outEnd and come out of tapEnd, each in a namespace of its own.
const tapEnd, outEnd = "tap0", "out0"

// part is what a child process of the benchmark does. Sender and listeners are processes of their own, so that the system counts
// the CPU time of each.
type part struct {
	Do   string // send, count or monitor
	File string
	Rate int // packets a second; 0: as fast as the sender can
}

// heard is what a listener saw, and its CPU time while it listened.
type heard struct {
	Packets, Drops uint64
	CPU            time.Duration
}

const partVariable = "AVBEACON_LIVE_PART"

// TestMain lets the test binary play a part of BenchmarkLive.
func TestMain(m *testing.M) {
	text := os.Getenv(partVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.play()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play does the part and writes its result to standard output. A listener first writes "ready", and ends with standard input.
func (p *part) play() error {
	var result any
	var err error
	if p.Do == "send" {
		result, err = replay(outEnd, p.File, p.Rate, 2*time.Second)
	} else {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		listen := countPackets
		if p.Do == "monitor" {
			listen = monitorPackets
		}
		result, err = listen(ctx, func() { fmt.Println("ready") })
	}
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(result))
}

// monitorPackets runs what `avbeacon monitor -i INTERFACE` runs, without a store and without the metrics server. It reads from the
// daemon's log when listening begins and ends.
func monitorPackets(ctx context.Context, ready func()) (got heard, err error) {
	c := config.Default()
	c.Capture.Interfaces, c.Capture.Workers, c.Listen.Address = []string{tapEnd}, 1, ""
	log := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "message"}), logLines(func(b []byte) error {
		var line struct {
			Message string
			Packets uint64
			Drops   uint64 `json:"kernel_drops"`
		}
		err := json.Unmarshal(b, &line)
		switch line.Message {
		case Watching:
			got.CPU = -measure.CPUTime()
			ready()
		case Ended:
			got.CPU += measure.CPUTime()
		case CameIn:
			got.Packets, got.Drops = line.Packets, line.Drops
		}
		return err
	}), zapcore.InfoLevel)
	err = Run(ctx, Options{Config: c, Stdout: io.Discard, Log: zap.New(log)})
	return got, err
}

// logLines takes each line of a log.
type logLines func([]byte) error

func (f logLines) Write(b []byte) (int, error) { return len(b), f(b) }
func (f logLines) Sync() error                 { return nil }

// countPackets is the yardstick, the least that listening costs: it touches each packet's addresses and releases its block.
func countPackets(ctx context.Context, ready func()) (heard, error) {
	tap, err := live.Open(live.Options{Interfaces: []string{tapEnd}, Promiscuous: true})
	if err != nil {
		return heard{}, err
	}
	defer tap.Close()
	before := measure.CPUTime()
	ready()
	var mixed byte
	for b := (capture.Block{}); ; b.Done() {
		if err := tap.Next(ctx, &b); errors.Is(err, io.EOF) {
			st := tap.Stats()[0]
			return heard{st.Packets, st.Drops, measure.CPUTime() - before}, nil
		} else if err != nil {
			return heard{}, err
		}
		for i := range b.Packets {
			if d := b.Packets[i].Data; len(d) > 33 {
				mixed ^= d[26] ^ d[30]
			}
		}
	}
}

// BenchmarkLive measures what listening on a network interface costs. It joins two network namespaces by a veth pair and replays a
// capture into one end at growing rates. At the other end listen, in turns, a bare packet counter (the yardstick) and the daemon
// without a store, with one worker, both through the same ring. AVBEACON_BENCH names the captures: classic pcap, as mkbench writes.
//
// It reports what the sender reached, the kernel's drops, and the CPU time (user and system) that the daemon used for a packet,
// also as a multiple of the counter's, which is what compares between machines. It fails where a packet was sent but neither
// seen nor dropped. BENCHMARK.md has figures.
func BenchmarkLive(b *testing.B) {
	near, far := liveLink(b)
	files, err := filepath.Glob(os.Getenv("AVBEACON_BENCH"))
	require.NoError(b, err)
	if len(files) == 0 {
		b.Skip("AVBEACON_BENCH names no captures (make bench-live makes some)")
	}
	for _, file := range files {
		for _, rate := range []int{50_000, 100_000, 200_000, 300_000, 400_000, 500_000, 0} {
			b.Run(fmt.Sprintf("%s/%d", filepath.Base(file), rate), func(b *testing.B) {
				file, err := filepath.Abs(file)
				require.NoError(b, err)
				var speed, drops, counter, daemon float64
				for b.Loop() {
					s, h := liveStep(b, near, far, part{"count", file, rate})
					counter += perPacket(h)
					drops += float64(h.Drops)
					s, h = liveStep(b, near, far, part{"monitor", file, rate})
					daemon += perPacket(h)
					drops += float64(h.Drops)
					speed += float64(s.Packets) / s.Seconds
				}
				n := float64(b.N)
				b.ReportMetric(speed/n, "packets/s")
				b.ReportMetric(drops/n, "drops")
				b.ReportMetric(daemon/n, "us/packet")
				b.ReportMetric(daemon/counter, "x-counter")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// liveLink joins two namespaces.
func liveLink(b testing.TB) (near, far *testkit.Netns) {
	near, far = testkit.NewNetns(b), testkit.NewNetns(b)
	near.Join(tapEnd, far, outEnd)
	near.MTU(tapEnd, 9000)
	far.MTU(outEnd, 9000)
	return near, far
}

// perPacket returns the CPU time per packet seen, in microseconds.
func perPacket(h heard) float64 {
	return float64(h.CPU.Nanoseconds()) / 1000 / float64(max(1, h.Packets))
}

// liveStep starts a listener, waits until it is ready, sends at one rate, and ends the listener by closing its standard input.
func liveStep(b testing.TB, near, far *testkit.Netns, p part) (s sent, h heard) {
	listener := playing(b, p)
	stop, err := listener.StdinPipe()
	require.NoError(b, err)
	out, err := listener.StdoutPipe()
	require.NoError(b, err)
	near.Do(listener.Start)
	lines := bufio.NewReader(out)
	_, err = lines.ReadString('\n')
	require.NoError(b, err, "the listener does not listen")

	p.Do = "send"
	sender := playing(b, p)
	var text []byte
	far.Do(func() (err error) {
		text, err = sender.Output()
		return err
	})
	require.NoError(b, json.Unmarshal(text, &s))
	require.NoError(b, stop.Close())
	require.NoError(b, json.NewDecoder(lines).Decode(&h))
	require.NoError(b, listener.Wait())
	require.Equal(b, uint64(s.Packets), h.Packets+h.Drops, "packets were sent, but neither seen nor counted as dropped")
	return s, h
}

// playing returns the command that plays a part.
func playing(b testing.TB, p part) *exec.Cmd {
	text, err := json.Marshal(p)
	require.NoError(b, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), partVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

// What the sender says it sent is what both listeners say they heard.
func TestAllThatIsSentIsHeard(t *testing.T) {
	near, far := liveLink(t)
	c := testkit.NewCapture(1)
	for i := range 20 * sendBatch {
		from, to := testkit.Host{Addr: netip.MustParseAddr("10.0.0.1")}, testkit.Host{Addr: netip.MustParseAddr("10.0.0.2")}
		c.UDP(time.Unix(int64(i), 0), from, 1, to, 2, make([]byte, i%1400))
	}
	file := filepath.Join(t.TempDir(), "some.pcap")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, errors.Join(c.WritePcap(f), f.Close()))
	for _, role := range []string{"count", "monitor"} {
		s, h := liveStep(t, near, far, part{role, file, 50_000})
		require.Equal(t, 20*sendBatch, s.Packets)
		require.Equal(t, heard{uint64(s.Packets), 0, h.CPU}, h)
		require.Positive(t, h.CPU)
	}
}
