package store

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/policy"

	"github.com/stretchr/testify/require"
)

// crowd keeps so many hosts that were seen a minute after each other, every tenth of which has a sign of a vendor.
func crowd(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		at := now.Add(-oneDay * 100).Add(time.Duration(i) * time.Minute)
		host := fmt.Sprintf("h%04d", i)
		pieces := []classify.Saved{{Host: host, Data: []byte{1}, Seen: at,
			Who: &classify.FindingHost{Address: addr(i), Addresses: []classify.AddressSpan{{Address: addr(i), From: at, To: at}}}}}
		if i%10 == 0 {
			pieces = append(pieces, classify.Saved{Host: host, Vendor: "kaspersky", Data: []byte{2}})
		}
		s.KeepMemory(pieces, nil)
	}
	require.NoError(t, s.Flush(context.Background(), now))
}

// A start loads no more hosts than it may remember: first those with a sign, then those seen last.
func TestMemoryOfSomeHosts(t *testing.T) {
	t.Parallel()
	s := open(t, tempFile(t), Options{})
	s.KeepMemory([]classify.Saved{{Data: []byte{9}}}, nil)
	crowd(t, s, 100)
	all, err := s.Memory(context.Background())
	require.NoError(t, err)
	require.Len(t, all, 1+100+10)
	some, err := s.MemoryOf(context.Background(), 12)
	require.NoError(t, err)
	require.Len(t, some, 1+12+10)
	got := map[string]bool{}
	for _, p := range some {
		got[p.Host+p.Vendor] = true
	}
	require.True(t, got[""])
	for i := range 10 {
		require.True(t, got[fmt.Sprintf("h%04dkaspersky", i*10)])
	}
	require.True(t, got["h0099"])
	require.True(t, got["h0098"])
	many, err := s.MemoryOf(context.Background(), 1000)
	require.NoError(t, err)
	require.Equal(t, all, many)
}

// Hosts of which nothing is known but that they are there go with the detail, or before anything that shows a vendor.
func TestHostsWithoutSignsGo(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	crowd(t, s, 100)
	_, err := s.Retain(ctx, Retention{Detail: 200 * oneDay}, now)
	require.NoError(t, err)
	require.EqualValues(t, 100, rows(t, s)["hosts"])
	_, err = s.Retain(ctx, Retention{Detail: 50 * oneDay}, now)
	require.NoError(t, err)
	r := rows(t, s)
	require.EqualValues(t, 10, r["hosts"])
	require.EqualValues(t, 20, r["states"])

	crowd(t, s, 3000)
	fill(t, s, 3, 2)
	before := rows(t, s)
	size, err := s.Retain(ctx, Retention{}, now)
	require.NoError(t, err)
	got, err := s.Retain(ctx, Retention{Bytes: size.Used - 100<<10}, now)
	require.NoError(t, err)
	require.Zero(t, got.Findings)
	require.False(t, got.Over)
	require.Less(t, rows(t, s)["hosts"], before["hosts"]-1000)
	require.Equal(t, before["findings"], rows(t, s)["findings"])
}

// What is known of rows that are written is bounded, and a finding that is not known any more is written right all the same.
func TestWhatIsKnownOfRowsIsBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	for i := range mostWritten + 500 {
		s.Keep(finding("k"+strconv.Itoa(i), 1), policy.Decision{})
		if i%2000 == 0 {
			require.NoError(t, s.Flush(ctx, now))
		}
	}
	require.NoError(t, s.Flush(ctx, now))
	require.LessOrEqual(t, len(s.written), mostWritten)
	for i := range 600 {
		s.Keep(finding("k"+strconv.Itoa(i), 3), policy.Decision{})
	}
	require.NoError(t, s.Flush(ctx, now))
	require.LessOrEqual(t, len(s.written), mostWritten)
	list, err := s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Len(t, list, mostWritten+500)
	three := 0
	for _, k := range list {
		if len(k.Evidence) == 3 {
			three++
		}
	}
	require.Equal(t, 600, three)
}
