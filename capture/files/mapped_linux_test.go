package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/observe"
)

// largePackets are some megabytes: mostly as large as a link lets them be, with small ones and a joined one between, and payloads
// that look like records.
func largePackets(n int) (list []madePacket) {
	r := rand.New(rand.NewPCG(1, 2))
	fake := pcapRecord(binary.LittleEndian, pcapMicro, madePacket{at: someStart, data: "no record", orig: 9})
	fakeNG := ngEPB(binary.LittleEndian, 0, 7, "no block", 8)
	for i := range n {
		size := 1400 + r.IntN(115)
		switch {
		case i%5 == 0:
			size = 40 + r.IntN(60)
		case i%701 == 0:
			size = 40_000
		}
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		if i%3 == 0 && size > 1000 {
			copy(data[200:], bytes.Repeat(fake, 4))
			copy(data[600:], bytes.Repeat(fakeNG, 4))
		}
		list = append(list, madePacket{someStart + int64(i)*10_000_000, string(data), uint32(size), capture.LinkEthernet})
	}
	return list
}

// TestMappedFilesAreReadAlike reads files of large packets from disk, where they are mapped, and from a pipe.
func TestMappedFilesAreReadAlike(t *testing.T) {
	list := largePackets(5000)
	little, big := binary.LittleEndian, binary.BigEndian
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"pcap", madePcap(little, pcapMicro, list)},
		{"pcap, big endian", madePcap(big, pcapNano, list)},
		{"pcap, modified", madePcap(little, pcapModified, list)},
		{"pcapng", madeNG(little, list)},
		{"pcapng, big endian", madeNG(big, list)},
		{"cut short", madePcap(little, pcapMicro, list)[:5_000_000]},
		{"damaged", damaged(madePcap(little, pcapMicro, list), 4_000_000)},
		{"damaged pcapng", damaged(madeNG(little, list), 4_000_000)},
		{"snoop, which is never mapped", madeSnoop(list)},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "large")
			require.NoError(t, os.WriteFile(name, c.file, 0o600))
			want, in := readBytes(t, c.file, 0)
			got, inputs := readAll(t, Open([]string{name}, Options{}))
			require.Equal(t, len(want), len(got))
			for i := range want {
				require.Equal(t, want[i], got[i], "packet %d", i+1)
			}
			onDisk := inputs[0]
			require.Equal(t, in.Packets, onDisk.Packets)
			require.Equal(t, in.Bytes, onDisk.Bytes)
			require.Equal(t, in.Truncated, onDisk.Truncated)
			require.Equal(t, plainError(in.Err), plainError(onDisk.Err))
			if in.Err == nil {
				require.Equal(t, onDisk.Size, onDisk.Read)
			}
		})
	}
}

func damaged(file []byte, from int) []byte {
	return append(file[:from:from], bytes.Repeat([]byte{0xee}, 2_000_000)...)
}

// plainError is an error's text without the file's name.
func plainError(err error) string {
	var e *ReadError
	switch x := err.(type) {
	case nil:
		return ""
	case *CutShortError:
		e = &x.ReadError
	case *ReadError:
		e = x
	}
	return fmt.Sprint(e.Offset, e.Packets, e.Err)
}

// mapsNext says that the file's next block will come from mapped memory.
func mapsNext(f *Files) bool { return f.cur != nil && f.cur.maps != nil && f.cur.large }

func TestLargePacketsAreMapped(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.pcap")
	file := madePcap(binary.LittleEndian, pcapMicro, largePackets(5000))
	require.NoError(t, os.WriteFile(name, file, 0o600))
	f := Open([]string{name}, Options{})
	defer f.Close()
	var b capture.Block
	require.NoError(t, f.Next(context.Background(), &b))
	require.Nil(t, b.Release, "the first block was read: nothing is known yet")
	require.True(t, mapsNext(f))
	require.NoError(t, f.Next(context.Background(), &b))
	require.NotNil(t, b.Release, "the second was mapped")
	found := f.cur.ahead.found
	require.GreaterOrEqual(t, len(found), len(b.Packets)-chains, "all records but the last ones were found ahead")
	at := uint32(0)
	for i := range found[:len(b.Packets)-chains] {
		require.Equal(t, at, found[i])
		at += 16 + uint32(len(b.Packets[i].Data))
	}
	b.Done()

	small := filepath.Join(t.TempDir(), "small.pcap")
	require.NoError(t, os.WriteFile(small, madePcap(binary.LittleEndian, pcapMicro, manySmall(40_000)), 0o600))
	g := Open([]string{small}, Options{})
	defer g.Close()
	for {
		err := g.Next(context.Background(), &b)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.Nil(t, b.Release, "small packets are read")
	}

	hashed := Open([]string{name}, Options{HashUpTo: HashAll})
	_, in := readAll(t, hashed)
	require.Len(t, in[0].SHA256, 64, "a file that is hashed is read")
}

func manySmall(n int) (list []madePacket) {
	for i := range n {
		list = append(list, madePacket{someStart + int64(i), "a small packet of some bytes, as most questions are", 60, capture.LinkEthernet})
	}
	return list
}

// TestStandardInputIsNotMapped holds for a file on standard input too: some of it may have been read by somebody else.
func TestStandardInputIsNotMapped(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	file := madePcap(binary.LittleEndian, pcapMicro, largePackets(5000))
	require.NoError(t, os.WriteFile(name, append([]byte("a line before it\n"), file...), 0o600))
	in, err := os.Open(name)
	require.NoError(t, err)
	defer in.Close()
	_, err = in.Seek(17, io.SeekStart)
	require.NoError(t, err)
	got, inputs := readAll(t, Open([]string{StdinName}, Options{Stdin: in}))
	require.NoError(t, inputs[0].Err)
	require.Len(t, got, 5000)
}

// shrinking is a Source that makes its file shorter once a mapped block is out.
type shrinking struct {
	*Files
	name string
	done bool
}

func (s *shrinking) Next(ctx context.Context, b *capture.Block) error {
	err := s.Files.Next(ctx, b)
	if err == nil && b.Release != nil && !s.done {
		s.done = true
		if err := os.Truncate(s.name, 100); err != nil {
			return err
		}
	}
	return err
}

// TestFileThatShrinks makes a file shorter while its packets are looked at. Nothing crashes, and it is told.
func TestFileThatShrinks(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "large.pcap")
			require.NoError(t, os.WriteFile(name, madePcap(binary.LittleEndian, pcapMicro, largePackets(5000)), 0o600))
			src := &shrinking{Files: Open([]string{name}, Options{}), name: name}
			var told atomic.Uint64
			opt := observe.Options{Workers: workers, Panicked: func(p *observe.Panic) {
				told.Add(1)
				if p.Packet.Data != nil || p.Reason != capture.ErrGone.Error() {
					t.Errorf("packet %d: %s", p.Packet.Frame, p.Reason)
				}
				if err := p.WriteCapture(io.Discard); err != nil {
					t.Error(err)
				}
			}}
			st, err := observe.Run(context.Background(), src, opt, observe.Sink{Observation: func(*capture.Observation) error { return nil }})
			require.NoError(t, err)
			require.True(t, src.done)
			require.Positive(t, st.Panics)
			require.Equal(t, st.Panics, told.Load())
			require.ErrorContains(t, src.Inputs()[0].Err, "it was made shorter while it was read")
			require.True(t, src.Inputs()[0].Truncated)
		})
	}
}

// TestFaultWhileCutting makes the file shorter before its mapped memory was looked at for the first time.
func TestFaultWhileCutting(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.pcap")
	require.NoError(t, os.WriteFile(name, madePcap(binary.LittleEndian, pcapMicro, largePackets(5000)), 0o600))
	f := Open([]string{name}, Options{})
	defer f.Close()
	var b capture.Block
	require.NoError(t, f.Next(context.Background(), &b))
	mem, err := mapFile(f.cur.disk.r.(*os.File), 0, windowSize)
	require.NoError(t, err)
	defer unmapFile(mem)
	require.NoError(t, os.Truncate(name, 0))
	b.Packets = b.Packets[:0]
	require.ErrorIs(t, f.cur.cutWindow(&b, mem[pcapHeader:]), capture.ErrGone)
}

// FuzzAhead looks ahead in bytes of any kind: nothing goes wrong, and what is cut out does not depend on it.
func FuzzAhead(f *testing.F) {
	list := largePackets(40)
	f.Add(madePcap(binary.LittleEndian, pcapMicro, list), uint16(900))
	f.Add(madePcap(binary.BigEndian, pcapNano, list), uint16(0))
	f.Add(madeNG(binary.LittleEndian, list), uint16(3000))
	f.Add(madeNG(binary.BigEndian, somePackets()), uint16(10))
	f.Add(bytes.Repeat(pcapRecord(binary.LittleEndian, pcapMicro, madePacket{}), 100), uint16(50))
	f.Fuzz(func(t *testing.T, file []byte, skip uint16) {
		format, used, err := formatOf(file)
		traced, ok := format.(tracer)
		if err != nil || !ok {
			return
		}
		buf := file[used:]
		again, _, _ := formatOf(file)
		plain, helped := openFile{format: format}, openFile{format: again}
		var one, two capture.Block
		n, err := plain.cut(&one, buf, nil)
		var a ahead
		a.follow(traced, buf)
		n2, err2 := helped.cut(&two, buf, a.found)
		require.Equal(t, []int{n, plain.need}, []int{n2, helped.need})
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(err2))
		require.Equal(t, one.Packets, two.Packets)
		require.Equal(t, plain.records, helped.records)
		a.follow(again.(tracer), buf[min(int(skip), len(buf)):])
	})
}
