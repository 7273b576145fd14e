package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/policy"
)

func TestBodiesArePacked(t *testing.T) {
	t.Parallel()
	var room []byte
	for _, body := range []string{"", "{}", `{"id":"a","finding":"f","evidence":[]}`, strings.Repeat("x", mostBody), strings.Repeat("y", mostBody+1)} {
		require.Equal(t, body, string(unpack(bytes.Clone(pack(&room, []byte(body))))), "%d bytes", len(body))
	}
	alert := []byte(`{"id":"","event":"new","state":"open","vendor":{"key":"kaspersky","name":"Kaspersky","country":"RU"},"verdict":"possible"}`)
	require.Less(t, len(pack(&room, alert)), len(alert)/3)
	require.Equal(t, "{}", string(unpack([]byte("{}"))), "as an earlier version wrote it")
}

// Stored bodies need the dictionary that they were written with.
func TestTheDictionaryStaysAsItIs(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(bodyDict)
	require.Equal(t, "505ff5fe9bb3b5c21f7bf67c79df283e7b8ed33e04f0fc0677e047295931d73e", hex.EncodeToString(sum[:]))
}

func FuzzUnpack(f *testing.F) {
	var room []byte
	f.Add(bytes.Clone(pack(&room, []byte(`{"id":"a","finding":"f"}`))))
	f.Add([]byte{packed, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, body []byte) {
		if out := unpack(body); len(out) > max(mostBody, len(body)) {
			n, err := s2.DecodedLen(body[1:])
			t.Fatalf("%d bytes (%d, %v)", len(out), n, err)
		}
	})
}

// Behind is what the rows say, whatever was stored, purged and delivered, also after a restart; reading from memory gives what the
// file would.
func TestBehindCountsWhatIsThere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := tempFile(t)
	opt := Options{Alerts: 600 << 10}
	s := open(t, file, opt)
	random := rand.New(rand.NewPCG(1, 2))
	_, err := s.AddSink(ctx, "slow")
	require.NoError(t, err)
	_, err = s.AddSink(ctx, "fast")
	require.NoError(t, err)
	next, purged := 0, false
	for round := range 40 {
		for range random.IntN(120) {
			a := toSend(next, random.IntN(5), random.IntN(3000))
			a.Value = a.ID
			s.KeepAlert(a)
			next++
		}
		require.NoError(t, s.Flush(ctx, now))
		if round%20 == 19 {
			purged = purged || s.OutboxStats().Purged != [severities]uint64{}
			require.NoError(t, s.Close())
			s = open(t, file, opt)
		}
		for _, after := range []int64{0, s.Positions()["slow"], s.Positions()["fast"], int64(next) - 3, int64(next), int64(random.IntN(next + 1))} {
			floor := min(s.Positions()["slow"], s.Positions()["fast"])
			if after < floor {
				continue
			}
			var want, bytes int64
			require.NoError(t, s.db.QueryRow("SELECT COUNT(*), COALESCE(SUM(size), 0) FROM alerts WHERE sequence > ?", after).Scan(&want, &bytes))
			got, err := s.Behind(ctx, after)
			require.NoError(t, err)
			require.Equal(t, want, got, "after %d in round %d", after, round)
			if after == floor {
				st := s.OutboxStats()
				require.GreaterOrEqual(t, st.Bytes, bytes)
				require.LessOrEqual(t, st.Bytes, bytes+perBlock*8192)
			}
			list, err := s.Outgoing(ctx, after, next)
			require.NoError(t, err)
			require.Len(t, list, int(want))
			rows, err := s.db.Query("SELECT sequence, id FROM alerts WHERE sequence > ? ORDER BY sequence", after)
			require.NoError(t, err)
			for _, a := range list {
				var sequence int64
				var id string
				require.True(t, rows.Next())
				require.NoError(t, rows.Scan(&sequence, &id))
				require.Equal(t, sequence, a.Sequence)
				if a.Value != nil {
					require.Equal(t, id, a.Value)
				} else {
					require.Equal(t, []string{id}, idsOf(t, []Outgoing{a}))
				}
			}
			require.NoError(t, rows.Close())
		}
		at := s.Positions()
		require.NoError(t, s.SetPositions(ctx, map[string]int64{"slow": at["slow"] + int64(random.IntN(40)), "fast": max(at["fast"], int64(next-random.IntN(30)))}))
	}
	require.True(t, purged)
}

// Of many alerts each transaction has a part, with the findings of that part; the rest waits for the next Flush.
func TestManyAlertsAreWrittenInParts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	var want []string
	for n := range 2*lot + 100 {
		a := toSend(n, 1, 10)
		a.Finding = finding(a.ID, 1).ID
		s.Keep(finding(a.ID, 1), policy.Decision{}, a)
		want = append(want, a.ID)
	}
	_, err := s.db.Exec("CREATE TRIGGER no BEFORE INSERT ON alerts WHEN NEW.sequence > 1500 BEGIN SELECT RAISE(ABORT, 'not now'); END")
	require.NoError(t, err)
	require.ErrorContains(t, s.Flush(ctx, now), "not now")
	require.Equal(t, want[:lot], everything(t, s))
	found, err := s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Len(t, found, lot, "those that the written alerts are about")
	require.Equal(t, lot+100, s.OutboxStats().Waiting)
	_, err = s.db.Exec("DROP TRIGGER no")
	require.NoError(t, err)
	require.NoError(t, s.Flush(ctx, now))
	require.Equal(t, want, everything(t, s))
	found, err = s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Len(t, found, 2*lot+100)
}

// A new sink does not get what every known sink had.
func TestANewSinkBeginsAtWhatTheKnownOnesLack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := tempFile(t)
	s := open(t, file, Options{})
	for n := range 10 {
		s.KeepAlert(toSend(n, 1, 10))
	}
	require.NoError(t, s.Flush(ctx, now))
	for _, c := range []struct {
		name   string
		at, to int64
	}{{"first", 0, 7}, {"second", 7, 9}, {"third", 7, 7}} {
		at, err := s.AddSink(ctx, c.name)
		require.NoError(t, err)
		require.Equal(t, c.at, at, c.name)
		require.NoError(t, s.SetPositions(ctx, map[string]int64{c.name: c.to}))
	}
	require.NoError(t, s.Close())
	s = open(t, file, Options{})
	require.Equal(t, map[string]int64{"first": 7, "second": 9, "third": 7}, s.Positions())
}
