package metrics

import (
	"slices"
	"strings"
	"time"
)

// MostSeries is the most series that a metric has, not counting the one that adds up the rest.
const MostSeries = 200

// maxLabel bounds a label's value, in bytes.
const maxLabel = 100

// at returns all values of a Snapshot at the time of a scrape, grouped by metric.
func (s *Snapshot) at(now time.Time) []sample {
	g := Samples{slices.Clone(s.list)}
	for i := range g.list {
		if x := &g.list[i]; !x.since.IsZero() {
			x.value = max(now.Sub(x.since).Seconds(), 0)
		}
	}
	for _, i := range s.Interfaces {
		g.Flag("capture_interface_up", i.Up, i.Name)
		g.Count("capture_interface_losses_total", i.Losses, i.Name)
		g.Count("capture_packets_total", i.Packets, i.Name)
		g.Count("capture_bytes_total", i.Bytes, i.Name)
		g.Count("capture_drops_total", i.Kernel, i.Name, "kernel")
		g.Count("capture_freezes_total", i.Freezes, i.Name)
		g.Count("capture_cut_packets_total", i.Cut, i.Name)
	}
	g.At("capture_clock_timestamp_seconds", s.Clock)
	if !s.Clock.IsZero() {
		g.Add("capture_lag_seconds", now.Sub(s.Clock).Seconds())
	}
	g.Flag("spool_failing", s.SpoolErr != "")
	g.At("heartbeat_timestamp_seconds", s.Time)
	return bounded(g.list)
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
		out = append(out, sample{family: s.family, value: s.value, labels: labels})
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
