package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
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
func fill(t *testing.T, dir string) func() { return fillAs(t, filepath.Join(dir, "filler")) }

func fill2(t *testing.T, dir string) func() { return fillAs(t, filepath.Join(dir, "filler2")) }

func fillAs(t *testing.T, name string) func() {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 1<<16))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// A real disk fills up while alerts flow: the reserve is given up first; then what comes waits in memory, the error says so,
// and writing resumes when there is room. Nothing is lost, and the store is not judged damaged.
func TestADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64m")
	file := filepath.Join(dir, "a.db")
	k := newStrict()
	s := start(t, file, Options{}, map[string]*strict{"k": k})
	require.FileExists(t, file+".reserve")
	for n := range 500 {
		s.offer(made(n, 1))
	}
	eventually(t, "before", func() bool { return len(k.has()) == 500 })
	free := fill(t, dir)
	big := func(n int) *alert.Alert {
		a := made(n, 1)
		a.Message = strings.Repeat("m", 2000)
		return a
	}
	for n := 500; n < 700; n++ {
		s.offer(big(n))
	}
	eventually(t, "the reserve is there for that", func() bool { return len(k.has()) == 700 })
	require.NoFileExists(t, file+".reserve")
	again := fill2(t, dir)
	for n := 700; n < 3000; n++ {
		s.offer(big(n))
	}
	eventually(t, "alerts wait", func() bool { return errors.Is(s.failed(), store.ErrFull) })
	require.Equal(t, 1, strings.Count(s.failed().Error(), store.ErrFull.Error()), "said once: %v", s.failed())
	require.NotZero(t, s.Stats().Waiting)
	again()
	free()
	eventually(t, "it goes on", func() bool { return s.Stats().Waiting == 0 && len(k.has()) == 3000 })
	require.NoError(t, s.stop())
	require.Equal(t, ids(0, 3000), k.ids)
	require.Empty(t, s.store.Damage())

	s = start(t, file, Options{}, nil)
	require.NoError(t, s.stop())
	require.FileExists(t, file+".reserve", "made again when there is room")
	free = fill(t, dir)
	late := newStrict()
	s = start(t, file, Options{}, map[string]*strict{"late": late}) // a start on a full disk
	require.Empty(t, s.store.Damage())
	s.offer(made(3000, 1))
	free()
	eventually(t, "it goes on", func() bool { return len(late.has()) > 0 && late.has()[len(late.has())-1] == made(3000, 1).ID })
	require.NoError(t, s.stop())
}

func TestDeadLettersOnAFullDiskWait(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "40m")
	k := newStrict()
	full := make(chan struct{})
	k.answer = func(_ int, batch []*alert.Alert) (int, []alert.Rejection, error) {
		<-full
		return len(batch), []alert.Rejection{{Index: 0, Reason: "no"}}, nil
	}
	s := start(t, filepath.Join(dir, "a.db"), Options{}, nil)
	a := made(1, 1)
	a.Message = strings.Repeat("m", 1<<20)
	s.offer(a)
	eventually(t, "stored", func() bool { return s.Stats().Stored == 1 })
	require.NoError(t, s.Attach(t.Context(), "late", alert.Filter{}, 0, k))
	free := fill(t, dir)
	require.NoError(t, os.Remove(filepath.Join(dir, "a.db.reserve")))
	again := fill2(t, dir)
	close(full)
	eventually(t, "it says so", func() bool { return strings.Contains(s.Stats().Sinks[0].Error, "full") })
	again()
	free()
	eventually(t, "it is kept", func() bool { return s.Stats().Sinks[0].Rejected == 1 })
	list, err := s.store.DeadLetters(t.Context(), "late", 0, 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NoError(t, s.stop())
}

// Wherever the disk fills up while a store is made, the error says so once.
func TestAFullDiskIsSaidOnce(t *testing.T) {
	t.Parallel()
	for pages := 1; ; pages++ {
		file := filepath.Join(smallDisk(t, strconv.Itoa(pages*4096)), "a.db")
		s, err := store.Open(file, store.Options{Steady: true})
		if err == nil {
			require.NoError(t, s.Close())
			require.Greater(t, pages, 10)
			return
		}
		require.ErrorIs(t, err, store.ErrFull)
		require.Equal(t, 1, strings.Count(err.Error(), store.ErrFull.Error()), "%d pages: %v", pages, err)
	}
}
