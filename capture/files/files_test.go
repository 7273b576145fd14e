package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

var _ capture.Source = (*Files)(nil)

// readAll reads a Source to its end and copies what it gave.
func readAll(t testing.TB, f *Files) ([]capture.Packet, []capture.Input) {
	var all []capture.Packet
	var b capture.Block
	for {
		err := f.Next(context.Background(), &b)
		if err == io.EOF {
			require.Empty(t, b.Packets)
			require.NoError(t, f.Close())
			return all, f.Inputs()
		}
		require.NoError(t, err)
		require.NotEmpty(t, b.Packets)
		for _, p := range b.Packets {
			p.Data = bytes.Clone(p.Data)
			all = append(all, p)
		}
	}
}

// readBytes reads a file's content by way of standard input.
func readBytes(t testing.TB, file []byte, size int) ([]capture.Packet, capture.Input) {
	f := Open([]string{StdinName}, Options{Stdin: bytes.NewReader(file), BlockSize: size})
	packets, inputs := readAll(t, f)
	require.Len(t, inputs, 1)
	return packets, inputs[0]
}

func requirePackets(t testing.TB, want []madePacket, got []capture.Packet) {
	require.Len(t, got, len(want))
	for i, w := range want {
		g := got[i]
		require.Equal(t, w, madePacket{g.Time, string(g.Data), g.OrigLen, g.Link}, "packet %d", i+1)
		require.Equal(t, uint64(i+1), g.Frame)
		require.Equal(t, int32(0), g.Input)
		require.False(t, g.HasVLAN)
	}
}

// madeFile is a whole capture and what is in it.
type madeFile struct {
	name    string
	file    []byte
	want    []madePacket
	drops   uint64
	untimed uint64
}

func madeFiles(t testing.TB) []madeFile {
	little, big := byteOrder(binary.LittleEndian), byteOrder(binary.BigEndian)
	list := somePackets()
	nanos := append([]madePacket(nil), list...)
	for i := range nanos {
		nanos[i].at += int64(i)
	}
	mixed, inMixed := mixedNG()
	micro := madePcap(little, pcapMicro, list)
	ng := madeNG(little, list)
	return []madeFile{
		{"pcap", micro, list, 0, 0},
		{"pcap, big-endian", madePcap(big, pcapMicro, list), list, 0, 0},
		{"pcap, nanoseconds", madePcap(little, pcapNano, nanos), nanos, 0, 0},
		{"pcap, nanoseconds, big-endian", madePcap(big, pcapNano, nanos), nanos, 0, 0},
		{"pcap, modified", madePcap(little, pcapModified, list), list, 0, 0},
		{"pcap, modified, big-endian", madePcap(big, pcapModified, list), list, 0, 0},
		{"pcap without packets", madePcap(little, pcapMicro, nil), nil, 0, 0},
		{"pcap by gopacket", gopacketPcap(t, list, false), list, 0, 0},
		{"pcap by gopacket, nanoseconds", gopacketPcap(t, nanos, true), nanos, 0, 0},
		{"pcapng", ng, list, 0, 0},
		{"pcapng, big-endian", madeNG(big, list), list, 0, 0},
		{"pcapng, mixed", mixed, inMixed, 12, 3},
		{"pcapng without packets", madeNG(big, nil), nil, 0, 0},
		{"pcapng by gopacket", gopacketNG(t, nanos), nanos, 0, 0},
		{"snoop", madeSnoop(list), list, 7, 0},
		{"gzip", gzipped(t, micro), list, 0, 0},
		{"gzip, several members", gzipped(t, micro[:10], micro[10:200], nil, micro[200:]), list, 0, 0},
		{"zstd", zstdded(t, ng), list, 0, 0},
		{"zstd, several frames", zstdded(t, ng[:100], ng[100:]), list, 0, 0},
		{"zstd behind a frame to skip", append([]byte("\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"), zstdded(t, ng)...), list, 0, 0},
		{"gzip of zstd", gzipped(t, zstdded(t, micro)), list, 0, 0},
	}
}

func TestFilesFormats(t *testing.T) {
	for _, tc := range madeFiles(t) {
		t.Run(tc.name, func(t *testing.T) {
			got, in := readBytes(t, tc.file, 0)
			require.NoError(t, in.Err)
			requirePackets(t, tc.want, got)
			requireSums(t, tc.want, in)
			require.Equal(t, tc.drops, in.Drops)
			require.Equal(t, tc.untimed, in.Untimed)
			require.Equal(t, int64(len(tc.file)), in.Read)
			require.False(t, in.Truncated)
			require.Empty(t, in.SHA256)
		})
	}
}

func requireSums(t *testing.T, want []madePacket, in capture.Input) {
	require.Equal(t, uint64(len(want)), in.Packets)
	if len(want) == 0 {
		return
	}
	var sum uint64
	first, last := want[0].at, want[0].at
	for _, w := range want {
		sum += uint64(len(w.data))
		first, last = min(first, w.at), max(last, w.at)
	}
	require.Equal(t, sum, in.Bytes)
	require.Equal(t, first, in.First)
	require.Equal(t, last, in.Last)
}

// The same packets come whatever the size of a block, and however few bytes a read yields.
func TestFilesBlockBoundaries(t *testing.T) {
	for _, tc := range madeFiles(t) {
		t.Run(tc.name, func(t *testing.T) {
			for size := 1; size < len(tc.file)+2 && size < 1200; size++ {
				got, in := readBytes(t, tc.file, size)
				require.NoError(t, in.Err, "block size %d", size)
				requirePackets(t, tc.want, got)
			}
			slow := iotest.OneByteReader(bytes.NewReader(tc.file))
			got, _ := readAll(t, Open([]string{StdinName}, Options{Stdin: slow}))
			requirePackets(t, tc.want, got)
		})
	}
}

// packetReader is what pcapgo's two readers have in common.
type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// Another reader finds the same packets, lengths and times in the same bytes.
func TestFilesSecondOpinion(t *testing.T) {
	for _, tc := range madeFiles(t)[:14] {
		t.Run(tc.name, func(t *testing.T) {
			other := openGopacket(tc.file)
			if other == nil {
				t.Skip("the other reader does not know this format")
			}
			got, _ := readBytes(t, tc.file, 0)
			for _, g := range got {
				data, ci, err := other.ReadPacketData()
				require.NoError(t, err)
				require.Equal(t, data, g.Data)
				require.Equal(t, ci.Length, int(g.OrigLen))
				switch at := ci.Timestamp.UnixNano(); {
				case string(data) == "binary": // the other reader rounds powers of 2
					require.InDelta(t, 0, at-g.Time, 1e6)
				case string(data) == "before 1970" || ci.Timestamp.IsZero(): // no time in a simple packet
				default:
					require.Equal(t, at, g.Time)
				}
			}
			_, _, err := other.ReadPacketData()
			require.Equal(t, io.EOF, err)
		})
	}
}

func openGopacket(file []byte) packetReader {
	if r, err := pcapgo.NewReader(bytes.NewReader(file)); err == nil {
		return r
	}
	if r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true}); err == nil {
		return r
	}
	return nil
}

// Files on disk: sizes, hashes, the input's index, and one that is missing between two that are there.
func TestFilesOnDisk(t *testing.T) {
	dir, list := t.TempDir(), somePackets()
	plain := madePcap(binary.LittleEndian, pcapMicro, list)
	names := []string{filepath.Join(dir, "a.pcap"), filepath.Join(dir, "none.pcap"), filepath.Join(dir, "c.pcap.gz")}
	require.NoError(t, os.WriteFile(names[0], plain, 0o600))
	packed := gzipped(t, plain)
	require.NoError(t, os.WriteFile(names[2], packed, 0o600))

	f := Open(names, Options{HashUpTo: HashAll})
	before := f.Inputs()
	require.Equal(t, int64(len(plain)), before[0].Size)
	require.Zero(t, before[0].Read)
	got, in := readAll(t, f)
	require.Len(t, got, 2*len(list))
	require.Equal(t, int32(2), got[len(got)-1].Input)
	require.Equal(t, uint64(len(list)), got[len(got)-1].Frame)
	for i, file := range map[int][]byte{0: plain, 2: packed} {
		sum := sha256.Sum256(file)
		require.Equal(t, hex.EncodeToString(sum[:]), in[i].SHA256)
		require.Equal(t, int64(len(file)), in[i].Size)
		require.Equal(t, int64(len(file)), in[i].Read)
		require.NoError(t, in[i].Err)
	}
	require.ErrorIs(t, in[1].Err, os.ErrNotExist)
	require.EqualError(t, in[1].Err, names[1]+": no such file")
}

// The hash is the whole file's, also where reading stopped early or the file is no capture.
func TestFilesHashOfBrokenFile(t *testing.T) {
	broken := append(madePcap(binary.LittleEndian, pcapMicro, somePackets()), bytes.Repeat([]byte{0xee}, 1<<20)...)
	for _, file := range [][]byte{broken, []byte("no capture at all, but long enough to be read in part")} {
		name := filepath.Join(t.TempDir(), "x.pcap")
		require.NoError(t, os.WriteFile(name, file, 0o600))
		_, in := readAll(t, Open([]string{name}, Options{HashUpTo: HashAll, BlockSize: 4096}))
		require.Error(t, in[0].Err)
		sum := sha256.Sum256(file)
		require.Equal(t, hex.EncodeToString(sum[:]), in[0].SHA256)
	}
}

// A file's hash is wanted up to a size; a stream without one counts as larger.
func TestFilesHashUpTo(t *testing.T) {
	file := madePcap(binary.LittleEndian, pcapMicro, somePackets())
	name := filepath.Join(t.TempDir(), "x.pcap")
	require.NoError(t, os.WriteFile(name, file, 0o600))
	for limit, want := range map[int64]bool{0: false, int64(len(file)) - 1: false, int64(len(file)): true, HashAll: true} {
		_, in := readAll(t, Open([]string{name}, Options{HashUpTo: limit}))
		require.NoError(t, in[0].Err)
		require.Equal(t, want, in[0].SHA256 != "", "limit %d", limit)
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	_, err = w.Write(file)
	require.NoError(t, errors.Join(err, w.Close()))
	_, in := readAll(t, Open([]string{StdinName}, Options{Stdin: r, HashUpTo: HashAll - 1}))
	require.NoError(t, in[0].Err)
	require.Equal(t, uint64(len(somePackets())), in[0].Packets)
	require.Empty(t, in[0].SHA256)
}

func TestFilesContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	file := madePcap(binary.LittleEndian, pcapMicro, somePackets())
	f := Open([]string{StdinName}, Options{Stdin: bytes.NewReader(file), BlockSize: 100})
	var b capture.Block
	require.NoError(t, f.Next(ctx, &b))
	cancel()
	require.ErrorIs(t, f.Next(ctx, &b), context.Canceled)
	require.Empty(t, b.Packets)
	require.NoError(t, f.Close())
	require.Equal(t, io.EOF, f.Next(context.Background(), &b))
}

// A pipe's packets are handed on as they come: nobody waits until a block is full.
func TestFilesPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	list := somePackets()
	f := Open([]string{StdinName}, Options{Stdin: r})
	var b capture.Block
	for i := range list {
		if i == 0 {
			_, err = w.Write(pcapHead(binary.LittleEndian, pcapMicro, 4, 1))
			require.NoError(t, err)
		}
		_, err = w.Write(pcapRecord(binary.LittleEndian, pcapMicro, list[i]))
		require.NoError(t, err)
		require.NoError(t, f.Next(context.Background(), &b))
		require.Len(t, b.Packets, 1)
		require.Equal(t, list[i].data, string(b.Packets[0].Data))
	}
	require.NoError(t, w.Close())
	require.Equal(t, io.EOF, f.Next(context.Background(), &b))
	require.NoError(t, f.Inputs()[0].Err)
}

// A failing disk is told from a damaged file.
func TestFilesReadError(t *testing.T) {
	file := madePcap(binary.LittleEndian, pcapMicro, somePackets())
	bad := errors.New("the disk is on fire")
	r := io.MultiReader(bytes.NewReader(file), iotest.ErrReader(bad))
	got, in := readAll(t, Open([]string{StdinName}, Options{Stdin: r}))
	require.Len(t, got, len(somePackets()))
	require.ErrorIs(t, in[0].Err, bad)
	require.EqualError(t, in[0].Err, fmt.Sprintf("-: offset %d: read: the disk is on fire; the 10 packets before it were read", len(file)))

	stuck := Open([]string{StdinName}, Options{Stdin: io.MultiReader(bytes.NewReader(file), stuckReader{})})
	_, in = readAll(t, stuck)
	require.ErrorIs(t, in[0].Err, io.ErrNoProgress)
}

// stuckReader gives nothing and no error.
type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

// A record longer than a block is read whole; the memory is given back after it.
func TestFilesLongRecord(t *testing.T) {
	list := somePackets()
	list[3].data = string(bytes.Repeat([]byte("long"), 1<<20))
	list[3].orig = 4 << 20
	f := Open([]string{StdinName}, Options{Stdin: bytes.NewReader(madePcap(binary.BigEndian, pcapMicro, list)), BlockSize: 512})
	var b capture.Block
	n, longest := 0, 0
	for f.Next(context.Background(), &b) == nil {
		for _, p := range b.Packets {
			require.Equal(t, list[n].data, string(p.Data))
			n++
		}
		longest = max(longest, cap(b.Buf))
	}
	require.Equal(t, len(list), n)
	require.Greater(t, longest, 4<<20)
	require.Less(t, cap(b.Buf), 1<<20)
}

// endless repeats one file's records for ever.
type endless struct {
	head, again []byte
	at          int
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := 0
	for n < len(p) {
		k := copy(p[n:], e.again[e.at:])
		e.at = (e.at + k) % len(e.again)
		n += k
	}
	return n, nil
}

func TestFilesAllocateNothing(t *testing.T) {
	o, list := byteOrder(binary.LittleEndian), somePackets()
	ngHead := madeNG(o, nil)
	for name, file := range map[string]*endless{
		"pcap":   {head: madePcap(o, pcapMicro, nil), again: madePcap(o, pcapMicro, list)[pcapHeader:]},
		"pcapng": {head: ngHead, again: madeNG(o, list)[len(ngHead):]},
		"snoop":  {head: madeSnoop(nil), again: madeSnoop(list)[snoopHeader:]},
	} {
		f := Open([]string{StdinName}, Options{Stdin: file, HashUpTo: HashAll})
		var b capture.Block
		for range 20 {
			require.NoError(t, f.Next(context.Background(), &b))
		}
		n := testing.AllocsPerRun(100, func() { _ = f.Next(context.Background(), &b) })
		require.Zero(t, n, name)
		require.Greater(t, len(b.Packets), 1000)
	}
}

// A file that is made shorter while it is read ends before the size that it had.
func TestFileThatShrinks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.pcap")
	file := madePcap(binary.LittleEndian, pcapMicro, somePackets())
	require.NoError(t, os.WriteFile(name, file, 0o600))
	f := Open([]string{name}, Options{BlockSize: 200})
	defer f.Close()
	var b capture.Block
	require.NoError(t, f.Next(context.Background(), &b))
	size := int64(pcapHeader)
	for _, p := range somePackets()[:6] {
		size += 16 + int64(len(p.data))
	}
	require.Greater(t, size, f.Inputs()[0].Read)
	err := os.Truncate(name, size) // between two records
	for err == nil {
		err = f.Next(context.Background(), &b)
	}
	require.ErrorIs(t, err, io.EOF)
	require.ErrorContains(t, f.Inputs()[0].Err, "it was made shorter while it was read")
	require.True(t, f.Inputs()[0].Truncated)
}
