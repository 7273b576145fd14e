package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
)

// BenchmarkCommands measures the allocations per packet of whole commands. AVBEACON_BENCH names the captures (a glob); `make
// bench` sets it to those that mkbench made. The cost of starting (catalogue, places) is measured on a small capture and
// reported as allocs/start; the other numbers of allocations do not include it.
func BenchmarkCommands(b *testing.B) {
	pattern := os.Getenv("AVBEACON_BENCH")
	if pattern == "" {
		pattern = "../../testdata/pcap/office.pcap"
	}
	files, err := filepath.Glob(pattern)
	require.NoError(b, err)
	require.NotEmpty(b, files, "no captures: %s", pattern)
	for _, command := range []string{"analyze", "observe"} {
		for _, file := range files {
			name := command + "/" + strings.TrimSuffix(filepath.Base(file), ".pcap")
			b.Run(name, func(b *testing.B) { benchmarkCommand(b, command, file) })
		}
	}
}

func benchmarkCommand(b *testing.B, command, file string) {
	const small = "../../testdata/pcap/visit.pcap"
	runCommand(b, command, small) // whatever is made only once
	start, startBytes := allocations(func() { runCommand(b, command, small) })
	packets := float64(countPackets(b, file))
	runs, objects, bytes := 0.0, 0.0, 0.0
	for b.Loop() {
		n, size := allocations(func() { runCommand(b, command, file) })
		runs, objects, bytes = runs+1, objects+n-start, bytes+size-startBytes
	}
	b.ReportMetric(start, "allocs/start")
	b.ReportMetric(objects/runs/packets, "allocs/packet")
	b.ReportMetric(bytes/runs/packets, "B/packet")
	b.ReportMetric(packets*runs/b.Elapsed().Seconds(), "packets/s")
}

func runCommand(b *testing.B, command, file string) {
	args := []string{command, "--quiet", "--workers", "1", file}
	require.NoError(b, run(context.Background(), args, nil, io.Discard, io.Discard))
}

// allocations counts what f allocates: objects, and bytes.
func allocations(f func()) (objects, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
}

func countPackets(b *testing.B, file string) uint64 {
	b.Helper()
	src := files.Open([]string{file}, files.Options{})
	defer src.Close()
	var block capture.Block
	var packets uint64
	for {
		err := src.Next(context.Background(), &block)
		if err == io.EOF {
			return packets
		}
		require.NoError(b, err)
		packets += uint64(len(block.Packets))
		if block.Release != nil {
			block.Release()
		}
	}
}
