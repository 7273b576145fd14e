package outbox

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// later is an error as a receiver's 429 is.
type later struct{ wait time.Duration }

func (later) Error() string               { return "429 too many requests" }
func (l later) RetryAfter() time.Duration { return l.wait }

func TestASinkThatFailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dead, good := newStrict(), newStrict()
	var works atomic.Bool
	dead.answer = func(_ int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		if works.Load() {
			return len(batch), nil, nil
		}
		return 0, nil, errors.New("connection refused")
	}
	s := start(t, tempFile(t), Options{}, map[string]*strict{"dead": dead, "good": good})
	for n := range 1000 {
		s.offer(made(n, 2))
	}
	eventually(t, "the good one has all", func() bool { return len(good.has()) == 1000 })
	require.Empty(t, dead.has())
	var st SinkStats
	eventually(t, "it says so", func() bool { st = s.Stats().Sinks[0]; return st.Retries > 0 && st.Pending > 0 })
	require.Equal(t, "dead", st.Name)
	require.NotEqual(t, Closed, st.Circuit)
	require.Equal(t, "connection refused", st.Error)
	works.Store(true)
	eventually(t, "it goes on by itself", func() bool { return len(dead.has()) == 1000 })
	eventually(t, "and says so", func() bool {
		st = s.Stats().Sinks[0]
		return st.Circuit == Closed && st.Error == "" && st.Pending == 0 && st.Lag == 0
	})
	require.Equal(t, ids(0, 1000), dead.has())
	require.NoError(t, s.stop())
	require.Empty(t, dead.wrong)
}

func TestPrefixesAreKeptAndNothingComesTwice(t *testing.T) {
	t.Parallel()
	k := newStrict()
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		if call%2 == 1 && len(batch) > 3 {
			return len(batch) / 3, nil, later{time.Millisecond}
		}
		return len(batch), nil, nil
	}
	o := New(open(t, tempFile(t), store.Options{}), Options{})
	s := &started{Outbox: o}
	for n := range 300 {
		s.offer(made(n, 1))
	}
	ctx := t.Context()
	require.NoError(t, s.Attach(ctx, "k", alert.Filter{}, 70, k))
	require.ErrorContains(t, s.Attach(ctx, "k", alert.Filter{}, 70, k), "another sink")
	require.ErrorContains(t, s.Attach(ctx, "a b", alert.Filter{}, 70, k), "letters")
	r := run(t, o)
	eventually(t, "all", func() bool { return len(k.has()) == 300 })
	require.NoError(t, r.stop())
	require.Equal(t, ids(0, 300), k.has())
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	k := newStrict()
	var mu sync.Mutex
	var at []time.Time
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		if call == 1 {
			return 0, nil, fmt.Errorf("deliver: %w", later{1200 * time.Millisecond})
		}
		return len(batch), nil, nil
	}
	s := start(t, "", Options{}, map[string]*strict{"k": k})
	s.offer(made(1, 1))
	eventually(t, "it came", func() bool { return len(k.has()) == 1 })
	require.NoError(t, s.stop())
	require.GreaterOrEqual(t, at[1].Sub(at[0]), 1200*time.Millisecond)
	require.Equal(t, mostWait, asked(later{1e6 * time.Hour}))
	require.Zero(t, asked(later{-1}))
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	t.Parallel()
	b := backoff{least: leastPause, most: mostPause}
	for _, bound := range []time.Duration{5e8, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 60e9, 60e9} {
		d := b.next()
		require.Equal(t, bound, b.bound)
		require.Greater(t, d, time.Duration(0))
		require.LessOrEqual(t, d, bound)
	}
}

func TestWhatIsRejectedIsKeptAndCanBeReplayed(t *testing.T) {
	t.Parallel()
	ctx, file := t.Context(), tempFile(t)
	k := newStrict()
	k.answer = reject(3)
	s := start(t, file, Options{}, map[string]*strict{"k": k})
	for n := range 100 {
		s.offer(made(n, 1))
	}
	eventually(t, "all others", func() bool { return len(k.has()) == 66 })
	eventually(t, "the rejected ones counted", func() bool { return s.Stats().Sinks[0].Rejected == 34 })

	db, err := store.OpenBeside(file) // while the daemon runs
	require.NoError(t, err)
	defer db.Close()
	letters, err := db.DeadLetters(ctx, "k", 0, 100)
	require.NoError(t, err)
	require.Len(t, letters, 34)
	require.Equal(t, "no 0", letters[0].Reason)
	foreign := store.DeadLetter{Sink: "other", Sequence: 1, Reason: "x", Body: Send(made(500, 1), time.Now()).Body}
	_, err = db.PutDead(ctx, []store.DeadLetter{foreign})
	require.NoError(t, err)

	again := newStrict()
	again.answer = func(call int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		if call == 3 {
			return 2, []alert.Rejection{{Index: 1, Reason: "still not"}}, errors.New("reset")
		}
		return len(batch), nil, nil
	}
	got, err := Replay(ctx, db, "k", 10, again)
	require.ErrorContains(t, err, "reset")
	require.Equal(t, Replayed{Delivered: 21, Rejected: 1, Left: 12, Reason: "still not"}, got)
	letters, err = db.DeadLetters(ctx, "k", 0, 100)
	require.NoError(t, err)
	require.Len(t, letters, 13)
	require.Equal(t, "still not", letters[0].Reason)

	last := newStrict()
	got, err = Replay(ctx, db, "k", 0, last)
	require.NoError(t, err)
	require.Equal(t, Replayed{Delivered: 13}, got)
	require.Equal(t, made(63, 1).ID, last.ids[0], "under the id that it had")
	got, err = Replay(ctx, db, "k", 0, last)
	require.NoError(t, err)
	require.Equal(t, Replayed{}, got, "nothing is left")
	letters, err = db.DeadLetters(ctx, "other", 0, 100)
	require.NoError(t, err)
	require.Len(t, letters, 1, "another sink's stays")
	require.NoError(t, s.stop())
}

// reject takes every alert but each nth.
func reject(nth int) func(int, []*alert.Alert) (int, []alert.Rejection, error) {
	return func(_ int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		var out []alert.Rejection
		for i, a := range batch {
			var n int
			if _, err := fmt.Sscanf(a.ID, "a%d", &n); err == nil && n%nth == 0 {
				out = append(out, alert.Rejection{Index: i, Reason: fmt.Sprintf("no %d", n)})
			}
		}
		return len(batch), out, nil
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	high, vendor := newStrict(), newStrict()
	o := New(open(t, "", store.Options{}), Options{})
	s := &started{Outbox: o}
	require.NoError(t, s.Attach(t.Context(), "high", alert.Filter{Severity: "high"}, 0, high))
	require.NoError(t, s.Attach(t.Context(), "vendor", alert.Filter{Vendors: []string{"drweb"}, Events: []string{"new"}}, 0, vendor))
	for n := range 100 {
		a := made(n, n%5)
		if n%10 == 0 {
			a.Vendor.Key = "drweb"
		}
		if n == 99 {
			a.Event = alert.Test
			a.Severity = 0
		}
		s.offer(a)
	}
	r := run(t, o)
	require.NoError(t, r.stop())
	require.Len(t, high.has(), 40, "39 of two severities, and the test")
	require.Len(t, vendor.has(), 11)
}

// Alerts for others do not wait for a receiver that is away.
func TestAnAwayReceiverHoldsNoAlertsOfOthers(t *testing.T) {
	t.Parallel()
	away := newStrict()
	away.answer = func(int, []*alert.Alert) (int, []alert.Rejection, error) { return 0, nil, errors.New("away") }
	o := New(open(t, "", store.Options{}), Options{})
	s := &started{Outbox: o}
	require.NoError(t, s.Attach(t.Context(), "away", alert.Filter{Vendors: []string{"drweb"}}, 0, away))
	for n := range 8 {
		s.offer(made(n, 1))
	}
	r := run(t, o)
	require.NoError(t, r.stop())
	k := o.Stats().Sinks[0]
	require.Zero(t, k.Pending)
	require.EqualValues(t, 8, k.Filtered)
	require.Zero(t, away.calls)
}

// The wall clock says nothing about how long to wait.
func TestAClockThatJumpsStopsNothing(t *testing.T) {
	t.Parallel()
	var jump atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
	k := newStrict()
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		jump.Store(int64(time.Duration(call%3-1) * 1000 * time.Hour))
		if call%2 == 1 {
			return 0, nil, later{time.Millisecond}
		}
		return len(batch), nil, nil
	}
	s := start(t, tempFile(t), Options{Now: now}, map[string]*strict{"k": k})
	for n := range 20 {
		s.offer(made(n, 1))
		st := s.Stats()
		require.GreaterOrEqual(t, st.Sinks[0].Lag, time.Duration(0))
	}
	eventually(t, "all", func() bool { return len(k.has()) == 20 })
	require.NoError(t, s.stop())
	require.Equal(t, ids(0, 20), k.has())
}
