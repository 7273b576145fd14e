package outbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
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

// strict is a receiver that keeps the rules of alert.Sink and watches that the outbox does.
type strict struct {
	mu     sync.Mutex
	ids    []string       // taken, in order
	times  map[string]int // how often
	calls  int
	busy   bool
	closed bool
	wrong  []string
	got    chan struct{} // a token after each delivery
	answer func(call int, batch []*alert.Alert) (int, []alert.Rejection, error)
}

func newStrict() *strict {
	return &strict{times: map[string]int{}, got: make(chan struct{}, 1)}
}

func (s *strict) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	s.mu.Lock()
	if s.busy || s.closed || len(batch) == 0 {
		s.wrong = append(s.wrong, fmt.Sprintf("busy %v, closed %v, batch of %d", s.busy, s.closed, len(batch)))
	}
	s.busy = true
	s.calls++
	call, answer := s.calls, s.answer
	s.mu.Unlock()
	n, rejected, err := len(batch), []alert.Rejection(nil), error(nil)
	if answer != nil {
		n, rejected, err = answer(call, batch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	for i, a := range batch[:n] {
		if !contains(rejected, i) {
			s.ids = append(s.ids, a.ID)
			s.times[a.ID]++
		}
	}
	select {
	case s.got <- struct{}{}:
	default:
	}
	return n, rejected, err
}

func contains(rejected []alert.Rejection, i int) bool {
	for _, r := range rejected {
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

// started is a store and its outbox, which run until the test ends, or stop is called.
type started struct {
	*Outbox
	stop   func() error // as SIGTERM and the end of the process
	failed func() error // of the last writing of the store that failed
}

func (s *started) offer(a *alert.Alert) { s.store.KeepAlert(Send(a, time.Now())) }

// open opens the store in a file; "" is a temporary one.
func open(t *testing.T, file string, how store.Options) *store.Store {
	t.Helper()
	var s *store.Store
	var err error
	if file == "" {
		s, err = store.OpenTemporary(how)
	} else {
		how.Steady = true
		s, err = store.Open(file, how)
	}
	require.NoError(t, err)
	return s
}

func start(t *testing.T, file string, opt Options, sinks map[string]*strict) *started {
	t.Helper()
	o := New(open(t, file, store.Options{}), opt)
	for name, k := range sinks {
		require.NoError(t, o.Attach(t.Context(), name, alert.Filter{}, 0, k))
	}
	return run(t, o)
}

func run(t *testing.T, o *Outbox) *started {
	deliver, endDeliver := context.WithCancel(context.Background())
	write, endWrite := context.WithCancel(context.Background())
	written, ended := make(chan error, 1), make(chan error, 1)
	var last atomic.Pointer[error]
	go func() { written <- o.store.Run(write, time.Second, func(err error) { last.Store(&err) }) }()
	go func() { ended <- o.Run(deliver) }()
	stop := sync.OnceValue(func() error {
		endWrite()
		err := <-written
		endDeliver()
		return errors.Join(err, <-ended, o.store.Close())
	})
	t.Cleanup(func() { _ = stop() })
	return &started{o, stop, func() error {
		if err := last.Load(); err != nil {
			return *err
		}
		return nil
	}}
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
	require.Eventually(t, ok, 30*time.Second, 5*time.Millisecond, what)
}

func tempFile(t *testing.T) string { return filepath.Join(t.TempDir(), "a.db") }

func TestEverySinkGetsEverythingInOrderAndOnce(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"disk": tempFile(t), "temporary": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, two := newStrict(), newStrict()
			s := start(t, file, Options{}, map[string]*strict{"one": one, "two": two})
			for n := range 3000 {
				s.offer(made(n, n*7/50%5)) // a host's alerts are of several severities
			}
			require.NoError(t, s.stop())
			for _, k := range []*strict{one, two} {
				require.Empty(t, k.wrong)
				require.True(t, k.closed)
				require.Equal(t, ids(0, 3000), k.ids, "all in order, nothing twice")
			}
			require.ErrorIs(t, s.Attach(t.Context(), "late", alert.Filter{}, 0, newStrict()), ErrClosed)
			require.ErrorIs(t, s.Run(t.Context()), ErrClosed)
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
	t.Parallel()
	file := tempFile(t)
	one := newStrict()
	s := start(t, file, Options{}, map[string]*strict{"one": one})
	for n := range 100 {
		s.offer(made(n, 2))
	}
	require.NoError(t, s.stop())
	require.Len(t, one.ids, 100)

	s = start(t, file, Options{}, nil) // it is out of the configuration for a while
	for n := 50; n < 200; n++ {        // and the last run's alerts are decided again
		s.offer(made(n, 2))
	}
	eventually(t, "stored", func() bool { return s.Stats().Stored == 100 })
	require.Equal(t, []string{"one"}, s.Stats().Left)
	require.NoError(t, s.stop())

	again, fresh := newStrict(), newStrict()
	s = start(t, file, Options{}, map[string]*strict{"one": again})
	require.NoError(t, s.Attach(t.Context(), "two", alert.Filter{}, 0, fresh), "while it runs")
	eventually(t, "all", func() bool { return len(again.has()) == 100 && len(fresh.has()) == 100 })
	require.Equal(t, ids(100, 200), again.has())
	require.Equal(t, ids(100, 200), fresh.has(), "a new sink begins at what the known ones lack")
	require.Empty(t, s.Stats().Left)
	eventually(t, "nothing is pending", func() bool { st := s.Stats(); return st.Known && st.Sinks[0].Pending+st.Sinks[1].Pending == 0 })
	require.NoError(t, s.stop())
}
