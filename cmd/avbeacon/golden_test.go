package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden compares with testdata/golden/NAME; UPDATE_GOLDEN=1 (make golden) writes that file instead.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "golden", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run make golden")
	if bytes.Equal(want, got) {
		return
	}
	old, now := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range old {
		require.Less(t, i, len(now), "%s ends early", name)
		require.Equal(t, old[i], now[i], "%s, line %d; if that is right, run make golden and look at the difference", name, i+1)
	}
	require.Len(t, now, len(old), "%s goes on", name)
}

// goldenRun runs a command in testdata/pcap. That a capture was cut short is no failure here.
func goldenRun(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, warnings bytes.Buffer
	if err := run(t.Context(), args, nil, &out, &warnings); err != nil {
		var exit *exitError
		require.True(t, errors.As(err, &exit) && exit.code == exitIncomplete && args[len(args)-1] == "cut.pcap", "%v: %v", args, err)
	}
	return out.Bytes()
}

func goldenCaptures(t *testing.T) []string {
	t.Chdir(filepath.Join("..", "..", "testdata", "pcap"))
	list, err := filepath.Glob("*.pcap")
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

func TestGoldenObserve(t *testing.T) {
	for _, name := range goldenCaptures(t) {
		got := goldenRun(t, "observe", "--quiet", "--workers", "1", name)
		require.NotEmpty(t, got)
		require.True(t, bytes.Equal(got, goldenRun(t, "observe", "--quiet", "--workers", "3", name)), "%s: workers change the output", name)
		golden(t, strings.TrimSuffix(name, ".pcap")+".jsonl", got)
	}
}

func TestGoldenAnalyze(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("golden key of 32", 4)), 0o600))
	for _, name := range goldenCaptures(t) {
		analyze := func(workers string) []byte {
			out := goldenRun(t, "analyze", "--quiet", "--id-key", key, "--workers", workers, "--format", "json", name)
			return steadyReport(t, out)
		}
		got := analyze("1")
		require.True(t, bytes.Equal(got, analyze("3")), "%s: workers change the report", name)
		golden(t, strings.TrimSuffix(name, ".pcap")+".report.json", got)
	}
}

// undated takes the dates of place databases and catalogue entries out of a value.
func undated(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "date")
		for _, inner := range v {
			undated(inner)
		}
	case []any:
		for _, inner := range v {
			undated(inner)
		}
	}
}

// ageless takes out of a list the sentences that say how old the place data is.
func ageless(v map[string]any, list string) {
	old, _ := v[list].([]any)
	v[list] = slices.DeleteFunc(old, func(s any) bool { return strings.HasPrefix(s.(string), "Place database ") })
}

// steadyReport leaves out of a report what changes with the build, the day and the data that is embedded.
func steadyReport(t *testing.T, b []byte) []byte {
	t.Helper()
	var report map[string]any
	require.NoError(t, json.Unmarshal(b, &report))
	for _, field := range []string{"version", "generated", "catalog", "place_data"} {
		require.Contains(t, report, field)
		delete(report, field)
	}
	undated(report)
	ageless(report, "notes")
	ageless(report["coverage"].(map[string]any), "words")
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	require.NoError(t, encoder.Encode(report))
	return out.Bytes()
}
