package metrics

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at is a time so many seconds after some moment.
func at(seconds float64) time.Time {
	return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// whole is a Snapshot with a value for every metric; internal/daemon's tests hold that the daemon gives them all.
func whole(seconds float64) *Snapshot {
	s := &Snapshot{
		Time: at(seconds), Clock: at(seconds - 2.5),
		Interfaces: []Interface{{Name: "eth0", Up: true, Losses: 1, Packets: 1000, Bytes: 64000, Kernel: 7, Freezes: 3, Cut: 4}, {Name: "eth1"}},
	}
	s.Count("table_evictions_total", 3, "flows")
	s.Limit("table_limit_entries", 1024, "flows")
	s.Limit("table_limit_entries", 0, "findings")
	s.Add("findings", 3, "kaspersky", "installed", "true")
	s.Age("sink_lag_seconds", at(seconds-60), "siem")
	s.Age("sink_lag_seconds", time.Time{}, "idle")
	s.At("reload_success_timestamp_seconds", at(-100), "catalog")
	s.At("reload_failure_timestamp_seconds", time.Time{}, "policy")
	s.Flag("reload_failed", true, "catalog")
	s.Flag("reload_failed", false, "policy")
	given := map[string]bool{}
	for _, x := range s.at(s.Time) {
		given[x.family] = true
	}
	for _, f := range families() {
		if !given[f.name] && f.name != "ready" && f.name != "build_info" {
			s.Add(f.name, 1, f.labels...)
		}
	}
	return s
}

// shown gives a Registry with what was published, and what its handler prints of our metrics.
func shown(t *testing.T, now time.Time, list ...*Snapshot) (*Registry, map[string]string) {
	t.Helper()
	clock := at(0)
	r := newRegistry(func() time.Time { return clock })
	for _, s := range list {
		r.Publish(s)
	}
	clock = now
	status, body := ask(t, r, "/metrics")
	require.Equal(t, 200, status, body)
	values := map[string]string{}
	for line := range strings.Lines(body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(line, prefix) {
			name = strings.TrimPrefix(name, prefix)
			if i := strings.LastIndex(line, "} "); i > 0 { // labels may hold spaces
				name, value = strings.TrimPrefix(line[:i+1], prefix), strings.TrimSpace(line[i+2:])
			}
			require.NotContains(t, values, name)
			values[name] = value
		}
	}
	return r, values
}

func TestSnapshotIsServed(t *testing.T) {
	_, values := shown(t, at(1), whole(0.5))
	for name, want := range map[string]string{
		`capture_interface_up{interface="eth0"}`:                          "1",
		`capture_interface_up{interface="eth1"}`:                          "0",
		`capture_packets_total{interface="eth0"}`:                         "1000",
		`capture_drops_total{interface="eth0",place="kernel"}`:            "7",
		`capture_lag_seconds`:                                             "3",
		`table_limit_entries{table="flows"}`:                              "1024",
		`findings{concern="true",vendor="kaspersky",verdict="installed"}`: "3",
		`sink_lag_seconds{sink="siem"}`:                                   "60.5",
		`sink_lag_seconds{sink="idle"}`:                                   "0",
		`reload_failed{what="catalog"}`:                                   "1",
		`reload_failed{what="policy"}`:                                    "0",
		`reload_success_timestamp_seconds{what="catalog"}`:                "1.7955107e+09",
		`ready`:         "1",
		`spool_failing`: "0",
	} {
		require.Equal(t, want, values[name], name)
	}
	require.NotContains(t, values, `table_limit_entries{table="findings"}`, "a limit that is not known is not told")
	require.NotContains(t, values, `reload_failure_timestamp_seconds{what="policy"}`, "what never was has no time")
}

// README.md's table holds exactly what the handler prints of a Snapshot in which everything is set.
func TestReadmeNamesEveryMetric(t *testing.T) {
	r, _ := shown(t, at(1), whole(0.5))
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var written, printed []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `"+prefix) {
			written = append(written, strings.TrimSpace(line))
		}
	}
	for _, f := range families() {
		labels := "`" + strings.Join(f.labels, "`, `") + "`"
		if len(f.labels) == 0 {
			labels = ""
		}
		printed = append(printed, fmt.Sprintf("| `%s%s` | %s | %s |", prefix, f.name, labels, f.help))
	}
	require.Equal(t, printed, written)
	for _, reason := range []string{"starting", "draining", "stuck", "interfaces_down", "silent", "drops", "store", "spool"} {
		require.Contains(t, string(text), "| `"+reason+"` |")
	}
	_, body := ask(t, r, "/metrics")
	for _, f := range families() {
		require.Contains(t, body, "# HELP "+prefix+f.name+" "+f.help, "is it printed?")
	}
	for _, other := range []string{"go_goroutines ", "process_resident_memory_bytes "} {
		require.Contains(t, body, "\n"+other)
	}
}

func TestBeforeTheFirstSnapshot(t *testing.T) {
	_, values := shown(t, at(1))
	require.Len(t, values, 2)
	require.Equal(t, "0", values["ready"])
}

func TestSeriesAreBounded(t *testing.T) {
	s := &Snapshot{Time: at(0)}
	for i := range MostSeries + 50 {
		s.Add("findings", 1, fmt.Sprint("vendor", i), "likely", "false")
		s.Interfaces = append(s.Interfaces, Interface{Name: fmt.Sprint("eth", i), Packets: 2})
	}
	for _, reason := range []string{"a", "b", "a", "a", "a", "\xff\n\"", strings.Repeat("ü", 100)} {
		s.Count("undecoded_packets_total", 1, reason)
	}
	r, values := shown(t, at(1), s)
	count := func(name string) (n int) {
		for key := range values {
			if strings.HasPrefix(key, name+"{") {
				n++
			}
		}
		return n
	}
	require.Equal(t, MostSeries+1, count("findings"))
	require.Equal(t, "50", values[`findings{concern="other",vendor="other",verdict="other"}`])
	require.Equal(t, MostSeries+1, count("capture_packets_total"))
	require.Equal(t, "100", values[`capture_packets_total{interface="other"}`])
	require.Equal(t, "4", values[`undecoded_packets_total{reason="a"}`])
	require.Equal(t, "1", values[`undecoded_packets_total{reason="?\n\""}`])
	require.Equal(t, "1", values[`undecoded_packets_total{reason="`+strings.Repeat("ü", 50)+`"}`])
	_, err := r.prometheus.Gather()
	require.NoError(t, err)
}
