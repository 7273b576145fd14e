package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// What hosts on the network choose to send cannot steer a terminal or a spreadsheet, and JSON keeps it apart from all else.
func TestWireTextIsHarmless(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x\x1b[31m.pcap")
	require.NoError(t, os.WriteFile(file, strangeCapture(t), 0o600))
	for _, args := range [][]string{{"--format", "text"}, {"--explain", "192.168.1.7"}, {"--format", "csv"}, {"--format", "json"}, {"--format", "jsonl"}} {
		out := stdout(t, append([]string{"analyze", file}, args...)...)
		require.Contains(t, string(out), "drweb", args)
		require.False(t, bytes.ContainsFunc(out, func(r rune) bool { return r != '\n' && unicode.Is(unicode.C, r) }), args)
		require.NotContains(t, string(out), "\ufffd", args)
	}
	var r struct {
		Findings []struct {
			Evidence []struct{ Kind, Value string }
		}
	}
	require.NoError(t, json.Unmarshal(stdout(t, "analyze", "--format", "json", file), &r))
	var agents []string
	for _, f := range r.Findings {
		for _, e := range f.Evidence {
			if e.Kind == "user_agent" {
				agents = append(agents, e.Value)
			}
		}
	}
	require.Len(t, agents, 1)
	require.True(t, strings.HasPrefix(agents[0], `DrWebUpdate-12.0\255\254`), agents[0])
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		says string
	}{
		{nil, 0, ""},
		{errors.New("x\x1by\nz"), exitIncomplete, "avbeacon: x\\027y\nz\n"},
		{&exitError{code: exitConcern}, exitConcern, ""},
		{&exitError{code: exitConcern, err: errors.New("disk full")}, exitConcern, "avbeacon: disk full\n"},
		{fmt.Errorf("write report: %w", &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}), exitIncomplete, ""},
		{fmt.Errorf("read: %w", context.Canceled), exitInterrupted, "avbeacon: interrupted; nothing was reported\n"},
	} {
		var out bytes.Buffer
		require.Equal(t, c.code, exitCode(c.err, &out))
		require.Equal(t, c.says, out.String())
	}
}

func TestNearFlag(t *testing.T) {
	flags := newAnalyze(&streams{}).Flags()
	for typed, want := range map[string]string{"formt": "format", "fromat": "format", "ego": "geo", "no-embeded-geo": "no-embedded-geo", "polic": "policy", "nothing-like-it": ""} {
		require.Equal(t, want, nearFlag(flags, typed), typed)
	}
	require.Empty(t, nearFlag(newMonitor(&streams{}).Flags(), "nat"), "a hidden flag is not suggested")
}

// A report's file takes the place of the old one only when it is whole.
func TestOutputAppearsWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, os.WriteFile(name, []byte("old"), 0o640))
	read := func() string {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(b)
	}
	out, err := openOutput("--output", name, nil)
	require.NoError(t, err)
	_, err = out.WriteString("half")
	require.NoError(t, err)
	require.NoError(t, out.Flush())
	require.Equal(t, "old", read())
	require.NoError(t, out.discard())
	require.Equal(t, "old", read())

	out, err = openOutput("--output", name, nil)
	require.NoError(t, err)
	_, err = out.WriteString("new")
	require.NoError(t, err)
	require.NoError(t, out.finish(nil))
	require.Equal(t, "new", read())
	files, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left beside it")
}
