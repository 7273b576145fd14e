package files

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// rotation is a folder that a test writes captures into, and the Source that watches it.
type rotation struct {
	t      *testing.T
	dir    string
	src    *Folder
	cancel func()
	got    chan capture.Packet
	ended  chan error
	events chan WatchEvent
	ticks  chan int64
}

func newRotation(t *testing.T) *rotation {
	r := &rotation{t: t, dir: t.TempDir(), got: make(chan capture.Packet, 10000), ended: make(chan error, 1),
		events: make(chan WatchEvent, 1000), ticks: make(chan int64, 10000)}
	return r
}

// watch begins to read what is there.
func (r *rotation) watch() {
	src, err := Watch(r.dir, WatchOptions{Every: 20 * time.Millisecond, Event: func(e WatchEvent) { r.events <- e }})
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.src, r.cancel = src, cancel
	go func() {
		var b capture.Block
		for {
			err := src.Next(ctx, &b)
			if err != nil {
				r.ended <- err
				return
			}
			if len(b.Packets) == 0 {
				r.ticks <- b.Now
			}
			for _, p := range b.Packets {
				p.Data = bytes.Clone(p.Data)
				r.got <- p
			}
		}
	}()
	r.t.Cleanup(func() {
		cancel()
		require.ErrorIs(r.t, <-r.ended, io.EOF)
		require.NoError(r.t, src.Close())
	})
}

func (r *rotation) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rotation) write(name string, data []byte) {
	require.NoError(r.t, os.WriteFile(r.path(name), data, 0o600))
}

func (r *rotation) add(name string, data []byte) {
	file, err := os.OpenFile(r.path(name), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(r.t, err)
	_, err = file.Write(data)
	require.NoError(r.t, err)
	require.NoError(r.t, file.Close())
}

// expect waits for packets whose first bytes are these numbers.
func (r *rotation) expect(numbers ...byte) {
	r.t.Helper()
	for _, n := range numbers {
		select {
		case p := <-r.got:
			require.EqualValues(r.t, n, p.Data[0])
		case <-time.After(time.Minute):
			require.Fail(r.t, "packet did not come", "%d", n)
		}
	}
}

// await waits for what becomes of a file.
func (r *rotation) await(name string, state WatchState) WatchEvent {
	r.t.Helper()
	for {
		select {
		case e := <-r.events:
			if e.File == r.path(name) && e.State == state {
				return e
			}
		case <-time.After(time.Minute):
			require.Fail(r.t, "not told", "%s: %s", name, state)
		}
	}
}

// recordsOf are pcap records of 40 bytes that carry numbers, one second after the other.
func recordsOf(numbers ...byte) []byte {
	var b []byte
	for _, n := range numbers {
		b = slices.Concat(b, le32(1_700_000_000+int(n)), le32(0), le32(40), le32(40), bytes.Repeat([]byte{n}, 40))
	}
	return b
}

func headerOf() []byte {
	return slices.Concat([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0}, le32(0), le32(0), le32(65535), le32(1))
}

func fileOf(numbers ...byte) []byte { return slices.Concat(headerOf(), recordsOf(numbers...)) }

func TestWatchReadsOldFilesThenFollowsTheNewest(t *testing.T) {
	r := newRotation(t)
	r.write("b.pcap", fileOf(1, 2)) // names say nothing
	r.write("a.pcap", fileOf(3, 4))
	r.write("c.pcap", fileOf(5))
	r.write("notes.txt", bytes.Repeat([]byte("no capture\n"), 9))
	r.write(".hidden.pcap", fileOf(99))
	r.watch()
	r.expect(1, 2, 3, 4, 5)
	r.await("notes.txt", WatchSkipped)

	whole := recordsOf(6, 7)
	r.add("c.pcap", whole[:20]) // half written records wait
	require.Positive(t, <-r.ticks)
	require.Empty(t, r.got)
	r.add("c.pcap", whole[20:])
	r.expect(6, 7)

	r.write("d.pcap", headerOf()) // the next file, still without a packet
	r.add("c.pcap", recordsOf(8))
	r.expect(8)
	r.add("d.pcap", recordsOf(9))
	r.await("c.pcap", WatchFinished)
	r.expect(9)
	in := r.src.Inputs()
	require.Len(t, in, 1)
	require.Equal(t, capture.Input{Name: r.dir, Packets: 9, Bytes: 360, First: 1_700_000_001e9, Last: 1_700_000_009e9, Read: 4*24 + 9*56}, in[0])
	require.Equal(t, WatchStats{Current: r.path("d.pcap"), Finished: 3, Skipped: 1}, r.src.Stats())
}

func TestWatchCountsFramesOverAllFiles(t *testing.T) {
	r := newRotation(t)
	r.write("a.pcap", fileOf(1, 2))
	r.write("b.pcap", fileOf(3))
	r.watch()
	for want := range uint64(3) {
		p := <-r.got
		require.Equal(t, want+1, p.Frame)
		require.Zero(t, p.Input)
	}
}

func TestWatchKeepsTheRecordingsTime(t *testing.T) {
	r := newRotation(t)
	r.watch()
	require.Zero(t, <-r.ticks, "no time is known before the first packet")
	r.write("a.pcap", fileOf(7))
	r.expect(7)
	for len(r.ticks) > 0 {
		<-r.ticks
	}
	before := <-r.ticks
	for range 5 {
		now := <-r.ticks
		require.EqualValues(t, 20*time.Millisecond, now-before)
		before = now
	}
	require.InDelta(t, 1_700_000_007e9, before, 5e9)
}

func TestWatchReadsReplacedFilesAnew(t *testing.T) {
	r := newRotation(t)
	r.write("0", fileOf(1, 2, 3))
	r.write("1", fileOf(4))
	r.watch()
	r.expect(1, 2, 3, 4)
	r.await("0", WatchFinished)
	r.write("0", fileOf(5, 6, 7)) // of the same size and inode, as tcpdump -W writes it
	r.await("1", WatchFinished)
	r.expect(5, 6, 7)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "..", "new"), fileOf(8), 0o600))
	require.NoError(t, os.Rename(filepath.Join(r.dir, "..", "new"), r.path("1"))) // another file under a known name
	r.expect(8)
}

func TestWatchNoticesThatTheFollowedFileIsOverwritten(t *testing.T) {
	r := newRotation(t)
	r.write("0", fileOf(1, 2))
	r.watch()
	r.expect(1, 2)
	r.write("0", fileOf(3, 4, 5, 6, 7)) // longer than what was read
	r.expect(3, 4, 5, 6, 7)
	require.ErrorContains(t, r.await("0", WatchBroken).Err, "overwritten")
	r.add("0", recordsOf(8))
	r.expect(8)
	r.write("0", fileOf(9)) // shorter
	r.expect(9)
	r.await("0", WatchBroken)
}

func TestWatchFollowsRenamedFiles(t *testing.T) {
	r := newRotation(t)
	r.write("now.pcap", fileOf(1))
	r.watch()
	r.expect(1)
	require.NoError(t, os.Rename(r.path("now.pcap"), r.path("then.pcap")))
	r.add("then.pcap", recordsOf(2))
	r.write("now.pcap", fileOf(3))
	r.expect(2, 3)
	r.await("then.pcap", WatchFinished)
	require.NoError(t, os.Rename(r.path("then.pcap"), r.path("old.pcap")))
	r.write("last.pcap", fileOf(4))
	r.expect(4)
	require.EqualValues(t, 4, r.src.Inputs()[0].Packets)
}

func TestWatchReadsOnWhatGrowsAgain(t *testing.T) {
	r := newRotation(t)
	r.write("a.pcap", fileOf(1, 2))
	r.write("b.pcap", fileOf(3))
	r.watch()
	r.expect(1, 2, 3)
	r.await("a.pcap", WatchFinished)
	half := recordsOf(4, 5)
	r.add("a.pcap", half[:70])
	r.expect(4)
	r.await("a.pcap", WatchOpened)
	r.add("a.pcap", half[70:])
	r.expect(5)
	require.NoError(t, os.Chtimes(r.path("b.pcap"), time.Time{}, time.Now().Add(time.Hour)))
	r.write("c.pcap", fileOf(6))
	r.expect(6)
	require.EqualValues(t, 6, r.src.Inputs()[0].Packets)
	require.EqualValues(t, 240, r.src.Inputs()[0].Bytes)
}

func packed(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestWatchReadsPackedFilesOnce(t *testing.T) {
	r := newRotation(t)
	r.write("a.pcap", fileOf(1))
	r.write("b.pcap.gz", packed(t, fileOf(2)))
	r.watch()
	r.expect(1, 2)
	r.write("c.pcap", fileOf(3))
	r.expect(3)
	r.await("a.pcap", WatchFinished)
	// The rotation packs what it has finished.
	r.write("a.pcap.gz", packed(t, fileOf(1)))
	require.NoError(t, os.Remove(r.path("a.pcap")))
	// A packed file that comes slowly.
	late := packed(t, fileOf(4))
	r.write("d.pcap.gz", late[:40])
	r.add("d.pcap.gz", late[40:])
	r.await("d.pcap.gz", WatchFinished)
	r.expect(4)
	require.EqualValues(t, 4, r.src.Inputs()[0].Packets)
	require.Zero(t, r.src.Stats().Broken)
}

func TestWatchTellsOfWhatIsLost(t *testing.T) {
	r := newRotation(t)
	r.write("a.pcap", fileOf(1))
	r.write("b.pcap", slices.Concat(fileOf(2), le32(1), le32(1), le32(1<<30), le32(1<<30), make([]byte, 99)))
	r.write("c.pcap", fileOf(3, 3)[:len(fileOf(3, 3))-10]) // cut short
	r.write("d.pcap", fileOf(4, 5))
	r.watch()
	r.expect(1, 2)
	require.ErrorContains(t, r.await("b.pcap", WatchBroken).Err, "the one packet before it was read")
	r.expect(3, 4, 5)
	var cut *CutShortError
	require.ErrorAs(t, r.await("c.pcap", WatchBroken).Err, &cut)
	r.add("c.pcap", fileOf(3, 3)[len(fileOf(3, 3))-10:])
	r.expect(3) // it was being copied
	require.EqualValues(t, 2, r.src.Stats().Broken)
}

func TestWatchTellsOfWhatVanishes(t *testing.T) {
	r := newRotation(t)
	src, err := Watch(r.dir, WatchOptions{Every: time.Millisecond, Event: func(e WatchEvent) { r.events <- e }})
	require.NoError(t, err)
	defer src.Close()
	for _, name := range []string{"a", "b", "c", "d"} {
		r.write(name+".pcap", fileOf(name[0]))
	}
	ctx, cancel := context.WithCancel(context.Background())
	next := func() byte {
		var b capture.Block
		for len(b.Packets) == 0 {
			require.NoError(t, src.Next(ctx, &b))
		}
		return b.Packets[0].Data[0]
	}
	require.EqualValues(t, 'a', next())
	require.NoError(t, os.Remove(r.path("a.pcap"))) // what is open is read on
	require.NoError(t, os.Remove(r.path("b.pcap")))
	require.EqualValues(t, 'c', next())
	r.await("b.pcap", WatchVanished)
	require.EqualValues(t, 'd', next())
	require.NoError(t, os.Remove(r.path("d.pcap")))
	r.write("e.pcap", fileOf('e'))
	require.EqualValues(t, 'e', next())
	require.EqualValues(t, 1, src.Stats().Vanished)
	r.add("e.pcap", recordsOf('f'))
	cancel()
	var b capture.Block
	require.NoError(t, src.Next(ctx, &b), "what is there is handed out after the end of ctx")
	require.EqualValues(t, 'f', b.Packets[0].Data[0])
	require.ErrorIs(t, src.Next(ctx, &b), io.EOF)
	require.Empty(t, src.Stats().Current)
}

func TestWatchRefuses(t *testing.T) {
	_, err := Watch(filepath.Join(t.TempDir(), "none"), WatchOptions{})
	require.ErrorContains(t, err, "no such file")
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	_, err = Watch(name, WatchOptions{})
	require.ErrorContains(t, err, "it is a file")
	for s := WatchOpened; s <= WatchSkipped; s++ {
		require.NotContains(t, s.String(), "unknown")
	}
	require.Contains(t, WatchState(0).String(), "unknown")
}
