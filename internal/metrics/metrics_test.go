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

// whole is a Snapshot in which everything is set.
func whole(seconds float64) *Snapshot {
	return &Snapshot{
		Time: at(seconds), Clock: at(seconds - 2.5), Panics: 1,
		Interfaces:   []Interface{{Name: "eth0", Up: true, Losses: 1, Packets: 1000, Bytes: 64000, Kernel: 7, Freezes: 3, Cut: 4}, {Name: "eth1"}},
		Undecoded:    []Count{{"short", 5}},
		Malformed:    []Count{{"dns", 6}},
		Observations: []Count{{"lookup", 100}, {"hello", 50}},
		Tables:       []Table{{Name: "flows", Entries: 10, Limit: 1024, Evicted: 3}, {Name: "findings", Entries: 2}},
		Queues:       []Queue{{Name: "spool", Waiting: 1, Limit: 10, Lost: 2}},
		Findings:     []Findings{{"kaspersky", "installed", true, 3}},
		Alerts:       []Alerts{{"new", "high", 4}},
		Suppressed:   []Count{{"maintenance", 2}},
		Sinks:        []Sink{{Name: "siem", Delivered: 9, Refused: 1, Retries: 2, Pending: 3, Open: true, Oldest: at(seconds - 60)}},
		Spool:        Spool{Bytes: 100, Limit: 1000, Dropped: []Count{{"info", 1}}},
		Store:        Store{Used: true, Bytes: 200, Limit: 2000, Failed: 1, Written: at(seconds - 1)},
		Knowledge:    Knowledge{Catalog: at(-86400), Entries: 900, Databases: []Database{{"city", at(-3600)}}},
		Reloads:      []Reload{{"catalog", at(-100), at(-50)}, {"policy", at(-100), time.Time{}}},
	}
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
		`alerts_total{event="new",severity="high"}`:                       "4",
		`sink_lag_seconds{sink="siem"}`:                                   "60.5",
		`reload_failed{what="catalog"}`:                                   "1",
		`reload_failed{what="policy"}`:                                    "0",
		`ready`:                                                           "1",
		`store_failing`:                                                   "0",
		`place_data_timestamp_seconds{database="city"}`:                   "1.7955072e+09",
		`spool_dropped_alerts_total{severity="info"}`:                     "1",
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
		require.Contains(t, body, "# HELP "+prefix+f.name+" "+f.help, "is it given by samples?")
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
		s.Findings = append(s.Findings, Findings{Vendor: fmt.Sprint("vendor", i), Verdict: "likely", N: 1})
		s.Interfaces = append(s.Interfaces, Interface{Name: fmt.Sprint("eth", i), Packets: 2})
	}
	s.Undecoded = []Count{{"a", 1}, {"b", 2}, {"a", 3}, {"\xff\n\"", 1}, {strings.Repeat("ü", 100), 1}}
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
