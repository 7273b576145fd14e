package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// BenchmarkFiles reads a capture of about 400 bytes a packet; "bare" is the least loop that finds its records.
func BenchmarkFiles(b *testing.B) {
	var list []madePacket
	for i := range 100_000 {
		data := string(bytes.Repeat([]byte{byte(i)}, i*37%800))
		list = append(list, madePacket{someStart + int64(i)*1000, data, uint32(len(data)), capture.LinkEthernet})
	}
	file := madePcap(binary.LittleEndian, pcapMicro, list)
	name := filepath.Join(b.TempDir(), "x.pcap")
	require.NoError(b, os.WriteFile(name, file, 0o600))
	b.Run("bare", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		buf := make([]byte, 1<<20)
		for b.Loop() {
			require.Equal(b, len(list), bareLoop(b, name, buf))
		}
	})
	for what, opt := range map[string]Options{"read": {}, "hash": {HashUpTo: HashAll}} {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			var block capture.Block
			for b.Loop() {
				f, n := Open([]string{name}, opt), 0
				for f.Next(context.Background(), &block) == nil {
					n += len(block.Packets)
				}
				_ = f.Close()
				require.Equal(b, len(list), n)
			}
		})
	}
}

func bareLoop(b *testing.B, name string, buf []byte) (n int) {
	f, err := os.Open(name)
	require.NoError(b, err)
	defer f.Close()
	_, err = io.ReadFull(f, buf[:pcapHeader])
	for have := 0; err == nil; {
		var k int
		k, err = f.Read(buf[have:])
		have += k
		at := 0
		for ; have-at >= 16; n++ {
			end := at + 16 + int(binary.LittleEndian.Uint32(buf[at+8:]))
			if end > have {
				break
			}
			at = end
		}
		have = copy(buf, buf[at:have])
	}
	return n
}
