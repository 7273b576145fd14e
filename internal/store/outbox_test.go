package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture/limits"
	"avbeacon/internal/policy"
)

// toSend is alert n of a severity, to be sent with a body of so many bytes.
func toSend(n, severity, size int) Alert {
	id := fmt.Sprintf("a%07d", n)
	fill := make([]byte, size) // random, so that it stays as long when compressed
	for i, random := 0, rand.New(rand.NewPCG(uint64(n), 0)); i < size; i++ {
		fill[i] = 'a' + byte(random.IntN(26))
	}
	body, _ := json.Marshal(map[string]string{"id": id, "fill": string(fill)})
	return Alert{ID: id, Finding: fmt.Sprintf("k%d", n%50), Rule: "r", Severity: policy.Severity(severity), State: "open", Changed: now, Sent: now,
		Body: body, Send: true}
}

func idsOf(t *testing.T, list []Outgoing) (ids []string) {
	t.Helper()
	for _, a := range list {
		var x struct{ ID string }
		require.NoError(t, json.Unmarshal(a.Body, &x))
		ids = append(ids, x.ID)
	}
	return ids
}

func everything(t *testing.T, s *Store) []string {
	t.Helper()
	list, err := s.Outgoing(context.Background(), 0, 1<<20)
	require.NoError(t, err)
	for i := 1; i < len(list); i++ {
		require.Greater(t, list[i].Sequence, list[i-1].Sequence)
	}
	return idsOf(t, list)
}

func TestAnAlertIsInTheTransactionOfItsFinding(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := tempFile(t)
	s := open(t, file, Options{})
	_, err := s.db.Exec("CREATE TRIGGER no BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'not now'); END")
	require.NoError(t, err)
	s.Keep(finding("k", 3), policy.Decision{}, toSend(1, 1, 10))
	require.ErrorContains(t, s.Flush(ctx, now), "not now")
	found, err := s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, found, "neither without the other")
	list, err := s.Alerts(ctx)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = s.db.Exec("DROP TRIGGER no")
	require.NoError(t, err)
	stored := s.Stored()
	require.NoError(t, s.Flush(ctx, now))
	<-stored
	found, err = s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, []string{"a0000001"}, everything(t, s))
}

// Of one change there is one alert: it is not sent again after it left the outbox, or after a restart.
func TestAnAlertIsSentOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := tempFile(t)
	s := open(t, file, Options{})
	held := toSend(7, 1, 10)
	held.Send, held.Sent = false, time.Time{}
	s.KeepAlert(held)
	require.NoError(t, s.Flush(ctx, now))
	require.Empty(t, everything(t, s), "it is only remembered")
	for range 2 {
		s.KeepAlert(toSend(7, 1, 10))
		require.NoError(t, s.Flush(ctx, now))
		require.Len(t, everything(t, s), 1)
	}
	s.KeepAlert(held) // a state of it that came late
	require.NoError(t, s.Flush(ctx, now))
	require.NoError(t, s.Close())
	s = open(t, file, Options{})
	s.KeepAlert(toSend(7, 1, 10))
	s.KeepAlert(toSend(8, 1, 10))
	require.NoError(t, s.Flush(ctx, now))
	require.Equal(t, []string{"a0000007", "a0000008"}, everything(t, s))
}

// The order is that of Keep, across batches that could not be written, and a sequence is never used twice.
func TestTheOutboxKeepsTheOrder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := tempFile(t)
	s := open(t, file, Options{})
	var want []string
	put := func(n int) {
		a := toSend(n, n%5, 10)
		want = append(want, a.ID)
		s.KeepAlert(a)
	}
	for n := 500; n > 400; n-- {
		put(n)
	}
	_, err := s.db.Exec("CREATE TRIGGER no BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'not now'); END")
	require.NoError(t, err)
	require.Error(t, s.Flush(ctx, now))
	for n := range 100 {
		put(n)
	}
	require.Equal(t, 200, s.OutboxStats().Waiting)
	_, err = s.db.Exec("DROP TRIGGER no")
	require.NoError(t, err)
	require.NoError(t, s.Flush(ctx, now))
	require.Equal(t, want, everything(t, s))
	require.Zero(t, s.OutboxStats().Waiting)
	at, err := s.AddSink(ctx, "k")
	require.NoError(t, err)
	require.Zero(t, at, "a new sink begins at the oldest")
	n, err := s.Behind(ctx, 150)
	require.NoError(t, err)
	require.Equal(t, int64(50), n)
	require.NotZero(t, s.OutboxStats().Bytes)
	require.NoError(t, s.SetPositions(ctx, map[string]int64{"k": 200}))
	require.NoError(t, s.SetPositions(ctx, map[string]int64{"k": 20}), "it never goes back")
	_, err = s.db.Exec("DELETE FROM alerts")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	s = open(t, file, Options{})
	put(600)
	require.NoError(t, s.Flush(ctx, now))
	list, err := s.Outgoing(ctx, 0, 10)
	require.NoError(t, err)
	require.Equal(t, int64(201), list[0].Sequence)
	require.Equal(t, map[string]int64{"k": 200}, s.Positions())
}

// A full outbox gives up what every sink had, then the least grave, never the graver one; every loss is counted.
func TestAFullOutboxDropsTheLeast(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{Alerts: 2 << 20})
	fill := func(from, n, severity int) OutboxStats {
		for i := range n {
			s.KeepAlert(toSend(from+i, severity, 2000))
			if i%50 == 49 {
				require.NoError(t, s.Flush(ctx, now))
			}
		}
		require.NoError(t, s.Flush(ctx, now))
		st := s.OutboxStats()
		require.LessOrEqual(t, st.Bytes, st.Limit)
		return st
	}
	fill(0, 300, 1)
	st := fill(300, 300, 4)
	require.NotZero(t, st.Purged[1])
	require.Zero(t, st.Purged[4])
	st = fill(600, 300, 4)
	require.NotZero(t, st.Purged[4], "of one severity the oldest goes")
	require.Equal(t, uint64(300), st.Purged[1], "all that there was of the lowest")
	before := st.Purged[4]
	st = fill(900, 300, 0)
	require.Equal(t, before, st.Purged[4], "a lesser one pushes no graver one out")
	held := map[int]int{}
	for _, id := range everything(t, s) {
		var n int
		_, err := fmt.Sscanf(id, "a%d", &n)
		require.NoError(t, err)
		held[n/300]++
	}
	require.Equal(t, 600, held[1]+held[2]+int(st.Purged[4]), "every loss is counted")
	require.Equal(t, 300, held[3]+int(st.Purged[0]))
	require.Zero(t, held[0])

	_, err := s.AddSink(ctx, "k")
	require.NoError(t, err)
	require.NoError(t, s.SetPositions(ctx, map[string]int64{"k": 1200}))
	there := len(everything(t, s))
	s.KeepAlert(toSend(1200, 0, 2000))
	for n := range 400 {
		s.KeepAlert(toSend(1201+n, 1, 2000))
	}
	require.NoError(t, s.Flush(ctx, now))
	require.Equal(t, st.Purged, s.OutboxStats().Purged, "what every sink had is not counted")
	require.Len(t, everything(t, s), there+401)
}

// The limit counts pages in use: the outbox takes about as many bytes of the file as it says, whatever the alerts' length.
func TestTheLimitCountsPages(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, size := range []int{100, 600, 1300, 2000, 3000, 5000, 20000} {
		s := open(t, tempFile(t), Options{})
		for n := range 400 {
			a := toSend(n, 1, size)
			s.KeepAlert(a)
		}
		require.NoError(t, s.Flush(ctx, now))
		said := s.OutboxStats().Bytes
		_, before, err := s.used(ctx)
		require.NoError(t, err)
		_, err = s.db.Exec("DELETE FROM alerts")
		require.NoError(t, err)
		_, after, err := s.used(ctx)
		require.NoError(t, err)
		require.InEpsilon(t, float64(before-after), float64(said), 0.2, "%d bytes each", size)
	}
}

func TestTooManyWaitingAlertsDropTheLeast(t *testing.T) {
	t.Parallel()
	s := open(t, tempFile(t), Options{Pending: 10})
	for n := range 10 {
		s.KeepAlert(toSend(n, 1+n%3, 10)) // 4 low, 3 medium, 3 high
	}
	s.KeepAlert(toSend(10, 0, 10)) // the new one is the least
	for n := range 5 {
		s.KeepAlert(toSend(11+n, 3, 10))
	}
	s.KeepAlert(toSend(16, 2, 10)) // the oldest of its own severity goes
	s.KeepAlert(toSend(17, 1, 10))
	st := s.OutboxStats()
	require.Equal(t, 10, st.Waiting)
	require.Equal(t, [severities]uint64{1, 5, 2, 0, 0}, st.Dropped)
	require.NoError(t, s.Flush(context.Background(), now))
	require.Equal(t, []string{"a0000002", "a0000005", "a0000007", "a0000008", "a0000011", "a0000012", "a0000013", "a0000014", "a0000015", "a0000016"}, everything(t, s))
}

func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	big := toSend(1, 1, 4<<10).Body
	s.out.mostDead = limits.DeadLetters >> 10
	lost := 0
	for n := range 20 {
		gone, err := s.PutDead(ctx, []DeadLetter{{Sink: "k", Sequence: int64(n), Rejected: now.Add(time.Duration(n)), Reason: "no", Body: big}})
		require.NoError(t, err)
		lost += gone
	}
	list, err := s.DeadLetters(ctx, "k", 0, 100)
	require.NoError(t, err)
	require.Equal(t, 20, len(list)+lost)
	require.Equal(t, 5, lost)
	require.Equal(t, int64(5), list[0].Sequence)
	_, err = s.PutDead(ctx, []DeadLetter{{Sink: "k", Sequence: 5, Rejected: now, Reason: "still not", Body: big}})
	require.NoError(t, err)
	list, err = s.DeadLetters(ctx, "k", 4, 1)
	require.NoError(t, err)
	require.Equal(t, "still not", list[0].Reason)
	require.NoError(t, s.DropDead(ctx, "k", []int64{5, 6}))
	list, err = s.DeadLetters(ctx, "k", 0, 100)
	require.NoError(t, err)
	require.Len(t, list, 13)
}

// A temporary store is another one each time, and leaves nothing behind.
func TestATemporaryStoreGoesWithItsProcess(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx := context.Background()
	s, err := OpenTemporary(Options{})
	require.NoError(t, err)
	s.KeepAlert(toSend(1, 1, 10))
	require.NoError(t, s.Flush(ctx, now))
	require.Len(t, everything(t, s), 1)
	require.NoError(t, s.Close())
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

// filled is a store of 500 findings and 2,000 alerts, closed as it should be, with a sink that had half of them.
func filled(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	file := tempFile(t)
	s := open(t, file, Options{Steady: true, Sensor: "hq", IDKey: []byte("0123456789abcdef")})
	for i := range 500 {
		s.Keep(finding(fmt.Sprintf("k%d", i), 5), policy.Decision{}, toSend(i, 1, 1000))
	}
	for n := 500; n < 2000; n++ {
		s.KeepAlert(toSend(n, 1, 1000))
	}
	require.NoError(t, s.Flush(ctx, now))
	_, err := s.AddSink(ctx, "k")
	require.NoError(t, err)
	require.NoError(t, s.SetPositions(ctx, map[string]int64{"k": 1000}))
	require.NoError(t, s.Close())
	return file
}

// A damaged store is kept and another begun, with what can be read: identity, positions, findings and alerts.
func TestADamagedStoreIsKeptAndAnotherBegun(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		damage func(data []byte)
		alerts int // that are saved at least
	}{
		"some pages in the middle": {func(data []byte) { spoil(data, len(data)/2, 20*pageSize) }, 1800},
		"a page of the schema":     {func(data []byte) { spoil(data, 4000, 96) }, 0},
		"all of it":                {func(data []byte) { spoil(data, 0, len(data)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := filled(t)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			c.damage(data)
			require.NoError(t, os.WriteFile(file, data, 0o600))
			_, err = Open(file, Options{})
			require.Error(t, err, "whoever is not steady is told so")
			s := open(t, file, Options{Steady: true, Sensor: "hq"})
			require.Contains(t, s.Damage(), ".damaged-")
			require.NoError(t, s.Check(ctx))
			saved := everything(t, s)
			require.GreaterOrEqual(t, len(saved), c.alerts)
			if c.alerts > 0 {
				require.Equal(t, "0123456789abcdef", string(s.IDKey()))
				require.Equal(t, map[string]int64{"k": 1000}, s.Positions())
				list, err := s.Findings(ctx, nil)
				require.NoError(t, err)
				require.NotEmpty(t, list)
			}
			s.KeepAlert(toSend(9999, 1, 10))
			require.NoError(t, s.Flush(ctx, now))
			require.Len(t, everything(t, s), len(saved)+1)
			aside, err := filepath.Glob(file + ".damaged-*")
			require.NoError(t, err)
			require.NotEmpty(t, aside)
			require.NoError(t, s.Close())
			s = open(t, file, Options{Steady: true})
			require.Empty(t, s.Damage(), "the new one is whole")
		})
	}
}

func spoil(data []byte, from, n int) {
	for i := from; i < min(from+n, len(data)); i++ {
		data[i] = byte(i*7) ^ 0xa5
	}
}

// A file that is not a store is never moved, whoever opens it.
func TestNobodysOtherFileIsMoved(t *testing.T) {
	t.Parallel()
	file := tempFile(t)
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("no database", 1000)), 0o600))
	_, err := Open(file, Options{Steady: true})
	require.ErrorIs(t, err, ErrNoStore)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("no database", 1000), string(text))
}
