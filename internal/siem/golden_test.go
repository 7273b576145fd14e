package siem

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/samples"
)

// encoding gives the encoder of a name with the options of the golden files.
func encoding(t testing.TB, name string) format.Encoder {
	t.Helper()
	e, err := Encoding(name, format.Options{Hostname: "sensor7.example", PID: 4711, Index: "ids"})
	require.NoError(t, err)
	return e
}

// jsonFormat reports whether a format's records are JSON objects.
func jsonFormat(name string) bool {
	switch name {
	case "cef", "leef", "syslog":
		return false
	}
	return true
}

// TestGolden compares every sample in every name with testdata/golden; UPDATE_GOLDEN=1 (make golden) writes the files
// instead. JSON is indented there, for people who look at differences.
func TestGolden(t *testing.T) {
	for _, f := range formats() {
		for _, s := range samples.All() {
			got, err := encoding(t, f.Name).Append(nil, s.Alert)
			require.NoError(t, err)
			file := f.Name + "-" + s.Name + ".txt"
			if !f.Text {
				file = f.Name + "-" + s.Name + ".json"
				var indented bytes.Buffer
				require.NoError(t, json.Indent(&indented, got, "", " "), "%s", got)
				got = indented.Bytes()
			}
			golden(t, file, append(got, '\n'))
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run make golden")
	require.Equal(t, string(want), string(got), "%s; if that is right, run make golden and look at the difference", name)
}
