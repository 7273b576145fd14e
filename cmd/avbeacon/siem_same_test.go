package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem"
)

// when is what each format says of the time at which an alert was made: all in which a run over a capture may differ.
func when() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"ecs":    regexp.MustCompile(`,"created":"[^"]*"`),
		"ocsf":   regexp.MustCompile(`,"logged_time":[0-9]*`),
		"cef":    regexp.MustCompile(` deviceCustomDate1Label=\w* deviceCustomDate1=[0-9]*`),
		"leef":   regexp.MustCompile(`\^created=[0-9]*`),
		"eve":    regexp.MustCompile(`,"created_at":\["[^"]*"\]`),
		"hec":    regexp.MustCompile(`,"created":"[^"]*"`),
		"syslog": regexp.MustCompile(` created="[^"]*"`),
		"stix":   regexp.MustCompile(`$^`),
	}
}

// linesOf reads a file of alerts, sorted, without when they were made. The spool keeps the order of each host, and not
// between hosts.
func linesOf(t testing.TB, name string, made *regexp.Regexp) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	list := strings.Split(strings.TrimSuffix(made.ReplaceAllString(string(text), ""), "\n"), "\n")
	slices.Sort(list)
	return list
}

// objects gives those of STIX bundles by their ids. What is in several is the same in all.
func objects(t testing.TB, bundles []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, line := range bundles {
		var b struct{ Objects []json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(line), &b))
		for _, o := range b.Objects {
			var x struct{ ID string }
			require.NoError(t, json.Unmarshal(o, &x))
			require.Contains(t, []string{"", string(o)}, out[x.ID])
			out[x.ID] = string(o)
		}
	}
	return out
}

// sameRun is a capture with a configuration of a file a format, which monitor has run over.
type sameRun struct{ capture, file, dir, sensor, key string }

func newSameRun(t testing.TB, capture string) *sameRun {
	t.Helper()
	var sinks strings.Builder
	for _, f := range siem.Formats() {
		fmt.Fprintf(&sinks, "  - {name: %s, type: file, format: %s, file: {path: %%s/%s}}\n", f, f, f)
	}
	r := &sameRun{capture: capture}
	r.file, r.dir = configured(t, "listen: {address: \"\"}\n"+eachAlert+"sinks:\n"+sinks.String())
	var err error
	r.sensor, err = os.Hostname() // which messages name as their sender
	require.NoError(t, err)
	r.key = filepath.Join(r.dir, "key")
	require.NoError(t, os.WriteFile(r.key, []byte("0123456789abcdef"), 0o600))
	p := avbeacon(t, "monitor", "-c", r.file, "-r", capture, "--sensor", r.sensor, "--id-key", r.key)
	p.end(t)
	return r
}

// analyze runs over the same capture.
func (r *sameRun) analyze(t testing.TB, args ...string) {
	t.Helper()
	invoked(t, append([]string{"analyze", r.capture, "--quiet", "--sensor", r.sensor, "--id-key", r.key, "-o", os.DevNull}, args...)...)
}

// analyze --alerts writes, and analyze --config sends, in every format what monitor sends of the same capture under the same
// name of the tap.
func TestAnalyzeSendsWhatMonitorSends(t *testing.T) {
	t.Parallel()
	for _, capture := range []string{"../../testdata/pcap/office.pcap", newCrowd(t, 20).file(t)} {
		r := newSameRun(t, capture)
		rules := filepath.Join(r.dir, "rules.yaml")
		require.NoError(t, os.WriteFile(rules, []byte(eachAlert), 0o600))
		told := map[string][]string{}
		for _, f := range siem.Formats() {
			name := filepath.Join(r.dir, f)
			told[f] = linesOf(t, name, when()[f])
			require.Greater(t, len(told[f]), 10)
			require.NoError(t, os.Remove(name))
			r.analyze(t, "--alert-format", f, "--alerts", name+".written", "--config", rules)
			written := linesOf(t, name+".written", when()[f])
			if f == "stix" { // one bundle of all
				require.Equal(t, objects(t, told[f]), objects(t, written))
				continue
			}
			require.Equal(t, told[f], written, f)
		}
		r.analyze(t, "--config", r.file)
		for _, f := range siem.Formats() {
			require.Equal(t, told[f], linesOf(t, filepath.Join(r.dir, f), when()[f]), f)
		}
	}
}
