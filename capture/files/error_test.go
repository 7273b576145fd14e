package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// brokenFile is a file that cannot be read to its end.
type brokenFile struct {
	name    string
	file    []byte
	packets int
	err     string // what follows the name and before the count of packets
	cut     bool
}

// brokenPlain are files that are broken before decompression comes into play.
func brokenPlain() []brokenFile {
	o := byteOrder(binary.LittleEndian)
	good := madePcap(o, pcapMicro, somePackets()[:2])
	insane := append(bytes.Clone(good), pcapRecord(o, pcapMicro, madePacket{})...)
	o.PutUint32(insane[len(good)+8:], 0xdeadbeef)
	most := bytes.Clone(insane)
	o.PutUint32(most[len(good)+8:], maxRecord)
	old := pcapHead(o, pcapMicro, 4, 1)
	old[4] = 3
	snoop := madeSnoop(somePackets()[:1])
	snoopHuge := append(bytes.Clone(snoop), snoop[snoopHeader:]...)
	binary.BigEndian.PutUint32(snoopHuge[len(snoop)+8:], math.MaxUint32)
	snoopLie := append(bytes.Clone(snoop), snoop[snoopHeader:]...)
	binary.BigEndian.PutUint32(snoopLie[len(snoop)+4:], 61)
	snoopOld, snoopRing := bytes.Clone(snoop), bytes.Clone(snoop)
	snoopOld[11], snoopRing[15] = 1, 2
	return []brokenFile{
		{"empty", nil, 0, "offset 0: the file is empty: expected a capture", false},
		{"text", []byte("Hello, world, this is a text of some length"), 0,
			`offset 0: not a capture: it begins with the text "Hello, w" (48656c6c6f2c2077): expected pcap, pcapng or snoop, plain or in gzip or zstd`, false},
		{"bytes", []byte{1, 2, 3}, 0, "offset 0: not a capture: it begins with the bytes 010203: expected pcap, pcapng or snoop, plain or in gzip or zstd", false},
		{"zip", []byte("PK\x03\x04abcdef"), 0,
			"offset 0: not a capture: it looks like a zip archive: expected pcap, pcapng or snoop, plain or in gzip or zstd; unpack it first", false},
		{"pcap header cut", good[:10], 0, "offset 10: the file ends inside its header, after 10 bytes: it was cut short", true},
		{"pcapng header cut", ngSHB(o)[:7], 0, "offset 7: the file ends inside its header, after 7 bytes: it was cut short", true},
		{"snoop header cut", snoop[:15], 0, "offset 15: the file ends inside its header, after 15 bytes: it was cut short", true},
		{"record header cut", insane[:len(insane)-1], 2,
			"offset 116: the file ends inside a record, of which 15 bytes are there and at least 16 expected: it was cut short, is still being written, or is damaged here", true},
		{"record cut", good[:50], 0,
			"offset 24: the file ends inside a record, of which 26 bytes are there and at least 76 expected: it was cut short, is still being written, or is damaged here", true},
		{"record too long", insane, 2,
			"offset 116: record length 3735928559 exceeds the limit of 16777216 bytes: the file is damaged here", false},
		{"record that lies within the limit", most, 2,
			"offset 116: the file ends inside a record, of which 16 bytes are there and at least 16777232 expected: it was cut short, is still being written, or is damaged here", true},
		{"pcap version", old, 0, "offset 0: pcap version 3.4: expected 2.4", false},
		{"snoop record too long", snoopHuge, 1, "offset 100: record length 4294967295 exceeds the limit of 16777216 bytes: the file is damaged here", false},
		{"snoop record that lies", snoopLie, 1, "offset 100: record of 84 bytes claims a packet of 61: the file is damaged here", false},
		{"snoop version", snoopOld, 0, "offset 0: snoop version 1: expected 2", false},
		{"snoop link", snoopRing, 0, "offset 0: snoop datalink type 2: expected 4 (Ethernet) or 0 (IEEE 802.3)", false},
	}
}

// brokenNG are files of pcapng; good is 28+20+92 bytes long and holds one packet.
func brokenNG() []brokenFile {
	o := byteOrder(binary.LittleEndian)
	good := madeNG(o, somePackets()[:1])
	with := func(more ...[]byte) []byte { return append(bytes.Clone(good), bytes.Join(more, nil)...) }
	put := func(at int, v uint32, b []byte) []byte { o.PutUint32(b[at:], v); return b }
	big := put(20, 70, ngEPB(o, 0, 0, "0123456789", 10))
	version := ngSHB(o)
	version[12] = 2
	return []brokenFile{
		{"magic", with(put(8, 0x12345678, ngSHB(o))), 1,
			"offset 140: byte-order magic 78563412: expected 1a2b3c4d or 4d3c2b1a: the file is damaged here", false},
		{"first magic", put(8, 0, ngSHB(o)), 0,
			"offset 0: byte-order magic 00000000: expected 1a2b3c4d or 4d3c2b1a: the file is damaged here", false},
		{"version", with(version), 1, "offset 140: pcapng version 2.0: expected 1.0", false},
		{"length too long", with(put(4, 1<<30, ngIDB(o, 1, 0))), 1,
			"offset 140: block length 1073741824 exceeds the limit of 16777216 bytes: the file is damaged here", false},
		{"length too short", with(put(4, 8, ngIDB(o, 1, 0))), 1,
			"offset 140: block length 8: expected a multiple of 4 from 12: the file is damaged here", false},
		{"length odd", with(put(4, 21, ngIDB(o, 1, 0))), 1,
			"offset 140: block length 21: expected a multiple of 4 from 12: the file is damaged here", false},
		{"lengths differ", with(put(16, 24, ngIDB(o, 1, 0))), 1,
			"offset 140: block length 20 is 24 at the block's end: the file is damaged here", false},
		{"cut", with(ngIDB(o, 1, 0)[:13]), 1,
			"offset 140: the file ends inside a record, of which 13 bytes are there and at least 20 expected: it was cut short, is still being written, or is damaged here", true},
		{"no such interface", with(ngEPB(o, 1, 0, "x", 1)), 1,
			"offset 140: block for interface 1, but 1 are described before it: the file is damaged here", false},
		{"interface of the section before", with(ngSHB(o), ngEPB(o, 0, 0, "x", 1)), 1,
			"offset 168: block for interface 0, but 0 are described before it: the file is damaged here", false},
		{"packet longer than its block", with(big), 1,
			"offset 140: packet of 70 bytes in a block that has room for 12: the file is damaged here", false},
		{"simple packet longer than its block", with(ngBlock(o, ngSimple, o.AppendUint32(nil, 9), []byte("12345678"))), 1,
			"offset 140: packet of 9 bytes in a block that has room for 8: the file is damaged here", false},
		{"simple packet without interface", append(ngSHB(o), ngBlock(o, ngSimple, make([]byte, 4))...), 0,
			"offset 28: block for interface 0, but 0 are described before it: the file is damaged here", false},
		{"obsolete packet without interface", with(ngPB(o, 3, 0, 0, "")), 1,
			"offset 140: block for interface 3, but 1 are described before it: the file is damaged here", false},
		{"statistics without interface", with(ngISB(o, 9)), 1,
			"offset 140: block for interface 9, but 1 are described before it: the file is damaged here", false},
		{"option too long", with(ngIDB(o, 1, 0, []byte{9, 0, 70, 0})), 1,
			"offset 140: option 9 of 70 bytes runs past its block: the file is damaged here", false},
		{"short section", with(ngBlock(o, ngSection, o.AppendUint32(nil, ngByteOrder))), 1,
			"offset 140: section header block has 4 bytes of content: expected at least 16: the file is damaged here", false},
		{"short interface", with(ngBlock(o, ngInterface)), 1,
			"offset 140: interface description block has 0 bytes of content: expected at least 8: the file is damaged here", false},
		{"short statistics", with(ngBlock(o, ngStatistics)), 1,
			"offset 140: interface statistics block has 0 bytes of content: expected at least 12: the file is damaged here", false},
		{"short enhanced packet", with(ngBlock(o, ngEnhanced, make([]byte, 16))), 1,
			"offset 140: enhanced packet block has 16 bytes of content: expected at least 20: the file is damaged here", false},
		{"short packet", with(ngBlock(o, ngPacket, make([]byte, 16))), 1,
			"offset 140: packet block has 16 bytes of content: expected at least 20: the file is damaged here", false},
		{"short simple packet", with(ngBlock(o, ngSimple)), 1,
			"offset 140: simple packet block has 0 bytes of content: expected at least 4: the file is damaged here", false},
		{"interfaces without end", append(ngSHB(o), bytes.Repeat(ngIDB(o, 1, 0), ngMaxIfaces+1)...), 0,
			"offset 1310748: more than 65536 interfaces in one section: the file is damaged here", false},
	}
}

func brokenPacked(t *testing.T) []brokenFile {
	good := madePcap(binary.LittleEndian, pcapMicro, somePackets()[:2])
	insane := append(bytes.Clone(good), bytes.Repeat([]byte{0xff}, 16)...)
	gz, zst := gzipped(t, good), zstdded(t, good)
	sum := bytes.Clone(gz)
	sum[len(sum)-8] ^= 1
	wide := func(window byte) []byte { // a frame with one raw block
		return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, window, byte(len(good)<<3 | 1), byte(len(good) >> 5), 0}, good...)
	}
	return []brokenFile{
		{"damaged inside gzip", gzipped(t, insane), 2, "offset 116 of the decompressed data: record length 4294967295 exceeds the limit of 16777216 bytes: the file is damaged here", false},
		{"gzip cut", gz[:len(gz)-4], 2, "offset 116 of the decompressed data: the compressed file ends before its data do: it was cut short or is still being written", true},
		{"gzip cut in its header", gz[:5], 0, "offset 0 of the decompressed data: the compressed file ends before its data do: it was cut short or is still being written", true},
		{"zstd cut", zst[:len(zst)-4], 0, "offset 0 of the decompressed data: the compressed file ends before its data do: it was cut short or is still being written", true},
		{"gzip checksum", sum, 2, "offset 116 of the decompressed data: decompress: gzip: invalid checksum: the file is damaged here", false},
		{"gzip of nothing", gzipped(t, nil), 0, "offset 0: the file is empty: expected a capture", false},
		{"gzip of text", gzipped(t, []byte("a log")), 0, `offset 0: not a capture: it begins with the text "a log" (61206c6f67): expected pcap, pcapng or snoop, plain or in gzip or zstd`, false},
		{"zstd window too large", wide(0x90), 0, "offset 0 of the decompressed data: decompress: window size exceeded: " +
			"the limit is 134217728 bytes, and 8388608 inside another compression; decompress it first", false},
		{"zstd window too large inside", zstdded(t, wide(0x70)), 0, "offset 0 of the decompressed data: decompress: window size exceeded: " +
			"the limit is 134217728 bytes, and 8388608 inside another compression; decompress it first", false},
		{"three times", gzipped(t, gzipped(t, gz)), 0, "offset 0 of the decompressed data: compressed more than 2 times: expected a capture; decompress it first", false},
	}
}

func TestFilesErrors(t *testing.T) {
	all := append(append(brokenPlain(), brokenNG()...), brokenPacked(t)...)
	for _, tc := range all {
		t.Run(tc.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 33} {
				_, in := readBytes(t, tc.file, size)
				require.Error(t, in.Err)
				require.Equal(t, "-: "+tc.err, beforeCount(in.Err))
				require.Equal(t, uint64(tc.packets), in.Packets)
				var cut *CutShortError
				require.Equal(t, tc.cut, errors.As(in.Err, &cut))
				require.Equal(t, tc.cut, in.Truncated)
				var file *ReadError
				require.ErrorAs(t, in.Err, &file)
				require.Equal(t, uint64(tc.packets), file.Packets)
			}
		})
	}
}

// beforeCount is an error's text without how many packets were read.
func beforeCount(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, "; "); i >= 0 && strings.Contains(s[i:], " read") {
		return s[:i]
	}
	return s
}

func TestReadErrorCounts(t *testing.T) {
	e := ReadError{Name: "office.pcap", Offset: 4242, Packets: 17, Err: tooLong("record", 0xdeadbeef)}
	require.EqualError(t, &e, "office.pcap: offset 4242: record length 3735928559 exceeds the limit of 16777216 bytes: "+
		"the file is damaged here; the 17 packets before it were read")
	e.Packets = 1
	require.ErrorContains(t, &e, "; the one packet before it was read")
	e.Packets = 0
	require.ErrorContains(t, &e, "; no packet was read before it")
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	_, in := readAll(t, Open([]string{dir, StdinName}, Options{}))
	require.EqualError(t, in[0].Err, dir+": cannot be opened: it is a folder without capture files in it")
	require.EqualError(t, in[1].Err, "-: cannot be opened: there is no standard input")

	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("this user may read everything")
	}
	name := filepath.Join(dir, "x.pcap")
	require.NoError(t, os.WriteFile(name, nil, 0))
	_, in = readAll(t, Open([]string{name}, Options{}))
	require.EqualError(t, in[0].Err, name+": cannot be opened: permission denied")
}

// The header's upper link-type bits, old versions' swapped lengths, and lengths that contradict each other.
func TestPcapHeaderVariants(t *testing.T) {
	o := byteOrder(binary.LittleEndian)
	long := madePacket{someStart, "abcdef", 9, capture.LinkLinuxSLL}
	odd := madePacket{someStart, "abcdef", 3, capture.LinkLinuxSLL} // longer in the file than on the wire
	swap := func(p madePacket) []byte {
		b := pcapRecord(o, pcapMicro, p)
		o.PutUint32(b[8:], p.orig)
		o.PutUint32(b[12:], uint32(len(p.data)))
		return b
	}
	for _, tc := range []struct {
		name string
		file []byte
		want uint32
	}{
		{"frame check sequence bits", append(pcapHead(o, pcapMicro, 4, 0x5400_0071), pcapRecord(o, pcapMicro, long)...), 9},
		{"2.2", append(pcapHead(o, pcapMicro, 2, 113), swap(long)...), 9},
		{"2.3, swapped", append(pcapHead(o, pcapMicro, 3, 113), swap(long)...), 9},
		{"2.3, in order", append(pcapHead(o, pcapMicro, 3, 113), pcapRecord(o, pcapMicro, long)...), 9},
		{"2.4, shorter on the wire", append(pcapHead(o, pcapMicro, 4, 113), pcapRecord(o, pcapMicro, odd)...), 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, in := readBytes(t, tc.file, 0)
			require.NoError(t, in.Err)
			requirePackets(t, []madePacket{{someStart, "abcdef", tc.want, capture.LinkLinuxSLL}}, got)
		})
	}
}

// Hostile times neither overflow nor leave 1970 to 2116; -1 means no time.
func TestPcapngClock(t *testing.T) {
	for _, tc := range []struct {
		resol  byte
		offset int64
		ticks  uint64
		want   int64
	}{
		{6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000},
		{9, 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789},
		{0, 0, 1_700_000_000, 1_700_000_000_000_000_000},
		{12, 0, 1_700_000_000_123_456, 1_700_000_000_123},
		{9 + 19, 0, math.MaxUint64, 1},
		{9 + 20, 0, math.MaxUint64, 0},
		{127, 0, math.MaxUint64, 0},
		{0x80, 0, 1_700_000_000, 1_700_000_000_000_000_000},
		{0x80 | 1, 0, 3, 1_500_000_000},
		{0x80 | 32, 0, 1_700_000_000<<32 | 1<<31, 1_700_000_000_500_000_000},
		{0x80 | 63, 0, 1 << 63, 1_000_000_000},
		{0x80 | 64, 0, 1 << 63, 500_000_000},
		{0x80 | 65, 0, 1 << 63, 250_000_000},
		{0x80 | 127, 0, math.MaxUint64, 0},
		{6, 3600, 1_000_000, 3601_000_000_000},
		{6, -1, 1_500_000, 500_000_000},
		{6, -2, 1_500_000, -1},
		{9, 0, maxTime, maxTime},
		{9, 0, maxTime + 1, -1},
		{9, 1, maxTime, -1},
		{9, maxTime / 1_000_000_000, maxTime, -1},
		{6, 0, math.MaxUint64 - 505_000_000, -1}, // 505 s before 1970
		{0, 0, math.MaxUint64, -1},
		{0x80, 0, math.MaxUint64, -1},
		{6, math.MaxInt64, 0, -1},
		{6, math.MinInt64, 0, -1},
	} {
		c := newNGClock(tc.resol, tc.offset)
		got, ok := c.nanos(tc.ticks)
		require.Equal(t, tc.want >= 0, ok, "%+v", tc)
		if ok {
			require.Equal(t, tc.want, got, "%+v", tc)
		}
	}
}
