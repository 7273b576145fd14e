package spool

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
)

// later is an error as a receiver's 429 is.
type later struct{ wait time.Duration }

func (later) Error() string               { return "429 too many requests" }
func (l later) RetryAfter() time.Duration { return l.wait }

func TestASinkThatFailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dead, good := newStrict(), newStrict()
	var works atomic.Bool
	dead.answer = func(_ int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		if works.Load() {
			return len(batch), nil, nil
		}
		return 0, nil, errors.New("connection refused")
	}
	s := start(t, config.Spool{Dir: t.TempDir()}, Options{}, map[string]*strict{"dead": dead, "good": good})
	for n := range 1000 {
		s.Offer(made(n, 2))
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
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		if call%2 == 1 && len(batch) > 3 {
			return len(batch) / 3, nil, later{time.Millisecond}
		}
		return len(batch), nil, nil
	}
	s, err := Open(config.Spool{Dir: t.TempDir()}, Options{})
	require.NoError(t, err)
	for n := range 300 {
		s.Offer(made(n, 1))
	}
	require.NoError(t, s.Attach("k", alert.Filter{}, 70, k))
	require.ErrorContains(t, s.Attach("k", alert.Filter{}, 70, k), "there is one")
	require.ErrorContains(t, s.Attach("a b", alert.Filter{}, 70, k), "letters")
	require.ErrorContains(t, s.Attach("l", alert.Filter{Severity: "fatal"}, 70, k), `"fatal" is none`)
	r := run(t, s)
	eventually(t, "all", func() bool { return len(k.has()) == 300 })
	require.NoError(t, r.stop())
	require.Equal(t, ids(0, 300), k.has())
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	k := newStrict()
	var mu sync.Mutex
	var at []time.Time
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		if call == 1 {
			return 0, nil, fmt.Errorf("deliver: %w", later{1200 * time.Millisecond})
		}
		return len(batch), nil, nil
	}
	s := start(t, config.Spool{}, Options{}, map[string]*strict{"k": k})
	s.Offer(made(1, 1))
	eventually(t, "it came", func() bool { return len(k.has()) == 1 })
	require.NoError(t, s.stop())
	require.GreaterOrEqual(t, at[1].Sub(at[0]), 1200*time.Millisecond)
	require.Equal(t, mostPatience, asked(later{1e6 * time.Hour}))
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

func TestWhatIsRefusedIsKeptAndCanBeReplayed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := newStrict()
	k.answer = refuse(3)
	s := start(t, config.Spool{Dir: dir}, Options{}, map[string]*strict{"k": k})
	for n := range 100 {
		s.Offer(made(n, 1))
	}
	eventually(t, "all others", func() bool { return len(k.has()) == 66 })
	require.NoError(t, s.stop())
	file := filepath.Join(dir, "dead.ndjson")
	require.Len(t, readLetters(t, file), 34)
	require.Equal(t, "no 0", readLetters(t, file)[0].Reason)

	foreign := &letters{file: file}
	require.NoError(t, foreign.write([]letter{{Sink: "other", Reason: "x", Alert: made(500, 1)}}))
	again := newStrict()
	again.answer = func(call int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		if call == 3 {
			return 2, []alert.Refusal{{Index: 1, Reason: "still not"}}, errors.New("reset")
		}
		return len(batch), nil, nil
	}
	got, err := Replay(context.Background(), file, "k", 10, again)
	require.ErrorContains(t, err, "reset")
	require.Equal(t, Replayed{Delivered: 21, Refused: 1, Left: 13}, got)
	left := readLetters(t, file)
	require.Len(t, left, 14)
	require.Equal(t, "still not", find(left, made(63, 1).ID).Reason)

	last := newStrict()
	got, err = Replay(context.Background(), file, "", 0, last)
	require.NoError(t, err)
	require.Equal(t, Replayed{Delivered: 14}, got)
	require.Empty(t, readLetters(t, file))
	require.Len(t, last.has(), 14)
	require.NoFileExists(t, file+aside)
	_, err = Replay(context.Background(), filepath.Join(dir, "none"), "", 0, last)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// refuse takes every alert but each nth.
func refuse(nth int) func(int, []*alert.Alert) (int, []alert.Refusal, error) {
	return func(_ int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		var out []alert.Refusal
		for i, a := range batch {
			var n int
			if _, err := fmt.Sscanf(a.ID, "a%d", &n); err == nil && n%nth == 0 {
				out = append(out, alert.Refusal{Index: i, Reason: fmt.Sprintf("no %d", n)})
			}
		}
		return len(batch), out, nil
	}
}

func find(all []letter, id string) letter {
	for _, one := range all {
		if one.Alert.ID == id {
			return one
		}
	}
	return letter{}
}

func readLetters(t *testing.T, file string) (all []letter) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var one letter
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one))
		all = append(all, one)
	}
	return all
}

func TestDeadLettersAreBoundedAndNeverTorn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "dead.ndjson")
	l := &letters{file: file}
	big := made(1, 1)
	big.Message = strings.Repeat("x", 4<<20)
	for range 40 {
		require.NoError(t, l.write([]letter{{Sink: "k", Reason: strings.Repeat("y", 5000), Alert: big}}))
	}
	for _, name := range []string{file, file + ".1"} {
		st, err := os.Stat(name)
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(mostDead))
		require.NotZero(t, st.Size())
	}
	require.NotZero(t, l.lost, "it says what had to go")
	torn := filepath.Join(t.TempDir(), "dead.ndjson")
	require.NoError(t, os.WriteFile(torn, []byte(`{"time":`), 0o600))
	l = &letters{file: torn}
	require.NoError(t, l.write([]letter{{Sink: "k", Alert: made(1, 1)}}))
	k := newStrict()
	got, err := Replay(context.Background(), torn, "k", 0, k)
	require.NoError(t, err)
	require.Equal(t, Replayed{Delivered: 1, Left: 1}, got)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	high, vendor := newStrict(), newStrict()
	s, err := Open(config.Spool{}, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Attach("high", alert.Filter{Severity: "high"}, 0, high))
	require.NoError(t, s.Attach("vendor", alert.Filter{Vendors: []string{"drweb"}, Events: []string{"new"}}, 0, vendor))
	for n := range 100 {
		a := made(n, n%5)
		if n%10 == 0 {
			a.Vendor.Key = "drweb"
		}
		if n == 99 {
			a.Event = alert.Test
			a.Severity = 0
		}
		s.Offer(a)
	}
	r := run(t, s)
	require.NoError(t, r.stop())
	require.Len(t, high.has(), 40, "39 of two severities, and the test")
	require.Len(t, vendor.has(), 11)
}

// The wall clock says nothing about how long to wait.
func TestAClockThatJumpsStopsNothing(t *testing.T) {
	t.Parallel()
	var jump atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
	k := newStrict()
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		jump.Store(int64(time.Duration(call%3-1) * 1000 * time.Hour))
		if call%2 == 1 {
			return 0, nil, later{time.Millisecond}
		}
		return len(batch), nil, nil
	}
	s := start(t, config.Spool{Dir: t.TempDir()}, Options{Now: now}, map[string]*strict{"k": k})
	for n := range 20 {
		s.Offer(made(n, 1))
		st := s.Stats()
		require.GreaterOrEqual(t, st.Oldest, time.Duration(0))
		require.GreaterOrEqual(t, st.Sinks[0].Lag, time.Duration(0))
	}
	eventually(t, "all", func() bool { return len(k.has()) == 20 })
	require.NoError(t, s.stop())
	require.Equal(t, ids(0, 20), k.has())
}

// A receiver that answers after longer than the server waits gets nothing twice, neither of what is being delivered nor of
// what was read ahead.
func TestASlowReceiverGetsNothingTwice(t *testing.T) {
	t.Parallel()
	k := newStrict()
	k.answer = func(call int, batch []*alert.Alert) (int, []alert.Refusal, error) {
		if call <= 2 {
			time.Sleep(1200 * time.Millisecond) // it is slow
		}
		return len(batch), nil, nil
	}
	s, err := Open(config.Spool{Dir: t.TempDir()}, Options{ackWait: 500 * time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, s.Attach("k", alert.Filter{}, 3, k))
	r := run(t, s)
	for n := range 40 {
		a := made(n, 1)
		a.Event = alert.Summary // a message each
		s.Offer(a)
	}
	eventually(t, "all", func() bool { return len(k.has()) >= 40 })
	require.NoError(t, r.stop())
	require.Equal(t, ids(0, 40), k.has())
}

// A message that is lost on its way to us is noticed by the next one, and read again before that.
func TestAGapIsReadAgain(t *testing.T) {
	t.Parallel()
	k := newStrict()
	s := start(t, config.Spool{Dir: t.TempDir()}, Options{}, map[string]*strict{"k": k})
	s.Offer(made(0, 1))
	eventually(t, "the first", func() bool { return len(k.has()) == 1 })
	stream, err := s.engine.find(context.Background())
	require.NoError(t, err)
	thief, err := stream.Consumer(context.Background(), "k")
	require.NoError(t, err)
	some, err := thief.Fetch(3, jetstream.FetchMaxWait(5*time.Second))
	require.NoError(t, err)
	for n := 1; n < 200; n++ {
		s.Offer(made(n, 1))
		if n%10 == 0 {
			eventually(t, "written", func() bool { return s.Stats().Queued == 0 })
		}
	}
	stolen := 0
	for range some.Messages() {
		stolen++
	}
	require.NotZero(t, stolen)
	s.Offer(made(200, 1))
	eventually(t, "all", func() bool { return len(k.has()) >= 201 })
	require.NoError(t, s.stop())
	require.Len(t, k.times, 201)
	requireOrder(t, k.ids)
}
