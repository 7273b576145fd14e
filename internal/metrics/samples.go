package metrics

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// MostSeries is the most series that a metric has, not counting the one that adds up the rest.
const MostSeries = 200

// maxLabel bounds a label's value, in bytes.
const maxLabel = 100

// sample is one number of a metric.
type sample struct {
	family string
	value  float64
	labels []string
}

// gathering collects samples in order.
type gathering struct{ list []sample }

func (g *gathering) add(family string, value float64, labels ...string) {
	g.list = append(g.list, sample{family, value, labels})
}

func (g *gathering) count(family string, n uint64, labels ...string) {
	g.add(family, float64(n), labels...)
}

func (g *gathering) flag(family string, is bool, labels ...string) {
	value := 0.0
	if is {
		value = 1
	}
	g.add(family, value, labels...)
}

// at adds a time in seconds since 1970; an unknown time adds nothing.
func (g *gathering) at(family string, t time.Time, labels ...string) {
	if !t.IsZero() {
		g.add(family, float64(t.UnixNano())/1e9, labels...)
	}
}

// samples returns all values of a Snapshot as of now, grouped by metric.
func samples(s *Snapshot, now time.Time) []sample {
	g := &gathering{}
	g.capture(s, now)
	g.memory(s)
	g.alerts(s)
	g.sinks(s, now)
	g.knowledge(s)
	g.at("heartbeat_timestamp_seconds", s.Time)
	return bounded(g.list)
}

func (g *gathering) capture(s *Snapshot, now time.Time) {
	for _, i := range s.Interfaces {
		g.flag("capture_interface_up", i.Up, i.Name)
		g.count("capture_interface_losses_total", i.Losses, i.Name)
		g.count("capture_packets_total", i.Packets, i.Name)
		g.count("capture_bytes_total", i.Bytes, i.Name)
		g.count("capture_drops_total", i.Kernel, i.Name, "kernel")
		g.count("capture_freezes_total", i.Freezes, i.Name)
		g.count("capture_cut_packets_total", i.Cut, i.Name)
	}
	g.at("capture_clock_timestamp_seconds", s.Clock)
	if !s.Clock.IsZero() {
		g.add("capture_lag_seconds", now.Sub(s.Clock).Seconds())
	}
	g.counts("undecoded_packets_total", s.Undecoded)
	g.counts("malformed_messages_total", s.Malformed)
	g.counts("observations_total", s.Observations)
	g.count("panics_total", s.Panics)
}

func (g *gathering) counts(family string, list []Count) {
	for _, c := range list {
		g.count(family, c.N, c.Label)
	}
}

func (g *gathering) memory(s *Snapshot) {
	for _, t := range s.Tables {
		g.add("table_entries", float64(t.Entries), t.Name)
		if t.Limit > 0 {
			g.add("table_limit_entries", float64(t.Limit), t.Name)
		}
		g.count("table_evictions_total", t.Evicted, t.Name)
	}
	for _, q := range s.Queues {
		g.add("queue_entries", float64(q.Waiting), q.Name)
		if q.Limit > 0 {
			g.add("queue_limit_entries", float64(q.Limit), q.Name)
		}
		g.count("queue_lost_total", q.Lost, q.Name)
	}
	if !s.Store.Used {
		return
	}
	g.count("store_size_bytes", s.Store.Bytes)
	if s.Store.Limit > 0 {
		g.count("store_limit_bytes", s.Store.Limit)
	}
	g.count("store_write_failures_total", s.Store.Failed)
	g.flag("store_failing", s.Store.Err != "")
	g.at("store_last_write_timestamp_seconds", s.Store.Written)
}

func (g *gathering) alerts(s *Snapshot) {
	for _, f := range s.Findings {
		g.add("findings", float64(f.N), f.Vendor, f.Verdict, strconv.FormatBool(f.Concern))
	}
	for _, a := range s.Alerts {
		g.count("alerts_total", a.N, a.Event, a.Severity)
	}
	g.counts("alerts_suppressed_total", s.Suppressed)
}

func (g *gathering) sinks(s *Snapshot, now time.Time) {
	for _, k := range s.Sinks {
		g.count("sink_delivered_alerts_total", k.Delivered, k.Name)
		g.count("sink_refused_alerts_total", k.Refused, k.Name)
		g.count("sink_retries_total", k.Retries, k.Name)
		g.count("sink_pending_alerts", k.Pending, k.Name)
		g.flag("sink_circuit_open", k.Open, k.Name)
		lag := 0.0
		if !k.Oldest.IsZero() {
			lag = max(now.Sub(k.Oldest).Seconds(), 0)
		}
		g.add("sink_lag_seconds", lag, k.Name)
	}
	g.count("spool_size_bytes", s.Spool.Bytes)
	if s.Spool.Limit > 0 {
		g.count("spool_limit_bytes", s.Spool.Limit)
	}
	g.counts("spool_dropped_alerts_total", s.Spool.Dropped)
	g.flag("spool_failing", s.Spool.Err != "")
}

func (g *gathering) knowledge(s *Snapshot) {
	g.at("catalog_timestamp_seconds", s.Knowledge.Catalog)
	g.add("catalog_entries", float64(s.Knowledge.Entries))
	for _, d := range s.Knowledge.Databases {
		g.at("place_data_timestamp_seconds", d.Date, d.Name)
	}
	for _, r := range s.Reloads {
		g.at("reload_success_timestamp_seconds", r.Success, r.What)
		g.at("reload_failure_timestamp_seconds", r.Failure, r.What)
		g.flag("reload_failed", r.Failure.After(r.Success), r.What)
	}
}

// bounded cleans labels, adds up samples whose labels are equal, and merges a metric's series beyond MostSeries into
// one.
func bounded(list []sample) []sample {
	index := map[string]int{}
	series := map[string]int{}
	var out []sample
	for _, s := range list {
		labels := make([]string, len(s.labels))
		for i, l := range s.labels {
			labels[i] = label(l)
		}
		key := s.family + "\xff" + strings.Join(labels, "\xff")
		i, known := index[key]
		if !known && series[s.family] >= MostSeries {
			for j := range labels {
				labels[j] = "other"
			}
			key = s.family + "\xff" + strings.Join(labels, "\xff")
			i, known = index[key]
		}
		if known {
			out[i].value += s.value
			continue
		}
		index[key] = len(out)
		series[s.family]++
		out = append(out, sample{s.family, s.value, labels})
	}
	slices.SortStableFunc(out, func(a, b sample) int { return strings.Compare(a.family, b.family) })
	return out
}

// label turns any text into a valid label value: UTF-8, of limited length.
func label(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > maxLabel {
		text = strings.ToValidUTF8(text[:maxLabel], "")
	}
	return text
}
