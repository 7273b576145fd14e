package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The intervals and scores are RITA's own expectations (activecm/rita, its unit tests of timestamp scoring).
func TestReferenceTiming(t *testing.T) {
	for _, test := range []struct {
		gaps []int64
		want float64
	}{
		{[]int64{98, 99, 99, 99, 100, 100, 100, 101, 101, 102}, 0.995},
		{[]int64{98, 300, 98, 300, 98, 300, 98, 300, 98, 300}, 0.746},
		{[]int64{60, 60, 60, 60, 60, 60, 60, 60, 60}, 1},
	} {
		require.InDelta(t, test.want, spreadScore(test.gaps, 1), 0.0005)
	}
}

func TestReferenceNeedsFourTimesAndNoStrobe(t *testing.T) {
	var few, strobe []conn
	for i := range int64(3) {
		few = append(few, conn{At: i * 3600}, conn{At: i * 3600})
	}
	require.False(t, refer(few, 0, 86400).Scored)
	for i := range int64(86400) {
		strobe = append(strobe, conn{At: i})
	}
	require.False(t, refer(strobe, 0, 86400).Scored, "strobe")
	require.True(t, refer(strobe[1:], 0, 86400).Scored)
}

func TestReferenceOfASteadyBeacon(t *testing.T) {
	var conns []conn
	for at := int64(0); at <= 86400; at += 300 {
		conns = append(conns, conn{At: at, Bytes: 500})
	}
	r := refer(conns, 0, 86400)
	require.InDelta(t, 1, r.Timing, 0.001)
	require.InDelta(t, 1, r.Size, 0.001)
	require.InDelta(t, 1, r.Histogram, 0.02)
	require.InDelta(t, 1, r.Duration, 0.001)
}

func TestReferenceCountsTheHourOfFrom(t *testing.T) {
	conns := []conn{{At: 3600}, {At: 9000}, {At: 9100}, {At: 9200}}
	require.True(t, refer(conns, 7000, 20000).Scored, "3600 is the start of the hour of 7000")
	require.False(t, refer(conns, 7200, 20000).Scored)
}

// truth is where RITA's logs and expectations lie on machines that have them; they are not part of this repository.
const truth = "../../../shared"

func TestReferenceEqualsPublishedExpectations(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(truth, "beacon/expected.json"))
	if err != nil {
		t.Skip("RITA's expectations are not here")
	}
	var expected struct {
		Cases []struct {
			File        string
			Window      []int64
			N           int
			Total       float64
			TS, DS, Dur *float64
			Hist        *float64
			Tol         float64
			Pair        string
		}
	}
	require.NoError(t, json.Unmarshal(text, &expected))
	require.Len(t, expected.Cases, 4)
	for _, c := range expected.Cases {
		t.Run(filepath.Base(c.File)+c.Pair, func(t *testing.T) {
			var conns []conn
			if c.Pair != "" {
				var all []conn
				conns, all = zeekConns(t, filepath.Join(truth, "beacon", c.File), c.Pair)
				c.Window = []int64{all[0].At, all[0].At}
				for _, x := range all {
					c.Window[0], c.Window[1] = min(c.Window[0], x.At), max(c.Window[1], x.At)
				}
			} else {
				conns = vector(t, filepath.Join(truth, "beacon", c.File))
			}
			r := refer(conns, c.Window[0], c.Window[1])
			t.Logf("%+v", r)
			require.InDelta(t, c.Total, r.Total, c.Tol)
			for _, part := range []struct {
				want *float64
				got  float64
			}{{c.TS, r.Timing}, {c.DS, r.Size}, {c.Dur, r.Duration}, {c.Hist, r.Histogram}} {
				if part.want != nil {
					require.InDelta(t, *part.want, part.got, c.Tol)
				}
			}
		})
	}
}

func vector(t *testing.T, name string) []conn {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var conns []conn
	for _, row := range rows[1:] {
		conns = append(conns, conn{At: number(t, row[0]), Bytes: number(t, row[1])})
	}
	return conns
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	require.NoError(t, err)
	return n
}

// zeekConns gives the connections of the pair, and all from a private to a public address.
func zeekConns(t *testing.T, pattern, pair string) (of, all []conn) {
	t.Helper()
	src, dst, _ := strings.Cut(pair, " -> ")
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, name := range names {
		f, err := os.Open(name)
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		column := map[string]int{}
		for lines := bufio.NewScanner(z); lines.Scan(); {
			cells := strings.Split(lines.Text(), "\t")
			if cells[0] == "#fields" {
				for i, c := range cells[1:] {
					column[c] = i
				}
			}
			if strings.HasPrefix(cells[0], "#") {
				continue
			}
			from, to := cells[column["id.orig_h"]], cells[column["id.resp_h"]]
			c := conn{At: number(t, cells[column["ts"]])}
			if bytes := cells[column["orig_ip_bytes"]]; bytes != "-" {
				c.Bytes = number(t, bytes)
			}
			if a, b := netip.MustParseAddr(from), netip.MustParseAddr(to); a.IsPrivate() && b.IsGlobalUnicast() && !b.IsPrivate() {
				all = append(all, c)
			}
			if from == src && to == dst {
				of = append(of, c)
			}
		}
		require.NoError(t, f.Close())
	}
	require.NotEmpty(t, of)
	return of, all
}
