package deliver

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/samples"
)

// A full disk is an error that says so, leaves a file of whole lines, and what was rejected arrives once there is room.
func TestFileOnAFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 32<<10), 0o600))
	path := filepath.Join(dir, "alerts.ndjson")
	s := opened(t, Sink{Type: "file", File: File{Path: path, Sync: true}}, Options{})
	next := 0
	for ; next < 1000; next += 7 {
		n, rejected, err := s.Deliver(t.Context(), samples.Numbered(next, next+7))
		if err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.Zero(t, n)
			require.Empty(t, rejected)
			break
		}
	}
	require.Greater(t, next, 0)
	require.Less(t, next, 1000, "the disk never got full")
	require.Equal(t, idRange(0, next), idsIn(t, path))
	require.NoError(t, os.Remove(ballast))
	delivered(t, s, samples.Numbered(next, next+7))
	require.Equal(t, idRange(0, next+7), idsIn(t, path))
	require.NoError(t, s.Close())
}
