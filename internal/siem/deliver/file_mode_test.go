//go:build unix

package deliver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/samples"
)

// A new file of alerts is for its owner alone. One that exists keeps its mode, also after it was rotated and compressed.
func TestFilesOfAlertsArePrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "alerts.ndjson")
	for _, mode := range []os.FileMode{0o600, 0o640} {
		if mode != 0o600 {
			require.NoError(t, os.Chmod(path, mode))
		}
		s := opened(t, Sink{Type: "file", File: File{Path: path, Size: 1, Gzip: true}}, Options{})
		delivered(t, s, samples.Numbered(0, 1))
		if mode != 0o600 {
			delivered(t, s, samples.Numbered(1, 2))
			delivered(t, s, samples.Numbered(2, 3))
		}
		require.NoError(t, s.Close())
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, st.Mode().Perm())
	}
}
