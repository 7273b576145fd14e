package spool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
)

// made is an alert of one of 50 hosts; its id holds its number.
func made(n, level int) *alert.Alert {
	a := &alert.Alert{ID: fmt.Sprintf("a%07d", n), Finding: fmt.Sprintf("f%d", n%50), Event: alert.New, State: alert.Open,
		Message: "10.0.0.1 calls home", Count: 1, Vendor: alert.Vendor{Key: "kaspersky", Name: "Kaspersky"},
		Host: alert.Host{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(n % 50)}), MAC: fmt.Sprintf("02:00:00:00:00:%02x", n%50)}}
	for range level {
		a.Severity++
	}
	return a
}

// strict is a receiver that keeps the rules of alert.Sink and watches that the spool does.
type strict struct {
	mu     sync.Mutex
	ids    []string       // taken, in order
	times  map[string]int // how often
	calls  int
	busy   bool
	closed bool
	wrong  []string
	got    chan struct{} // a token after each delivery
	answer func(call int, batch []*alert.Alert) (int, []alert.Refusal, error)
}

func newStrict() *strict {
	return &strict{times: map[string]int{}, got: make(chan struct{}, 1)}
}

func (s *strict) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	s.mu.Lock()
	if s.busy || s.closed || len(batch) == 0 {
		s.wrong = append(s.wrong, fmt.Sprintf("busy %v, closed %v, batch of %d", s.busy, s.closed, len(batch)))
	}
	s.busy = true
	s.calls++
	call, answer := s.calls, s.answer
	s.mu.Unlock()
	n, refused, err := len(batch), []alert.Refusal(nil), error(nil)
	if answer != nil {
		n, refused, err = answer(call, batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	for i, a := range batch[:n] {
		if !contains(refused, i) {
			s.ids = append(s.ids, a.ID)
			s.times[a.ID]++
		}
	}
	select {
	case s.got <- struct{}{}:
	default:
	}
	return n, refused, err
}

func contains(refused []alert.Refusal, i int) bool {
	for _, r := range refused {
		if r.Index == i {
			return true
		}
	}
	return false
}

func (s *strict) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *strict) has() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.ids...)
}

// started is a spool that runs until the test ends, or stop is called.
type started struct {
	*Spool
	stop func() error // as SIGTERM and the end of the process
}

func start(t *testing.T, cfg config.Spool, opt Options, sinks map[string]*strict) *started {
	t.Helper()
	s, err := Open(cfg, opt)
	require.NoError(t, err)
	for name, k := range sinks {
		require.NoError(t, s.Attach(name, alert.Filter{}, 0, k))
	}
	return run(t, s)
}

func run(t *testing.T, s *Spool) *started {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, s.Close())
	})
	t.Cleanup(func() { _ = stop() })
	return &started{s, stop}
}

func ids(from, to int) []string {
	var out []string
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprintf("a%07d", n))
	}
	return out
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 5*time.Millisecond, what)
}

func TestEverySinkGetsEverythingInOrderAndOnce(t *testing.T) {
	for name, dir := range map[string]string{"disk": t.TempDir(), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			stored := map[string]bool{}
			opt := Options{Sensor: "tap 1.a", Stored: func(some []*alert.Alert) {
				mu.Lock()
				defer mu.Unlock()
				for _, a := range some {
					stored[a.ID] = true
				}
			}}
			one, two := newStrict(), newStrict()
			s := start(t, config.Spool{Dir: dir}, opt, map[string]*strict{"one": one, "two": two})
			for n := range 3000 {
				require.True(t, s.Offer(made(n, n*7/50%5))) // a host's alerts are of several severities
			}
			require.NoError(t, s.stop())
			for _, k := range []*strict{one, two} {
				require.Empty(t, k.wrong)
				require.True(t, k.closed)
				require.Len(t, k.times, 3000)
				require.Len(t, k.ids, 3000, "nothing came twice")
				requireOrder(t, k.ids)
			}
			require.Len(t, stored, 3000)
			require.False(t, s.Offer(made(1, 1)), "it is closed")
		})
	}
}

// requireOrder looks at each host's alerts.
func requireOrder(t *testing.T, got []string) {
	t.Helper()
	last := map[int]int{}
	for _, id := range got {
		var n int
		_, err := fmt.Sscanf(id, "a%d", &n)
		require.NoError(t, err)
		if before, ok := last[n%50]; ok {
			require.Greater(t, n, before, "a host's alerts came in another order")
		}
		last[n%50] = n
	}
}

func TestASinkGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	one := newStrict()
	s := start(t, config.Spool{Dir: dir}, Options{}, map[string]*strict{"one": one})
	for n := range 100 {
		s.Offer(made(n, 2))
	}
	require.NoError(t, s.stop())
	require.Len(t, one.ids, 100)

	s = start(t, config.Spool{Dir: dir}, Options{}, nil) // it is out of the configuration for a while
	for n := 100; n < 200; n++ {
		s.Offer(made(n, 2))
	}
	eventually(t, "stored", func() bool { return s.Stats().Stored == 100 })
	require.Equal(t, []string{"one"}, s.Stats().Left)
	require.NoError(t, s.stop())

	again, fresh := newStrict(), newStrict()
	s = start(t, config.Spool{Dir: dir}, Options{}, map[string]*strict{"one": again, "two": fresh})
	eventually(t, "all", func() bool { return len(again.has()) == 100 && len(fresh.has()) == 200 })
	require.Equal(t, ids(100, 200), again.has())
	require.Equal(t, ids(0, 200), fresh.has(), "a new sink begins at the oldest")
	require.NoError(t, s.Forget(context.Background(), "two"))
	require.True(t, fresh.closed)
	require.NoError(t, s.Forget(context.Background(), "never-there"))
	require.Empty(t, s.Stats().Left)
	var told []string
	require.NoError(t, s.Each(context.Background(), time.Time{}, func(a *alert.Alert) error {
		told = append(told, a.ID)
		return nil
	}))
	require.Equal(t, ids(0, 200), told)
	require.NoError(t, s.Each(context.Background(), time.Now(), func(*alert.Alert) error { return errors.New("none is so new") }))
	wrong := errors.New("enough")
	require.ErrorIs(t, s.Each(context.Background(), time.Now().Add(-time.Hour), func(*alert.Alert) error { return wrong }), wrong)
}

func TestOneProcessASpool(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(config.Spool{Dir: dir}, Options{})
	require.NoError(t, err)
	_, err = Open(config.Spool{Dir: dir}, Options{})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, s.Close())
	s, err = Open(config.Spool{Dir: dir}, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = os.Stat(filepath.Join(dir, "jetstream"))
	require.NoError(t, err)
}
