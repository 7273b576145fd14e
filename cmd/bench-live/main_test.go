//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// someFile is a capture with frames of these lengths; the byte at offset 20 is the frame's number.
func someFile(t *testing.T, lengths ...int) string {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, make([]byte, 20)...)
	for i, n := range lengths {
		record := make([]byte, 16+n)
		binary.LittleEndian.PutUint32(record[8:], uint32(n))
		if n > 20 {
			record[16+20] = byte(i)
		}
		b = append(b, record...)
	}
	name := filepath.Join(t.TempDir(), "some.pcap")
	require.NoError(t, os.WriteFile(name, b, 0o600))
	return name
}

func TestFramesThatCanBeSent(t *testing.T) {
	frames, err := framesOf(someFile(t, 60, 13, 14, longest, longest+1))
	require.NoError(t, err)
	require.Len(t, frames, 3)
	require.Len(t, frames[2], longest)
	_, err = framesOf(someFile(t, 3))
	require.ErrorContains(t, err, "no frame that")
	name := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("text"), 20), 0o600))
	_, err = framesOf(name)
	require.ErrorContains(t, err, "not a classic little-endian pcap file")
}

func TestFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"no captures given": nil,
		"-rates":            {"-rates", "fast", "x"},
		"must be count, av": {"-role", "sing"},
	} {
		require.ErrorContains(t, run(context.Background(), args, strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}), want)
	}
}

// TestMain lets the test binary play a part.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-role" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What the sender says it sent is what both listeners say they heard.
func TestAllThatIsSentIsHeard(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		t.Skip("this needs root, and the program ip")
	}
	lengths := make([]int, 20*batch)
	for i := range lengths {
		lengths[i] = 60 + i
	}
	var out bytes.Buffer
	file := someFile(t, lengths...)
	require.NoError(t, run(context.Background(), []string{"-rates", "50000,100000", "-ring", "8388608", "-bar", "1000", "-runs", "2", file}, strings.NewReader(""), &out, &out))
	for _, role := range []string{"count", "avbeacon"} {
		line := fmt.Sprintf(`(?m)^ +\d+ +%s +%d +%[2]d +0 +0 +\d+\.\d+ +\d+\.\d+ *$`, role, len(lengths))
		require.Len(t, regexp.MustCompile(line).FindAllString(out.String(), -1), 2, out.String())
	}
	require.Regexp(t, `highest rate without a drop: counter \d{5,6} packets/s, avbeacon \d{5,6} packets/s`, out.String())
	require.Contains(t, out.String(), "the bar, 1000.0, is met")
}

// Only rates at which neither loses a packet are compared.
func TestRatesWithoutALossAreCompared(t *testing.T) {
	r := summary{best: map[string]float64{}}
	one := func(role string, seen, drops uint64) *step {
		return &step{role: role, sent: sent{Packets: 100, Seconds: 1}, heard: heard{Packets: seen, Drops: drops, CPU: 1000}}
	}
	r.add(one("count", 100, 0), one("avbeacon", 90, 10))
	require.Equal(t, map[string]float64{"count": 100}, r.best)
	require.Empty(t, r.ratios)
	r.add(one("count", 100, 0), one("avbeacon", 99, 0))
	require.Len(t, r.ratios, 1)
}
