// Package metrics shows the daemon's state to monitoring systems: a Snapshot of numbers goes in once a second, Prometheus
// text and answers about health come out. It counts nothing itself. Start reading at Snapshot, then Registry; families lists
// every metric.
package metrics

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Snapshot is the daemon's state at one moment. Its publisher changes neither it nor anything it points to afterwards.
type Snapshot struct {
	Time       time.Time   // the wall clock, from time.Now; it is the daemon's heartbeat
	Clock      time.Time   // the packet clock; zero before the first packet
	Interfaces []Interface // or files, if packets come from files
	Draining   bool        // the daemon is shutting down: not ready any more
	StoreErr   string      // why the last write to the store failed; "" if it succeeded or there is no store
	SpoolErr   string      // why alerts cannot be written; "" if they can

	Samples // everything else
}

// Interface is one source of packets. Its counters only grow while the process lives.
type Interface struct {
	Name    string
	Up      bool   // it can deliver packets; a file: it can be read
	Losses  uint64 // times that it went down or disappeared
	Packets uint64
	Bytes   uint64
	Kernel  uint64 // packets dropped by the kernel
	Freezes uint64 // times that the ring filled up
	Cut     uint64 // packets too long to be captured in full
}

// Samples collects values. Each method takes the name of a metric of families, without its prefix, and the values of the
// metric's labels. Values with equal labels are added up. Beyond MostSeries series of a metric the later ones are merged as "other",
// so the order must stay the same from one Snapshot to the next.
type Samples struct{ list []sample }

// sample is one number of a metric.
type sample struct {
	family string
	value  float64
	since  time.Time // if set, the value is how long ago that was when it is scraped, in seconds
	labels []string
}

// Add adds a number.
func (g *Samples) Add(family string, value float64, labels ...string) {
	g.list = append(g.list, sample{family: family, value: value, labels: labels})
}

// Count adds a counter's value.
func (g *Samples) Count(family string, n uint64, labels ...string) {
	g.Add(family, float64(n), labels...)
}

// Limit adds a limit; 0 is an unknown one and adds nothing.
func (g *Samples) Limit(family string, n int64, labels ...string) {
	if n > 0 {
		g.Add(family, float64(n), labels...)
	}
}

// Flag adds 1 for true, 0 for false.
func (g *Samples) Flag(family string, is bool, labels ...string) {
	value := 0.0
	if is {
		value = 1
	}
	g.Add(family, value, labels...)
}

// At adds a time in seconds since 1970; an unknown time adds nothing.
func (g *Samples) At(family string, t time.Time, labels ...string) {
	if !t.IsZero() {
		g.Add(family, float64(t.UnixNano())/1e9, labels...)
	}
}

// Age adds how long ago a time is at each scrape, in seconds; 0 if it is unknown.
func (g *Samples) Age(family string, since time.Time, labels ...string) {
	g.list = append(g.list, sample{family: family, since: since, labels: labels})
}

// lossy are the counters of what was lost for good.
var lossy = []string{"table_evictions_total", "queue_lost_total", "spool_dropped_alerts_total", "sink_refused_alerts_total",
	"store_write_failures_total", "panics_total"}

// Lost returns the counters of lost things that are not zero, by the metric's name without prefix and its labels.
func (s *Snapshot) Lost() map[string]uint64 {
	lost := map[string]uint64{}
	for _, i := range s.Interfaces {
		lost["capture_drops_total "+i.Name] += i.Kernel
		lost["capture_cut_packets_total "+i.Name] += i.Cut
	}
	for _, x := range s.list {
		if slices.Contains(lossy, x.family) {
			lost[strings.Join(append([]string{x.family}, x.labels...), " ")] += uint64(x.value)
		}
	}
	maps.DeleteFunc(lost, func(_ string, n uint64) bool { return n == 0 })
	return lost
}
