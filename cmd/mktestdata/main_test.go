package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSame makes everything twice and holds it against the files in the repository too.
func TestSame(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	require.NoError(t, run([]string{"-dir", first}, io.Discard))
	require.NoError(t, run([]string{"-dir", second}, io.Discard))
	total := 0
	for _, f := range files {
		a := read(t, filepath.Join(first, f.name))
		total += len(a)
		require.True(t, string(a) == string(read(t, filepath.Join(second, f.name))), "%s differs from run to run", f.name)
		kept := read(t, filepath.Join("..", "..", "testdata", "pcap", f.name))
		require.True(t, string(a) == string(kept), "testdata/pcap/%s is not what go run ./cmd/mktestdata writes", f.name)
	}
	require.Less(t, total, 300_000)
}

func TestWrongUse(t *testing.T) {
	require.Error(t, run([]string{"-nonsense"}, io.Discard))
	require.Error(t, run([]string{"-dir", filepath.Join(os.DevNull, "x")}, io.Discard))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
