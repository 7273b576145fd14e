package observe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/files"
	"avbeacon/capture/flow"
	"avbeacon/internal/testkit/rounds"
)

// crowd is a capture of many flows of every kind over hours, from a seed: times that run, jump and step back, hosts in
// VLANs and tunnels, fragments that stay alone, messages cut and out of order.
func crowd(t testing.TB, seed uint64, n int) []capture.Packet {
	r := rand.New(rand.NewPCG(seed, 1))
	hello, quic, udpHello := bigHello(t), clientStart(recorded(t, "v1")), dtlsRecords(smallHello(t), 90)
	at := someStart
	var list []capture.Packet
	put := func(b []byte) {
		at += int64(r.IntN(1e8))
		if r.IntN(1500) == 0 {
			at += int64(20 * time.Minute)
		}
		list = append(list, capture.Packet{Link: capture.LinkRaw, Data: b, Time: at - int64(r.IntN(1e8))})
	}
	wrapped := func(proto uint8, src, dst string, b []byte) {
		ip := ip4Bytes(proto, src, dst, b)
		switch r.IntN(20) {
		case 0:
			put(ip4Piece(proto, src, dst, r.IntN(1<<16), 0x2000, b[:len(b)/8*8])) // the rest never comes
		case 1:
			put(ip4Bytes(ipGRE, "10.9.0.1", "10.9.0.2", join([]byte{0, 0, 8, 0}, ip)))
		case 2:
			put(ip4Bytes(1, far, near, join([]byte{3, byte(r.IntN(4)), 0, 0, 0, 0, 0, 0}, ip[:28])))
		default:
			put(ip)
		}
	}
	for len(list) < n {
		src, sport := fmt.Sprintf("10.0.%d.%d", r.IntN(2), r.IntN(60)), 40000+r.IntN(40)
		switch r.IntN(8) {
		case 0, 1:
			from := r.IntN(4) * 450
			to := min(from+1+r.IntN(900), len(hello))
			wrapped(ipTCP, src, far, tcpBytes(sport, 443, decode.ACK|uint8(r.IntN(3)), 1000+uint32(from), 0, hello[min(from, to):to]))
		case 2:
			wrapped(ipTCP, far, src, tcpBytes(443, sport, decode.ACK|uint8(r.IntN(8)), 5000+uint32(r.IntN(300)), 0, make([]byte, r.IntN(300))))
		case 3:
			from := r.IntN(len(someRequest))
			wrapped(ipTCP, src, far, tcpBytes(sport, 80, decode.ACK, uint32(from), 0, someRequest[from:]))
		case 4:
			wrapped(ipUDP, src, far, udpBytes(sport, 53, question(t, fmt.Sprintf("n%d.example.org.", r.IntN(9)), r.IntN(9) > 0)))
		case 5:
			wrapped(ipUDP, far, src, udpBytes(53, sport, replyOf(t, r.IntN(5))))
		case 6:
			wrapped(ipUDP, src, far, udpBytes(sport, 443, quic[r.IntN(len(quic))]))
		case 7:
			wrapped(ipUDP, src, far, udpBytes(sport, 4433, udpHello[r.IntN(len(udpHello))]))
		}
	}
	return numbered(list)
}

func captures(t testing.TB) []string {
	list, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcap", "*.pcap"))
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

func TestWorkersChangeNothing(t *testing.T) {
	evicted := false
	workers := []int{2, 3, 4, 7, 16, 40}
	if testing.Short() { // an uneven share of the shards, and more workers than shards
		workers = []int{3, 40}
	}
	for seed := range uint64(rounds.Of(t, 1)) {
		list := crowd(t, seed, 3000)
		for _, opt := range []ObserverOptions{{}, {MaxFlows: 64 * 16, MaxWaiting: 48 << 10}, {Interest: no{}}, {Interest: all{}}} {
			want, st := dumped(t, Options{Observer: opt}, &memSource{packets: list})
			require.NotEmpty(t, want)
			evicted = evicted || st.Observer.FlowsEvicted > 0 && st.Observer.WaitingEvicted > 0
			for _, size := range []int{1, 100} {
				for _, n := range workers {
					got, gotSt := dumped(t, Options{Workers: n, Observer: opt}, &memSource{packets: list, size: size})
					require.True(t, want == got, "seed %d, %d workers, blocks of %d: %s", seed, n, size, firstDifference(want, got))
					require.Equal(t, st, gotSt)
				}
			}
		}
	}
	require.True(t, evicted, "limits were reached")
}

// A flow's shard follows from its hash, and shards look for idle flows in turns: with another seed its record may come some seconds
// of packet time earlier or later. What is recorded is the same.
func TestSeedsChangeNothing(t *testing.T) {
	lines := func(seed flow.Seed, path string) []string {
		src := files.Open([]string{path}, files.Options{})
		defer src.Close()
		text, _ := dumped(t, Options{Observer: ObserverOptions{Seed: seed}}, src)
		return strings.Split(strings.TrimSpace(text), "\n")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, path := range captures(t) {
		want := lines(flow.FixedSeed, path)
		for range 3 {
			got := lines(flow.Seed{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}, path)
			require.ElementsMatch(t, want, got, path)
		}
	}
}

func firstDifference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(0, i-300)
	return fmt.Sprintf("\n%s\n---\n%s", a[from:min(len(a), i+300)], b[from:min(len(b), i+300)])
}

func TestWorkersChangeNothingInFiles(t *testing.T) {
	for _, path := range captures(t) {
		var want string
		for _, n := range []int{1, 2, 3, 4, 7, 16} {
			for _, size := range []int{0, 200} {
				src := files.Open([]string{path}, files.Options{BlockSize: size})
				got, _ := dumped(t, Options{Workers: n}, src)
				require.NoError(t, src.Close())
				if want == "" {
					want = got
				}
				require.True(t, want == got, "%s with %d workers: %s", path, n, firstDifference(want, got))
			}
		}
		require.NotEmpty(t, want, path)
	}
}

// The order is that of packets, and of first frames where several flows end at one time.
func TestOrder(t *testing.T) {
	for _, n := range []int{1, 3} {
		last, ended := uint64(0), uint64(0)
		sink := Sink{Observation: func(o *capture.Observation) error {
			if o.Kind != capture.Contact {
				require.GreaterOrEqual(t, o.Frame, last)
				last = o.Frame
			}
			if o.Kind == capture.Contact && o.Frame > ended {
				ended = o.Frame
			}
			return nil
		}}
		var list []capture.Packet
		for _, p := range crowd(t, 9, 3000) {
			if p.Data[9] == ipUDP && p.Data[6] == 0 { // no streams, which may wait, and no fragments
				list = append(list, p)
			}
		}
		_, err := Run(context.Background(), &memSource{packets: numbered(list)}, Options{Workers: n}, sink)
		require.NoError(t, err)
		require.NotZero(t, last)
		require.NotZero(t, ended)
	}
}

func TestInterestIsAskedForOnceABlock(t *testing.T) {
	for _, n := range []int{1, 3} {
		asked := 0
		opt := Options{Workers: n, Interest: func() capture.Interest {
			asked++
			if asked > 2 {
				return no{}
			}
			return all{}
		}}
		var u datagrams
		for i := range 8 {
			u.put(client, 40000+i, 53, question(t, fmt.Sprintf("n%d.", i), true))
		}
		var names []string
		_, err := Run(context.Background(), &memSource{packets: numbered(u.list), size: 2}, opt, Sink{Observation: func(o *capture.Observation) error {
			if o.Kind == capture.Lookup {
				names = append(names, o.Name)
			}
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, []string{"n0", "n1", "n2", "n3"}, names, "%d workers", n)
	}
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(until), "%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

func TestSinkErrorEndsIt(t *testing.T) {
	list := crowd(t, 1, 4000)
	full := errors.New("disk full")
	for _, n := range []int{1, 2, 5, 16} {
		for _, after := range []int{0, 1, 700, 2000} {
			before := runtime.NumGoroutine()
			seen := 0
			fail := func() error {
				if seen++; seen > after {
					return full
				}
				return nil
			}
			_, err := Run(context.Background(), &memSource{packets: list}, Options{Workers: n}, Sink{Observation: func(*capture.Observation) error { return fail() }})
			require.Equal(t, full, err)
			require.Equal(t, after+1, seen, "nothing more is given to a sink that failed")
			settled(t, before)
			seen = 0
			_, err = Run(context.Background(), &memSource{packets: list}, Options{Workers: n}, Sink{
				Encode: func(dst []byte, _ *capture.Observation) []byte { return append(dst, 'x') },
				Line:   func([]byte) error { return fail() },
			})
			require.Equal(t, full, err)
			require.Equal(t, after+1, seen)
			settled(t, before)
		}
	}
}

func TestSourceErrorEndsIt(t *testing.T) {
	torn := errors.New("cable torn")
	for _, n := range []int{1, 2, 5} {
		before := runtime.NumGoroutine()
		seen := 0
		_, err := Run(context.Background(), &memSource{packets: crowd(t, 1, 1000), worst: torn}, Options{Workers: n},
			Sink{Observation: func(*capture.Observation) error { seen++; return nil }})
		require.Equal(t, torn, err)
		require.NotZero(t, seen, "what was read before is told")
		settled(t, before)
	}
}

func TestCancelled(t *testing.T) {
	list := crowd(t, 1, 4000)
	for _, n := range []int{1, 2, 5} {
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(context.Background())
		seen := 0
		_, err := Run(ctx, &memSource{packets: list, size: 10}, Options{Workers: n}, Sink{Observation: func(*capture.Observation) error {
			if seen++; seen == 100 {
				cancel()
			}
			return nil
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.GreaterOrEqual(t, seen, 100)
		settled(t, before)
		_, err = Run(ctx, &memSource{packets: list}, Options{Workers: n}, Sink{Observation: func(*capture.Observation) error { return nil }})
		require.ErrorIs(t, err, context.Canceled)
		settled(t, before)
	}
}

func TestEmptyInput(t *testing.T) {
	for _, n := range []int{1, 3} {
		text, st := dumped(t, Options{Workers: n}, &memSource{})
		require.Empty(t, text)
		require.Zero(t, st.Observer)
	}
}

// Lines that Encode leaves empty are not given to Line.
func TestEmptyLines(t *testing.T) {
	for _, n := range []int{1, 3} {
		lines := 0
		_, err := Run(context.Background(), &memSource{packets: crowd(t, 2, 500)}, Options{Workers: n}, Sink{
			Encode: func(dst []byte, o *capture.Observation) []byte {
				if o.Kind == capture.Lookup {
					return append(dst, "line\n"...)
				}
				return dst
			},
			Line: func(b []byte) error {
				require.Equal(t, "line\n", string(b))
				lines++
				return nil
			},
		})
		require.NoError(t, err)
		require.NotZero(t, lines)
	}
}

// Several files are one timeline, and records count within their own.
func TestSeveralInputs(t *testing.T) {
	path := captures(t)[0]
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3} {
		src := files.Open([]string{path, path}, files.Options{})
		inputs := map[int32]int{}
		_, err := Run(context.Background(), src, Options{Workers: n}, Sink{Observation: func(o *capture.Observation) error {
			inputs[o.Input]++
			return nil
		}})
		require.NoError(t, err)
		require.Len(t, inputs, 2)
	}
}
