// Command bench-beacon makes labelled timelines and prints how well our score of regularity and the reference tell beats
// from chance, and what the state of a million pairs costs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unsafe"

	"avbeacon/classify/beacon"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-beacon:", err)
		os.Exit(1)
	}
}

// assumptions is what the timelines rest on.
const assumptions = `Timelines are made, not recorded: no capture of an antivirus over days was to be had. What they assume:
- An updater runs 2 h after a successful run and 20 min after a failed one (Kaspersky support article 8595); a run is 2 to 8
  connections within 10 to 130 s; an overdue run begins within 3 min of waking. Other updaters: 1 to 12 h, and daily.
- Machines behind one address keep the same schedule, each with its own phase. Classes of one machine that looks like more: every
  run fails once; runs of up to 10 min; a second visit 25 min after each run; two schedules of 2 h and 3 h (no bar is set there:
  by time alone they are nearly those of several machines).
- Periodic: 5 min to 24 h, 1 to 14 days and at least 12 beats, of which 20 % are missing; 'jitter 30 %' spreads each interval
  evenly from 0.7 to 1.3 periods; on a fixed grid it moves each beat by that much.
- A laptop is awake on weekdays in one to a few stretches between about 8 and 19 o'clock, and on some evenings and weekends.
- Chance is what must not score: people, random times, look-ups that follow the user. NTP and polling beat without being
  antivirus: whose address it is decides there, so they count neither way.
- The sensor sees all connections, and in which hours the host was active. The reference sees the last 24 h, as it is made to.
- A threshold is the lowest that 1 % of the chance timelines exceed; it is set on one seed and tried on another.
`

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench-beacon", flag.ContinueOnError)
	seed := flags.Uint64("seed", 1, "seed of the timelines that thresholds are set on")
	held := flags.Uint64("held-out", 1001, "seed of the timelines that those thresholds are tried on")
	n := flags.Int("n", 400, "timelines a class")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *n < 1 {
		return errors.New("-n is at least 1")
	}
	fmt.Fprint(out, assumptions)
	all := measure(*seed, *n)
	var limits []float64
	for _, s := range scorers() {
		limits = append(limits, threshold(all, s))
	}
	short := show(out, fmt.Sprintf("seed %d, which sets the thresholds", *seed), all, limits)
	short += show(out, fmt.Sprintf("seed %d, held out", *held), measure(*held, *n), limits)
	size := unsafe.Sizeof(beacon.State{})
	fmt.Fprintf(out, "\nState of a host and destination: %d bytes, %d MB a million, without pointers\n", size, size)
	if short > 0 {
		return fmt.Errorf("%d classes fall short", short)
	}
	return nil
}

// show prints a table and says how many classes fall short.
func show(out io.Writer, title string, all []measured, limits []float64) int {
	fmt.Fprintf(out, "\n%s, %d timelines a class\n", title, len(all[0].outcomes))
	for i, s := range scorers() {
		precision, recall := overall(all, s, limits[i])
		fmt.Fprintf(out, "  %-22s threshold %.3f, precision %.3f, recall %.3f\n", s.name, limits[i], precision, recall)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "share over the threshold\tours\treference\ton sessions\tperiod right\tcache\tseveral\ttoo few\t\n")
	group, short := beat, 0
	for i := range all {
		m := &all[i]
		if m.group != group || i == 0 {
			group = m.group
			fmt.Fprintf(table, "-- %s\t\t\t\t\t\t\t\t\n", group)
		}
		missed := m.misses(limits)
		if len(missed) > 0 {
			short++
		}
		fmt.Fprint(table, m.row(limits), strings.Join(missed, ", "), "\n")
	}
	table.Flush()
	return short
}

func (m *measured) row(limits []float64) string {
	var b strings.Builder
	b.WriteString(m.name)
	for k, s := range scorers() {
		fmt.Fprintf(&b, "\t%.3f", m.above(s, limits[k]))
	}
	right := "-"
	if m.group == beat || m.group == regular {
		right = fmt.Sprintf("%.3f", m.share(func(o *outcome) bool { return o.found }))
	}
	fmt.Fprintf(&b, "\t%s\t%.3f\t%.3f\t%.3f\t", right, m.called(beacon.Cache), m.called(beacon.Several), m.called(beacon.TooFew))
	return b.String()
}
