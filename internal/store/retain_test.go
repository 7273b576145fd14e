package store

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"

	"github.com/stretchr/testify/require"
)

const oneDay = 24 * time.Hour

// fill keeps one finding a day for so many days, the last of them today, with detail on its day.
func fill(t testing.TB, s *Store, days, evidence int) {
	t.Helper()
	for i := range days {
		at := now.Add(-time.Duration(days-1-i) * oneDay)
		f := finding("k"+strconv.Itoa(i), evidence)
		f.FirstSeen, f.LastSeen = at, at
		s.Keep(f, policy.Decision{})
		s.AddCoverage(at, Coverage{Packets: 1})
		s.mu.Lock()
		s.waiting.unmatched[Unmatched{addr(i), DayOf(at), "name", "update.example.com"}] = sighting{1, at, at}
		s.mu.Unlock()
		s.KeepAlert(Alert{ID: f.ID, Finding: f.ID, State: "resolved", Changed: at})
		s.KeepMemory([]classify.Saved{{Host: f.ID, Data: []byte{1}, Who: &classify.FindingHost{Address: addr(i)}, Seen: at},
			{Host: f.ID, Vendor: "kaspersky", Data: []byte{1}}}, nil)
		require.NoError(t, s.Flush(context.Background(), at))
	}
}

func rows(t testing.TB, s *Store) map[string]int64 {
	t.Helper()
	x, err := s.Stats(context.Background())
	require.NoError(t, err)
	return x.Rows
}

func TestRetentionByAge(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	fill(t, s, 10, 2)
	got, err := s.Retain(ctx, Retention{}, now)
	require.NoError(t, err)
	require.Zero(t, got.Rows)
	require.Zero(t, got.Findings)

	got, err = s.Retain(ctx, Retention{Detail: 3*oneDay + time.Hour, Findings: 6*oneDay + time.Hour}, now)
	require.NoError(t, err)
	require.Equal(t, 3, got.Findings)
	r := rows(t, s)
	require.EqualValues(t, 7, r["findings"])
	require.EqualValues(t, 14, r["evidence"])
	require.EqualValues(t, 4, r["contact_hours"])
	require.EqualValues(t, 4, r["coverage_hours"])
	require.EqualValues(t, 4, r["unmatched"])
	require.EqualValues(t, 4, r["alerts"])
	require.EqualValues(t, 7, r["hosts"])
	require.EqualValues(t, 14, r["states"])

	back := finding("k0", 2) // it comes again, and is whole again
	back.LastSeen = now
	s.Keep(back, policy.Decision{})
	require.NoError(t, s.Flush(ctx, now))
	list, err := s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Len(t, list, 8)
	for _, k := range list {
		require.Len(t, k.Evidence, 2)
	}
}

func TestRetentionBySize(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := tempFile(t)
	s := open(t, name, Options{})
	fill(t, s, 300, 10)
	_, used, err := s.used(ctx)
	require.NoError(t, err)
	got, err := s.Retain(ctx, Retention{Bytes: used - 20_000}, now)
	require.NoError(t, err)
	require.False(t, got.Over)
	require.LessOrEqual(t, got.Used, used-20_000)
	r := rows(t, s)
	require.Less(t, r["unmatched"], int64(300), "the oldest detail goes first")
	require.EqualValues(t, 300, r["findings"])
	require.EqualValues(t, 300, r["contact_hours"])

	got, err = s.Retain(ctx, Retention{Bytes: used / 2}, now)
	require.NoError(t, err)
	require.False(t, got.Over)
	require.Positive(t, got.Findings)
	st, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, got.File, st.Size(), "room is given back")
	require.Less(t, st.Size(), used*3/4)
	list, err := s.Findings(ctx, nil)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	newest := false
	for _, k := range list {
		newest = newest || k.ID == "k299"
	}
	require.True(t, newest, "those seen last stay")

	got, err = s.Retain(ctx, Retention{Bytes: 1}, now)
	require.NoError(t, err)
	require.True(t, got.Over, "an empty store takes room too, and the loop ends")
	require.Zero(t, rows(t, s)["findings"])
}
