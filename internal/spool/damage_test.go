package spool

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
)

// filled is a folder with a spool of 2,000 alerts, closed as it should be.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := start(t, config.Spool{Dir: dir}, Options{}, nil)
	for n := range 2000 {
		s.Offer(made(n, n%2))
	}
	require.NoError(t, s.stop())
	return dir
}

func garble(t *testing.T, dir, pattern string, from, n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", embedded, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	random := rand.NewChaCha8([32]byte{1})
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		if end := min(len(data), from+n); from < end {
			_, _ = random.Read(data[from:end])
		}
		require.NoError(t, os.WriteFile(name, data, 0o600))
	}
}

func TestADamagedSpoolIsKeptAndANewOneBegun(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		damage func(t *testing.T, dir string)
		least  int // alerts that are saved
	}{
		"meta": {func(t *testing.T, dir string) { garble(t, dir, "meta.inf", 0, 100) }, 2000},
		"no meta": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "jetstream", "$G", "streams", embedded, "meta.inf")))
		}, 2000},
		"all of it":         {func(t *testing.T, dir string) { garble(t, dir, "msgs/*", 0, 1<<30) }, 0},
		"a part of a block": {func(t *testing.T, dir string) { garble(t, dir, "msgs/*.blk", 100_000, 5000) }, 2000 - 2*mostAlerts},
		"one bit":           {func(t *testing.T, dir string) { garble(t, dir, "msgs/*.blk", 300_000, 1) }, 2000 - mostAlerts},
		"a length":          {func(t *testing.T, dir string) { garble(t, dir, "msgs/*.blk", 0, 4) }, 2000 - mostAlerts},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			c.damage(t, dir)
			k := newStrict()
			s := start(t, config.Spool{Dir: dir}, Options{}, map[string]*strict{"k": k})
			require.NotEmpty(t, s.Stats().Damaged)
			got := map[string]bool{}
			require.NoError(t, s.Each(context.Background(), time.Time{}, func(a *alert.Alert) error { got[a.ID] = true; return nil }))
			require.GreaterOrEqual(t, len(got), c.least)
			s.Offer(made(9999, 1))
			eventually(t, "it works", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.times[made(9999, 1).ID] == 1 })
			require.NoError(t, s.stop())
			require.Len(t, k.ids, len(got)+1)
			requireOrder(t, k.ids)
			aside, err := filepath.Glob(filepath.Join(dir, "damaged-*"))
			require.NoError(t, err)
			require.Len(t, aside, 1)

			s = start(t, config.Spool{Dir: dir}, Options{}, nil)
			require.Empty(t, s.Stats().Damaged, "the new one is whole")
		})
	}
}

// What a crash leaves at the end is no damage, and an index that is not there or wrong neither.
func TestATornEndIsNoDamage(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	block := filepath.Join(dir, "jetstream", "$G", "streams", embedded, "msgs", "1.blk")
	garble(t, dir, "msgs/index.db", 0, 1000)
	f, err := os.OpenFile(block, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(make([]byte, 3000))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	k := newStrict()
	s := start(t, config.Spool{Dir: dir}, Options{}, map[string]*strict{"k": k})
	require.Empty(t, s.Stats().Damaged)
	s.Offer(made(2000, 1))
	require.NoError(t, s.stop())
	require.Equal(t, ids(0, 2001), sorted(k.ids))
}

func sorted(all []string) []string { slices.Sort(all); return all }

// A stream that was purged and filled again is whole, and read as the server reads it.
func TestBlocksAreReadAsTheServerReadsThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, config.Spool{Dir: dir, Size: 2 << 20}, Options{}, nil)
	for n := range 6000 {
		a := made(n, n/7%3)
		a.Message = strings.Repeat("m", n%3000)
		s.Offer(a)
		if n%500 == 499 {
			eventually(t, "written", func() bool { return s.Stats().Queued == 0 })
		}
	}
	require.NoError(t, s.stop())
	require.NotZero(t, s.Stats().Purged["info"])
	s = start(t, config.Spool{Dir: dir, Size: 2 << 20}, Options{}, nil)
	var served []string
	require.NoError(t, s.Each(context.Background(), time.Time{}, func(a *alert.Alert) error { served = append(served, a.ID); return nil }))
	require.NoError(t, s.stop())
	require.NoError(t, verify(dir))
	gone, read := map[uint64]bool{}, map[uint64][]string{}
	for _, b := range blocksOf(storeOf(dir)) {
		_, _, err := b.read(func(r record) {
			if r.seq&recordTomb != 0 {
				gone[r.seq&^recordTomb] = true
			} else if r.seq&recordErased == 0 && r.subject != "" {
				some, bad := decode(r.data)
				require.Empty(t, bad)
				for _, a := range some {
					read[r.seq] = append(read[r.seq], a.ID)
				}
			}
		})
		require.NoError(t, err)
	}
	var all []string
	for seq, some := range read {
		if !gone[seq] {
			all = append(all, some...)
		}
	}
	require.Equal(t, sorted(served), sorted(all))
}
