package deliver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/samples"
)

func opened(t *testing.T, cfg Sink, opt Options) alert.Sink {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "test"
	}
	s, err := Open(cfg, opt)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// encoder returns the encoder of a format as sinks of these tests have it.
func encoder(t *testing.T, name string) format.Encoder {
	t.Helper()
	f, err := formatOf(name)
	require.NoError(t, err)
	e, err := f.Encoder(format.Options{Hostname: "tap01"})
	require.NoError(t, err)
	return e
}

func delivered(t *testing.T, s alert.Sink, batch []*alert.Alert) {
	t.Helper()
	n, rejected, err := s.Deliver(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, len(batch), n)
}

// idsOf reads lines of JSON and gives the event.id of each: a line that is no JSON fails.
func idsOf(t *testing.T, r io.Reader) []string {
	t.Helper()
	var ids []string
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, len(all) == 0 || all[len(all)-1] == '\n', "the last line is cut")
	for s := bufio.NewScanner(bytes.NewReader(all)); s.Scan(); {
		var line struct {
			Event struct{ ID string }
		}
		require.NoError(t, json.Unmarshal(s.Bytes(), &line), "%s", s.Text())
		ids = append(ids, line.Event.ID)
	}
	return ids
}

func idsIn(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return idsOf(t, f)
	}
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	return idsOf(t, z)
}

func idRange(from, to int) []string {
	var ids []string
	for _, a := range samples.Numbered(from, to) {
		ids = append(ids, a.ID)
	}
	return ids
}

func TestFileGrowsByWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	cfg := Sink{Type: "file", File: File{Path: path, Sync: true}}
	s := opened(t, cfg, Options{})
	delivered(t, s, samples.Numbered(0, 3))
	delivered(t, s, samples.Numbered(3, 4))
	require.NoError(t, s.Close())
	again := opened(t, cfg, Options{})
	delivered(t, again, samples.Numbered(4, 6))
	require.Equal(t, idRange(0, 6), idsIn(t, path))
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0, st.Mode().Perm()&0o007, "others may read alerts")
}

func TestFileRotatesBySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	s := opened(t, Sink{Type: "file", File: File{Path: path, Size: 8 << 10}}, Options{})
	for i := range 40 {
		delivered(t, s, samples.Numbered(i, i+1))
	}
	var ids []string
	olds := asides(t, path)
	require.Greater(t, len(olds), 2)
	for _, old := range append(olds, path) {
		st, err := os.Stat(old)
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(8<<10))
		ids = append(ids, idsIn(t, old)...)
	}
	require.Equal(t, idRange(0, 40), ids, "no alert is lost or doubled by rotation, and the names sort by age")
}

// asides lists what was set aside, by name.
func asides(t *testing.T, path string) []string {
	t.Helper()
	olds, err := filepath.Glob(strings.TrimSuffix(path, ".ndjson") + "-*")
	require.NoError(t, err)
	return olds
}

func TestFileRotatesByTimeAlsoAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	cfg := Sink{Type: "file", File: File{Path: path, Every: time.Hour}}
	s := opened(t, cfg, Options{})
	delivered(t, s, samples.Numbered(0, 2))
	require.NoError(t, s.Close())
	yesterday := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(path, yesterday, yesterday))
	s = opened(t, cfg, Options{})
	delivered(t, s, samples.Numbered(2, 3))
	olds := asides(t, path)
	require.Len(t, olds, 1)
	require.Equal(t, idRange(0, 2), idsIn(t, olds[0]))
	require.Equal(t, idRange(2, 3), idsIn(t, path))
}

// A file from the future, as one has it after the clock was set back, is not rotated and loses nothing.
func TestFileBearsAClockThatGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	later := filepath.Join(filepath.Dir(path), "alerts-20991231T000000.000000Z.ndjson")
	require.NoError(t, os.WriteFile(later, nil, 0o600))
	s := opened(t, Sink{Type: "file", File: File{Path: path, Size: 1, Keep: 2}}, Options{})
	for i := range 4 {
		delivered(t, s, samples.Numbered(i, i+1))
	}
	require.NoError(t, s.Close())
	olds := asides(t, path)
	require.Equal(t, idRange(2, 3), idsIn(t, olds[len(olds)-1]), "the newest has the last name")
	require.NoFileExists(t, later)
}

func TestFileKeepsSoManyAndPacksThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	other := filepath.Join(filepath.Dir(path), "alerts-of-ours.ndjson")
	half := filepath.Join(filepath.Dir(path), "alerts-20200101T000000.000000Z.ndjson.gz.tmp")
	require.NoError(t, os.WriteFile(other, []byte("mine"), 0o600))
	require.NoError(t, os.WriteFile(half, []byte("cut"), 0o600))
	cfg := Sink{Type: "file", File: File{Path: path, Size: 1, Keep: 3, Gzip: true}}
	for i := range 8 { // each start ends the work of the one before
		s := opened(t, cfg, Options{})
		delivered(t, s, samples.Numbered(i, i+1))
		require.Eventually(t, func() bool { return s.(*fileSink).out.tidying.Load() == 0 }, time.Minute, time.Millisecond)
		require.NoError(t, s.Close())
	}
	s := opened(t, cfg, Options{})
	delivered(t, s, samples.Numbered(8, 9))
	require.Eventually(t, func() bool { return s.(*fileSink).out.tidying.Load() == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, s.Close())
	require.FileExists(t, other)
	require.NoFileExists(t, half)
	var ids []string
	for _, old := range asides(t, path) {
		if old != other {
			ids = append(ids, idsIn(t, old)...)
		}
	}
	require.Equal(t, idRange(5, 8), ids)
	require.Equal(t, idRange(8, 9), idsIn(t, path))
}

func TestFileIsReopened(t *testing.T) {
	for _, reopen := range []bool{true, false} {
		t.Run(fmt.Sprint("reopen=", reopen), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "alerts.ndjson")
			s := opened(t, Sink{Type: "file", File: File{Path: path},
				Filter: alert.Filter{Severity: "high"}}, Options{}) // behind a filter too
			delivered(t, s, samples.Numbered(0, 2))
			require.NoError(t, os.Rename(path, path+".1"))
			if reopen {
				s.(Reopener).Reopen()
			}
			delivered(t, s, samples.Numbered(2, 3))
			require.Equal(t, idRange(0, 2), idsIn(t, path+".1"))
			require.Equal(t, idRange(2, 3), idsIn(t, path))
		})
	}
}

func TestFileRepairsItsEnd(t *testing.T) {
	whole := "{\"event\":{\"id\":\"old\"}}\n"
	for name, c := range map[string]struct {
		before string
		want   []string
		err    string
	}{
		"whole":         {before: whole, want: []string{"old", "a0000"}},
		"empty":         {before: "", want: []string{"a0000"}},
		"cut":           {before: whole + `{"event":{"id":"ha`, want: []string{"old", "a0000"}},
		"only a cut":    {before: `{"eve`, want: []string{"a0000"}},
		"cut CEF":       {before: whole + "CE", want: []string{"old", "a0000"}},
		"zeros":         {before: whole + strings.Repeat("\x00", 512), want: []string{"old", "a0000"}},
		"somebody's":    {before: "SQLite format 3\x00", err: "does not end in a line that avbeacon wrote"},
		"their last":    {before: whole + "not ours", err: "does not end in a line that avbeacon wrote"},
		"a huge record": {before: strings.Repeat("{", mostTail+1), err: "does not end in a line that avbeacon wrote"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "alerts.ndjson")
			require.NoError(t, os.WriteFile(path, []byte(c.before), 0o600))
			s := opened(t, Sink{Type: "file", File: File{Path: path}}, Options{})
			n, _, err := s.Deliver(t.Context(), samples.Numbered(0, 1))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.Zero(t, n)
				left, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, c.before, string(left), "what is not ours must stay as it is")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, idsIn(t, path))
		})
	}
}

func TestFileErrorsNameSinkAndKey(t *testing.T) {
	dir := t.TempDir()
	for want, cfg := range map[string]Sink{
		"file.path: is missing":            {},
		"file.path: stat":                  {File: File{Path: filepath.Join(dir, "none", "a")}},
		"file.size: must not be negative":  {File: File{Path: filepath.Join(dir, "a"), Size: -1}},
		"file.every: must not be negative": {File: File{Path: filepath.Join(dir, "a"), Every: -1}},
		"file.keep: must not be negative":  {File: File{Path: filepath.Join(dir, "a"), Keep: -1}},
		`format: unknown format "xml"`:     {Format: "xml", File: File{Path: filepath.Join(dir, "a")}},
	} {
		cfg.Name = "soc"
		if cfg.Type == "" {
			cfg.Type = "file"
		}
		_, err := Open(cfg, Options{})
		require.ErrorContains(t, err, "sink soc: "+want)
	}
}

func TestFileThatIsNone(t *testing.T) {
	s := opened(t, Sink{Type: "file", File: File{Path: os.DevNull}}, Options{})
	n, _, err := s.Deliver(t.Context(), samples.Numbered(0, 1))
	require.ErrorContains(t, err, "not a regular file")
	require.Zero(t, n)
}
