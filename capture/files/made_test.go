package files

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// madePacket is one packet as a test puts it into a capture and wants it back.
type madePacket struct {
	at   int64
	data string
	orig uint32
	link capture.LinkType
}

// byteOrder is what both binary.LittleEndian and binary.BigEndian are.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// someStart is 2024-03-01 12:00:00 UTC in nanoseconds.
const someStart = int64(1709294400) * 1e9

// somePackets have lengths around the record headers' own, one empty and one cut.
func somePackets() []madePacket {
	sizes := []int{60, 0, 1, 15, 16, 17, 23, 24, 25, 333}
	var list []madePacket
	for i, n := range sizes {
		data := bytes.Repeat([]byte{byte('a' + i)}, n)
		list = append(list, madePacket{someStart + int64(i)*1_000_123_000, string(data), uint32(n), capture.LinkEthernet})
	}
	list[9].orig = 1500
	return list
}

// pcapHead is a file header.
func pcapHead(o byteOrder, magic uint32, minor uint16, link uint32) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, minor)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 65535)
	return o.AppendUint32(b, link)
}

func pcapRecord(o byteOrder, magic uint32, p madePacket) []byte {
	unit := int64(1000)
	if magic == pcapNano {
		unit = 1
	}
	b := o.AppendUint32(nil, uint32(p.at/1e9))
	b = o.AppendUint32(b, uint32(p.at%1e9/unit))
	b = o.AppendUint32(b, uint32(len(p.data)))
	b = o.AppendUint32(b, p.orig)
	if magic == pcapModified {
		b = append(b, 0, 0, 0, 1, 8, 0, 4, 0)
	}
	return append(b, p.data...)
}

func madePcap(o byteOrder, magic uint32, list []madePacket) []byte {
	b := pcapHead(o, magic, 4, 1)
	for _, p := range list {
		b = append(b, pcapRecord(o, magic, p)...)
	}
	return b
}

func madeSnoop(list []madePacket) []byte {
	o := binary.BigEndian
	b := append([]byte(snoopMagic), 0, 0, 0, 2, 0, 0, 0, 4)
	for _, p := range list {
		pad := -len(p.data) & 3
		b = o.AppendUint32(b, p.orig)
		b = o.AppendUint32(b, uint32(len(p.data)))
		b = o.AppendUint32(b, uint32(snoopRecord+len(p.data)+pad))
		b = o.AppendUint32(b, 7) // lost since the beginning
		b = o.AppendUint32(b, uint32(p.at/1e9))
		b = o.AppendUint32(b, uint32(p.at%1e9/1000))
		b = append(append(b, p.data...), make([]byte, pad)...)
	}
	return b
}

// ngBlock frames a block's body.
func ngBlock(o byteOrder, kind uint32, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	b = append(b, make([]byte, -len(b)&3)...)
	size := uint32(len(b) + ngMinBlock)
	return o.AppendUint32(append(o.AppendUint32(o.AppendUint32(nil, kind), size), b...), size)
}

func ngSHB(o byteOrder) []byte {
	b := o.AppendUint32(nil, ngByteOrder)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	return ngBlock(o, ngSection, b, bytes.Repeat([]byte{0xff}, 8))
}

func ngOption(o byteOrder, code uint16, value ...byte) []byte {
	b := o.AppendUint16(o.AppendUint16(nil, code), uint16(len(value)))
	return append(append(b, value...), make([]byte, -len(value)&3)...)
}

func ngIDB(o byteOrder, link uint16, snap uint32, options ...[]byte) []byte {
	b := o.AppendUint32(o.AppendUint16(o.AppendUint16(nil, link), 0), snap)
	return ngBlock(o, ngInterface, append([][]byte{b}, options...)...)
}

func ngEPB(o byteOrder, iface uint32, ticks uint64, data string, orig uint32) []byte {
	b := o.AppendUint32(nil, iface)
	b = o.AppendUint32(o.AppendUint32(b, uint32(ticks>>32)), uint32(ticks))
	b = o.AppendUint32(o.AppendUint32(b, uint32(len(data))), orig)
	return ngBlock(o, ngEnhanced, b, []byte(data))
}

func ngPB(o byteOrder, iface, lost uint16, ticks uint64, data string) []byte {
	b := o.AppendUint16(o.AppendUint16(nil, iface), lost)
	b = o.AppendUint32(o.AppendUint32(b, uint32(ticks>>32)), uint32(ticks))
	b = o.AppendUint32(o.AppendUint32(b, uint32(len(data))), uint32(len(data)))
	return ngBlock(o, ngPacket, b, []byte(data))
}

func ngISB(o byteOrder, iface uint32, options ...[]byte) []byte {
	b := append(o.AppendUint32(nil, iface), make([]byte, 8)...)
	return ngBlock(o, ngStatistics, append([][]byte{b}, options...)...)
}

// madeNG is a section with one interface of microseconds.
func madeNG(o byteOrder, list []madePacket) []byte {
	b := append(ngSHB(o), ngIDB(o, 1, 0)...)
	for _, p := range list {
		b = append(b, ngEPB(o, 0, uint64(p.at/1000), p.data, p.orig)...)
	}
	return b
}

// mixedNG has all that a section can have, in both byte orders, and the packets that are in it.
func mixedNG() ([]byte, []madePacket) {
	little, big := byteOrder(binary.LittleEndian), byteOrder(binary.BigEndian)
	at := someStart
	file := bytes.Join([][]byte{
		ngSHB(little),
		ngIDB(little, 1, 8),
		ngBlock(little, 4, make([]byte, 40)), // name resolution
		ngEPB(little, 0, uint64(at/1000), "micro", 5),
		ngIDB(little, 101, 0, ngOption(little, optTSResol, 9), ngOption(little, optEnd)),
		ngEPB(little, 1, uint64(at+5), "nano", 900),
		ngBlock(little, 10, make([]byte, 100)), // decryption secrets
		ngEPB(little, 0, math.MaxUint64-505_000_000, "before 1970", 11),
		ngBlock(little, ngSimple, little.AppendUint32(nil, 20), []byte("cut at 8")),
		ngISB(little, 1, ngOption(little, optIfDrop, 3, 0, 0, 0, 0, 0, 0, 0), ngOption(little, optOSDrop, 4, 0, 0, 0, 0, 0, 0, 0)),
		ngISB(little, 1, ngOption(little, optIfDrop, 5, 0, 0, 0, 0, 0, 0, 0), ngOption(little, optOSDrop, 5, 0, 0, 0, 0, 0, 0, 0)),
		ngSHB(big),
		ngIDB(big, 113, 0, ngOption(big, optTSResol, 0x80|20), ngOption(big, optTSOffset, 0, 0, 0, 0, 0, 0, 0x0e, 0x10)),
		ngBlock(big, 0x40000bad, make([]byte, 8)), // custom
		ngEPB(big, 0, uint64(at/1e9-3600)<<20|1<<19, "binary", 6),
		ngPB(big, 0, 2, uint64(at/1e9-3600)<<20, "obsolete"),
		ngPB(big, 0, 0xffff, uint64(at/1e9-3600)<<20, ""),
		ngBlock(big, ngSimple, big.AppendUint32(nil, 3), []byte("abc")),
	}, nil)
	return file, []madePacket{
		{at, "micro", 5, capture.LinkEthernet},
		{at + 5, "nano", 900, capture.LinkRaw},
		{at + 5, "before 1970", 11, capture.LinkEthernet},
		{at + 5, "cut at 8", 20, capture.LinkEthernet},
		{at + 5e8, "binary", 6, capture.LinkLinuxSLL},
		{at, "obsolete", 8, capture.LinkLinuxSLL},
		{at, "", 0, capture.LinkLinuxSLL},
		{at, "abc", 3, capture.LinkLinuxSLL},
	}
}

// gopacketPcap and gopacketNG are captures that another library wrote.
func gopacketPcap(t testing.TB, list []madePacket, nano bool) []byte {
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if nano {
		w = pcapgo.NewWriterNanos(&file)
	}
	require.NoError(t, w.WriteFileHeader(65535, layers.LinkTypeEthernet))
	for _, p := range list {
		require.NoError(t, w.WritePacket(gopacketInfo(p), []byte(p.data)))
	}
	return file.Bytes()
}

func gopacketNG(t testing.TB, list []madePacket) []byte {
	var file bytes.Buffer
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	require.NoError(t, err)
	for _, p := range list {
		require.NoError(t, w.WritePacket(gopacketInfo(p), []byte(p.data)))
	}
	require.NoError(t, w.Flush())
	return file.Bytes()
}

func gopacketInfo(p madePacket) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: time.Unix(0, p.at).UTC(), CaptureLength: len(p.data), Length: int(p.orig)}
}

// gzipped and zstdded compress each part as a member or frame of its own.
func gzipped(t testing.TB, parts ...[]byte) []byte {
	var file bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&file)
		_, err := w.Write(part)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	return file.Bytes()
}

func zstdded(t testing.TB, parts ...[]byte) []byte {
	var file bytes.Buffer
	for _, part := range parts {
		w, err := zstd.NewWriter(&file)
		require.NoError(t, err)
		_, err = w.Write(part)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	return file.Bytes()
}

func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
