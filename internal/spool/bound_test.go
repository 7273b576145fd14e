package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/policy"
)

func TestSeveritiesAreThePolicys(t *testing.T) {
	t.Parallel()
	for at := range severities {
		require.Equal(t, policy.Severity(at).String(), severity(at))
		require.Equal(t, at, level(made(1, at)))
	}
	require.Equal(t, severities-1, int(policy.Critical))
}

func TestAFullQueueDropsTheLeast(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	for n := range 10 {
		require.True(t, q.offer(made(n, 1+n%3))) // 4 low, 3 medium, 3 high
	}
	require.False(t, q.offer(made(10, 0)), "the new one is the least")
	for n := range 5 {
		require.True(t, q.offer(made(11+n, 3)))
	}
	require.True(t, q.offer(made(16, 2)), "the oldest of its own severity goes")
	require.False(t, q.offer(made(17, 1)))
	size, offered, dropped := q.stats()
	require.Equal(t, 10, size)
	require.Equal(t, uint64(18), offered)
	require.Equal(t, [severities]uint64{1, 5, 2, 0, 0}, dropped)
	var got []string
	for a := q.take(); a != nil; a = q.take() {
		got = append(got, a.ID)
	}
	require.Equal(t, append(append([]string{made(2, 0).ID, made(5, 0).ID, made(7, 0).ID, made(8, 0).ID}, ids(11, 16)...), made(16, 0).ID), got)
}

func TestTheQueueKeepsItsMemory(t *testing.T) {
	t.Parallel()
	q := newQueue(100)
	for n := range 100_000 {
		q.offer(made(n, 0))
		if n%2 == 0 {
			q.take()
		}
	}
	require.LessOrEqual(t, cap(q.rows[0].all), 1024)
}

func TestOfferDoesNotWait(t *testing.T) {
	t.Parallel()
	s, err := Open(config.Spool{Pending: 100}, Options{}) // nobody runs it
	require.NoError(t, err)
	defer s.Close()
	begin := time.Now()
	for n := range 10_000 {
		s.Offer(made(n, 1))
	}
	require.Less(t, time.Since(begin), 5*time.Second)
	st := s.Stats()
	require.Equal(t, 100, st.Queued)
	require.Equal(t, uint64(9900), st.Dropped["low"])
}

// A full stream gives up what every sink had, then the least grave, never the graver one.
func TestAFullStreamDropsTheLeast(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"disk": t.TempDir(), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			marks := make(chan string, 100)
			s := start(t, config.Spool{Dir: dir, Size: 1 << 20}, Options{Stored: func(some []*alert.Alert) {
				for _, a := range some {
					if a.Event == alert.Summary {
						marks <- a.ID
					}
				}
			}}, nil)
			fill := func(from, n, level int) {
				for i := range n {
					a := made(from+i, level)
					a.Message = strings.Repeat("m", 2000)
					require.True(t, s.Offer(a))
				}
				last := made(from+n, 4)
				last.Event = alert.Summary // nothing passes one
				s.Offer(last)
				require.Equal(t, last.ID, <-marks)
			}
			fill(0, 300, 1)
			fill(300, 300, 4)
			st := s.Stats()
			require.NotZero(t, st.Purged["low"])
			require.Zero(t, st.Purged["critical"])
			require.LessOrEqual(t, st.Bytes, uint64(1<<20))
			fill(600, 300, 4)
			require.NotZero(t, s.Stats().Purged["critical"], "of one severity the oldest goes")
			require.Equal(t, uint64(300), s.Stats().Purged["low"], "all that there was of the lowest")
			before := s.Stats().Purged["critical"]
			fill(900, 300, 0)
			st = s.Stats()
			require.Equal(t, before, st.Purged["critical"], "a lesser one pushes no graver one out")
			require.NotZero(t, st.Purged["info"])
			held := map[string]int{}
			require.NoError(t, s.Each(context.Background(), time.Time{}, func(a *alert.Alert) error {
				held[severity(level(a))]++
				return nil
			}))
			require.Equal(t, 600+4, held["critical"]+int(st.Purged["critical"]), "every loss is counted")
			require.Equal(t, 300, held["info"]+int(st.Purged["info"]))
			require.Zero(t, held["low"])
			require.NoError(t, s.stop())
		})
	}
}

func TestWhatEverySinkHadGoesFirst(t *testing.T) {
	t.Parallel()
	k := newStrict()
	s := start(t, config.Spool{Dir: t.TempDir(), Size: 1 << 20}, Options{}, map[string]*strict{"k": k})
	for n := range 3000 {
		a := made(n, n%5)
		a.Message = strings.Repeat("m", 2000)
		require.True(t, s.Offer(a))
		if n%100 == 99 {
			eventually(t, "delivered", func() bool { return len(k.has()) == n+1 && s.Stats().Sinks[0].Pending == 0 })
		}
	}
	require.NoError(t, s.stop())
	require.Len(t, k.times, 3000)
	require.NotZero(t, s.Stats().Aged)
	for at, n := range s.Stats().Purged {
		require.Zero(t, n, at)
	}
}

func TestRoundsKeepAHostTogether(t *testing.T) {
	t.Parallel()
	r := newRound()
	one, other := made(1, 1), made(2, 2)
	moved := made(3, 2)
	moved.Host.MAC = one.Host.MAC // under another address
	summary := &alert.Alert{ID: "s", Event: alert.Summary}
	require.True(t, r.add(one, []byte("1\n")))
	require.True(t, r.add(other, []byte("2\n")))
	require.False(t, r.add(moved, []byte("3\n")))
	require.False(t, r.add(summary, []byte("4\n")), "nothing passes a summary")
	r = newRound()
	require.True(t, r.add(summary, []byte("4\n")))
	require.False(t, r.add(one, []byte("1\n")))
	r = newRound()
	require.True(t, r.add(one, make([]byte, mostMessage+1)), "one alone may be larger")
	require.False(t, r.add(one, []byte("1\n")))
	p := &pack{alerts: []*alert.Alert{one, other}}
	require.Equal(t, p.id(), (&pack{alerts: []*alert.Alert{made(1, 0), made(2, 0)}}).id())
	require.NotEqual(t, p.id(), (&pack{alerts: []*alert.Alert{other, one}}).id())
}

func TestAnAlertThatIsTooLargeIsCut(t *testing.T) {
	t.Parallel()
	a := made(1, 1)
	for range alert.MostEvidence {
		a.Evidence = append(a.Evidence, alert.Evidence{Value: strings.Repeat("\x01", 100_000)})
	}
	line, err := encode(a)
	require.NoError(t, err)
	var back alert.Alert
	require.NoError(t, json.Unmarshal(line, &back))
	require.Contains(t, back.Note, "cut")
	require.Empty(t, back.Evidence)
	require.Len(t, a.Evidence, alert.MostEvidence, "it is not ours to change")
	a.Message = strings.Repeat("x", 2*mostLine)
	_, err = encode(a)
	require.ErrorContains(t, err, "at most")
	k := newStrict()
	s := start(t, config.Spool{}, Options{}, map[string]*strict{"k": k})
	s.Offer(a)
	a = made(2, 1)
	a.Message = strings.Repeat("x", mostLine-2000)
	s.Offer(a)
	require.NoError(t, s.stop())
	require.Equal(t, ids(2, 3), k.has(), "what fits comes, the other is counted")
	require.Equal(t, uint64(1), s.Stats().Purged["low"])
}

func TestTheCopyHoldsEveryAlertAndIsRotated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "copy.ndjson")
	require.NoError(t, os.WriteFile(path, []byte(`{"torn`), 0o600))
	s := start(t, config.Spool{Copy: path}, Options{}, nil)
	for n := range 100 {
		s.Offer(made(n, 1))
	}
	require.NoError(t, s.stop())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	_, data, _ = bytes.Cut(data, []byte("\n"))
	alerts, bad := decode(data)
	require.Empty(t, bad)
	require.Len(t, alerts, 100)

	c := &copyFile{path: path}
	line := append(bytes.Repeat([]byte("x"), mostCopy/3), '\n')
	for range 20 {
		require.NoError(t, c.write(line))
	}
	require.NoError(t, c.close())
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, files, 1+keptCopies)
	for _, f := range files {
		st, err := os.Stat(f)
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(mostCopy))
	}
}

func TestACopyThatFailsIsCounted(t *testing.T) {
	t.Parallel()
	k := newStrict()
	s := start(t, config.Spool{Copy: filepath.Join(t.TempDir(), "no", "such", "folder")}, Options{}, map[string]*strict{"k": k})
	s.Offer(made(1, 1))
	require.NoError(t, s.stop())
	require.Len(t, k.has(), 1)
	require.Equal(t, uint64(1), s.Stats().CopyFailures)
}

// A disk without room: alerts wait, it is said, and it goes on when there is room.
func TestNoRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	var free atomic.Uint64
	k := newStrict()
	s, err := Open(config.Spool{Dir: t.TempDir()}, Options{disk: func() (uint64, bool) { return free.Load(), true }})
	require.NoError(t, err, "a daemon starts all the same")
	require.NoError(t, s.Attach("k", alert.Filter{}, 0, k))
	r := run(t, s)
	for n := range 50 {
		require.True(t, s.Offer(made(n, 1)))
	}
	eventually(t, "it says so", func() bool { return strings.Contains(s.Stats().Waiting, "no room") })
	free.Store(1 << 30)
	eventually(t, "it goes on", func() bool { return len(k.has()) == 50 })
	require.Empty(t, s.Stats().Waiting)
	free.Store(0)
	for n := 50; n < 100; n++ {
		s.Offer(made(n, 1))
	}
	eventually(t, "it says so", func() bool { return s.Stats().Waiting != "" })
	free.Store(1 << 30)
	eventually(t, "it goes on", func() bool { return len(k.has()) == 100 })
	require.NoError(t, r.stop())
	require.Equal(t, ids(0, 100), k.has())
}

// The limit of the configuration holds for a stream that was larger before; what is in it stays until it has to go.
func TestALimitThatShrinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, config.Spool{Dir: dir, Size: 8 << 20}, Options{}, nil)
	for n := range 2000 {
		a := made(n, 1)
		a.Message = strings.Repeat("m", 2000)
		s.Offer(a)
	}
	require.NoError(t, s.stop())
	k := newStrict()
	s = start(t, config.Spool{Dir: dir, Size: 1 << 20}, Options{}, nil)
	s.Offer(made(2000, 4))
	eventually(t, "written", func() bool { return s.Stats().Stored == 1 })
	st := s.Stats()
	require.LessOrEqual(t, st.Bytes, uint64(1<<20))
	require.NotZero(t, st.Purged["low"])
	require.NoError(t, s.Attach("k", alert.Filter{}, 0, k))
	require.NoError(t, s.stop())
	require.Equal(t, 2001, len(k.has())+int(st.Purged["low"]))
}
