package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/measure"
)

// capturePieces is a little-endian pcap file with packets of these lengths.
func capturePieces(lengths ...int) []byte {
	file := make([]byte, 24)
	for _, n := range lengths {
		header := make([]byte, 16)
		binary.LittleEndian.PutUint32(header[8:], uint32(n))
		file = append(append(file, header...), make([]byte, n)...)
	}
	return file
}

func TestReadLoopSeesEveryPacket(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.pcap")
	whole := capturePieces(60, 10, 1514, 700_000, 900_000, 42)
	require.NoError(t, os.WriteFile(name, whole, 0o600))
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), []string{"-floor", name}, nil, &out, &out))
	require.True(t, strings.HasPrefix(out.String(), "6 packets "), out.String())

	require.NoError(t, os.WriteFile(name, whole[:len(whole)-1], 0o600))
	require.Error(t, readLoop(name, &out), "the last packet is cut")
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	// The machine is three times as slow in the second round: that is no difference between the two.
	cpu := func(seconds ...int) []measure.Cost {
		var all []measure.Cost
		for _, s := range seconds {
			all = append(all, measure.Cost{CPU: time.Duration(s) * time.Second, Wall: time.Second})
		}
		return all
	}
	floor := &command{label: readLoopLabel, costs: cpu(1, 3, 1)}
	one := &command{label: "analyze --workers 1", costs: cpu(4, 12, 5)}
	all := []*command{floor, one}
	require.Equal(t, "4.00", ratio(all, one.label, readLoopLabel, cpuOf))
	require.Equal(t, "1.00", ratio(all, readLoopLabel, readLoopLabel, cpuOf))
	require.Equal(t, "-", ratio(all, one.label, tcpdumpLabel, cpuOf), "tcpdump is not installed")
}

func TestLinesAreCountedByKindAndName(t *testing.T) {
	found, err := countLines(strings.NewReader(`{"kind":"dns_query"}
{"kind":"tls_client_hello","sni":"a.example"}
{"kind":"tls_client_hello"}
{"kind":"dns_query"}
`))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"dns_query": 2, "tls_client_hello": 1}, found)
	_, err = countLines(strings.NewReader("{"))
	require.Error(t, err)
}

func TestSizesAreKnown(t *testing.T) {
	for _, size := range []string{"small", "full"} {
		for _, profile := range []string{"bulk", "hs", "flows"} {
			_, err := sizes(size, profile)
			require.NoError(t, err)
		}
	}
	_, err := sizes("huge", "hs")
	require.EqualError(t, err, `no capture "hs" of size "huge" (bulk, hs, flows; small, full)`)
}
