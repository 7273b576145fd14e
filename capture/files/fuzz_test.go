package files

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// FuzzFiles reads anything at all: it must end, stay within its memory and count what it gives, and blocks of another
// size must give the same.
func FuzzFiles(f *testing.F) {
	for _, m := range madeFiles(f) {
		f.Add(m.file, uint16(64))
	}
	for _, b := range brokenNG() {
		if len(b.file) < 1000 {
			f.Add(b.file, uint16(1))
		}
	}
	for _, b := range brokenPlain() {
		f.Add(b.file, uint16(7))
	}
	f.Fuzz(func(t *testing.T, file []byte, size uint16) {
		a, inA, endA := fuzzRead(t, file, 0)
		b, inB, endB := fuzzRead(t, file, int(size%2048)+1)
		if !endA || !endB {
			return
		}
		require.Equal(t, a, b)
		require.Equal(t, inA.Packets, inB.Packets)
		require.Equal(t, inA.Drops, inB.Drops)
		require.Equal(t, inA.Truncated, inB.Truncated)
		if inA.Err != nil || inB.Err != nil {
			require.EqualError(t, inB.Err, inA.Err.Error())
		}
	})
}

// fuzzRead reads some packets and gives a sum over them; end says that they are all.
func fuzzRead(t *testing.T, file []byte, size int) (sum uint64, in capture.Input, end bool) {
	f := Open([]string{StdinName}, Options{Stdin: bytes.NewReader(file), BlockSize: size})
	var b capture.Block
	var n, bytes uint64
	for err := error(nil); n < 100_000; {
		if err = f.Next(context.Background(), &b); err == io.EOF {
			end = true
			break
		}
		require.NoError(t, err)
		require.LessOrEqual(t, cap(b.Buf), 2*maxRecord)
		for _, p := range b.Packets {
			n++
			bytes += uint64(len(p.Data))
			require.Equal(t, n, p.Frame)
			require.GreaterOrEqual(t, int(p.OrigLen), len(p.Data))
			require.GreaterOrEqual(t, p.Time, int64(0))
			require.LessOrEqual(t, p.Time, int64(maxTime))
			for _, c := range p.Data {
				sum = sum*31 + uint64(c)
			}
			sum = sum*31 + uint64(p.Time) + uint64(p.Link)<<32 + uint64(p.OrigLen)
		}
	}
	require.NoError(t, f.Close())
	in = f.Inputs()[0]
	if end {
		require.Equal(t, n, in.Packets)
		require.Equal(t, bytes, in.Bytes)
	}
	return sum, in, end
}
