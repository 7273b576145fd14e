//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
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
	require.ErrorContains(t, err, "no frame in it")
	name := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("text"), 20), 0o600))
	_, err = framesOf(name)
	require.ErrorContains(t, err, "not a classic little-endian pcap file")
}

func TestFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"give captures":     nil,
		"-rates":            {"-rates", "fast", "x"},
		"it is count, avbe": {"-role", "sing"},
	} {
		require.ErrorContains(t, run(context.Background(), args, strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}), want)
	}
}

// What the sender says it sent is what both listeners say they heard.
func TestAllThatIsSentIsHeard(t *testing.T) {
	near, far := testkit.NewNetns(t), testkit.NewNetns(t)
	near.Join(tapEnd, far, outEnd)
	lengths := make([]int, 20*batch)
	for i := range lengths {
		lengths[i] = 60 + i
	}
	file := someFile(t, lengths...)
	for _, role := range []string{"count", "avbeacon"} {
		s := settings{role: role, face: tapEnd, workers: 1, ring: 8 << 20, block: 64 << 10}
		stdin, end, err := os.Pipe()
		require.NoError(t, err)
		out, said, err := os.Pipe()
		require.NoError(t, err)
		ended := make(chan error, 1)
		go near.Do(func() error {
			ended <- s.listen(context.Background(), stdin, said)
			return nil
		})
		ready := make([]byte, len("ready\n"))
		_, err = out.Read(ready)
		require.NoError(t, err)
		require.Equal(t, "ready\n", string(ready))
		var text bytes.Buffer
		far.Do(func() error { return send(context.Background(), outEnd, file, 100_000, time.Minute, &text) })
		var done sent
		require.NoError(t, json.Unmarshal(text.Bytes(), &done))
		require.Equal(t, len(lengths), done.Packets)
		require.InDelta(t, float64(len(lengths))/100_000, done.Seconds, 0.5)
		require.NoError(t, end.Close())
		var got heard
		require.NoError(t, json.NewDecoder(out).Decode(&got))
		require.NoError(t, <-ended)
		require.EqualValues(t, done.Packets, got.Packets)
		require.Zero(t, got.Drops)
		require.Positive(t, got.CPU)
	}
}
