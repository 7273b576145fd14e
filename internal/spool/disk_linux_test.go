package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"avbeacon/internal/config"
)

// smallDisk is a disk of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// fill writes until nothing more fits, and gives what to call to take it away.
func fill(t *testing.T, dir string, less int) func() {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	require.NoError(t, err)
	free, ok := freeBytes(dir)
	require.True(t, ok)
	_, err = f.Write(make([]byte, int(free)-less))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// A real disk fills up while alerts flow, once so that it is seen beforehand and once so that the writes fail: what was
// offered waits in memory, it is said, and goes on when there is room. Nothing is lost, and the stream is not judged damaged.
func TestADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	for name, blind := range map[string]bool{"seen": false, "not seen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if blind && testing.Short() {
				t.Skip("writes have to fail twice, each for as long as a call may take")
			}
			dir := smallDisk(t, "40m")
			spool := filepath.Join(dir, "spool")
			k := newStrict()
			var opt Options
			if blind { // as with a quota
				opt.disk = func() (uint64, bool) { return 1 << 40, true }
			}
			s := start(t, config.Spool{Dir: spool}, opt, map[string]*strict{"k": k})
			for n := range 500 {
				s.Offer(made(n, 1))
			}
			eventually(t, "before", func() bool { return len(k.has()) == 500 })
			free := fill(t, dir, 0)
			for n := 500; n < 3000; n++ {
				a := made(n, 1)
				a.Message = strings.Repeat("m", 2000)
				require.True(t, s.Offer(a))
			}
			eventually(t, "it says so", func() bool { return s.Stats().Waiting != "" })
			time.Sleep(200 * time.Millisecond) // alerts come while there is no room
			require.NotZero(t, s.Stats().Queued)
			free()
			eventually(t, "it goes on", func() bool { return s.Stats().Queued == 0 && len(k.has()) >= 3000 })
			require.NoError(t, s.stop())
			require.Len(t, k.times, 3000)
			requireOrder(t, k.ids)
			require.Empty(t, s.Stats().Damaged)
			require.Empty(t, s.Stats().Waiting)

			free = fill(t, dir, 0)
			again := newStrict()
			s = start(t, config.Spool{Dir: spool}, opt, map[string]*strict{"k": again})
			s.Offer(made(3000, 1))
			eventually(t, "a start on a full disk says so", func() bool { return strings.Contains(s.Stats().Waiting, "no room") })
			free()
			eventually(t, "it goes on", func() bool { return len(again.has()) == 1 })
			require.NoError(t, s.stop())
			require.Empty(t, s.Stats().Damaged)
		})
	}
}

func TestDeadLettersOnAFullDiskWait(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "20m")
	k := newStrict()
	k.answer = refuse(1)
	s := start(t, config.Spool{Dead: filepath.Join(dir, "dead.ndjson")}, Options{}, map[string]*strict{"k": k})
	free := fill(t, dir, 0)
	s.Offer(made(1, 1))
	eventually(t, "it says so", func() bool { return strings.Contains(s.Stats().Sinks[0].Error, "no space") })
	free()
	eventually(t, "it is kept", func() bool { return s.Stats().Sinks[0].Refused == 1 })
	require.NoError(t, s.stop())
	require.Len(t, readLetters(t, filepath.Join(dir, "dead.ndjson")), 1)
}
