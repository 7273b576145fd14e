package files

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// putFile writes a file into dir and gives its name.
func putFile(t testing.TB, dir, name string, content []byte) string {
	name = filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(t, os.WriteFile(name, content, 0o600))
	return name
}

// pcapFrom is a capture whose first packet comes so many seconds after someStart.
func pcapFrom(second int64) []byte {
	p := madePacket{someStart + second*1e9, "abc", 3, capture.LinkEthernet}
	return madePcap(binary.LittleEndian, pcapMicro, []madePacket{p, p})
}

// rotated makes a folder of rotated captures among other files; names are in the order of time.
func rotated(t *testing.T) (dir string, names []string) {
	dir = t.TempDir()
	names = []string{
		putFile(t, dir, "z.pcap", pcapFrom(1)),
		putFile(t, dir, "m.20240301.gz", gzipped(t, pcapFrom(2))),
		putFile(t, dir, "a.pcap1", zstdded(t, madeNG(binary.BigEndian, somePackets()[3:]))), // 3 s and some
		putFile(t, dir, "b", madeSnoop(somePackets()[5:])),
		putFile(t, dir, "c.pcap", nil), // empty: at the end, by name
		putFile(t, dir, "d.cap", []byte("broken")),
		putFile(t, dir, "e", madePcap(binary.LittleEndian, pcapNano, nil)),
	}
	putFile(t, dir, ".hidden.pcap", pcapFrom(0))
	putFile(t, dir, "README", []byte("these are captures"))
	putFile(t, dir, "log.gz", gzipped(t, []byte("a log")))
	putFile(t, dir, "nothing", nil)
	putFile(t, dir, "sub/x.pcap", pcapFrom(0))
	return dir, names
}

func TestExpandInputsFolder(t *testing.T) {
	dir, want := rotated(t)
	got, err := Expand([]string{dir})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestExpandInputsPattern(t *testing.T) {
	dir, names := rotated(t)
	got, err := Expand([]string{filepath.Join(dir, "*.pcap*")})
	require.NoError(t, err)
	require.Equal(t, []string{names[0], names[2], names[4]}, got)

	got, err = Expand([]string{filepath.Join(dir, ".h*")})
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, ".hidden.pcap")}, got)

	got, err = Expand([]string{filepath.Join(dir, "*")})
	require.NoError(t, err)
	require.Equal(t, names[:4], got[:4])
	require.Len(t, got, len(names)+3, "a file that is not a capture is there too, the folder is not")
}

// A file whose name reads like a pattern is that file.
func TestExpandInputsOddNames(t *testing.T) {
	dir := t.TempDir()
	odd := putFile(t, dir, "a[1].pcap", pcapFrom(1))
	putFile(t, dir, "a1.pcap", pcapFrom(1))
	for _, arg := range []string{odd, filepath.Join(dir, "[bad"), filepath.Join(dir, "*.none"), "none"} {
		got, err := Expand([]string{arg})
		require.NoError(t, err)
		require.Equal(t, []string{arg}, got)
	}
}

// Arguments make one timeline; what cannot be looked into keeps its place, what is broken goes to the end.
func TestExpandInputsOneTimeline(t *testing.T) {
	dir := t.TempDir()
	late, early := putFile(t, dir, "late.pcap", pcapFrom(50)), putFile(t, dir, "early.pcap", pcapFrom(10))
	same := putFile(t, dir, "same.pcap", pcapFrom(10))
	empty, folder := t.TempDir(), t.TempDir()
	inFolder := putFile(t, folder, "x.pcap", pcapFrom(20))
	got, err := Expand([]string{"none.pcap", late, "-", empty, early, same, folder})
	require.NoError(t, err)
	require.Equal(t, []string{early, same, "-", inFolder, late, "none.pcap", empty}, got)

	packets, in := readAll(t, Open(got, Options{Stdin: bytes.NewReader(pcapFrom(30))}))
	require.Len(t, packets, 10)
	require.EqualError(t, in[5].Err, "none.pcap: no such file")
	require.ErrorContains(t, in[6].Err, "folder without capture files")
}

func TestExpandInputsErrors(t *testing.T) {
	_, err := Expand(nil)
	require.EqualError(t, err, "no input: give files, folders or - for standard input")
	_, err = Expand([]string{"-", "x", "-"})
	require.EqualError(t, err, "standard input (-) is given twice: it can be read only once")
}

// The look for the first packet's time ends early in a file that holds anything but packets.
func TestFirstTimeIsBounded(t *testing.T) {
	o := byteOrder(binary.LittleEndian)
	file := append(madeNG(o, nil), bytes.Repeat(ngBlock(o, 10, make([]byte, 1<<16)), 40)...)
	file = append(file, ngEPB(o, 0, 5, "x", 1)...)
	at, _ := firstTime(putFile(t, t.TempDir(), "x.pcapng", file))
	require.Equal(t, int64(lastPlace), at)
	packets, in := readBytes(t, file, 0)
	require.Len(t, packets, 1)
	require.NoError(t, in.Err)
}

func TestStrangersAreNamed(t *testing.T) {
	for _, s := range strangers() {
		err := notCapture([]byte(s.magic + strings.Repeat("\x00", 20)))
		require.ErrorContains(t, err, s.name)
		require.ErrorIs(t, err, errNotCapture)
	}
}
