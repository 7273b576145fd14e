// Command bench-beacon measures how well our score of regularity separates beats from chance.
//
// It makes labelled timelines (classes.go): antivirus updaters, other beats, people, random times, several machines behind
// one address, DNS caches. It gives each to beacon.Judge, merged into sessions as classify does, and to a reference score: once all
// connections of the last day, once merged into sessions. A score's threshold is the lowest that 1 % of the chance timelines
// exceed. It is set on one seed and applied to another, so that precision and recall of the second table are of timelines
// that nothing was chosen by.
//
// A row of the tables is a class: the share of its timelines over each scorer's threshold, the share in which the period we
// report is within a tenth of the true one, and the shares that we call a cache, several machines, or too few. A class that
// misses its floor, or scores worse than the reference, is marked, and the command fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"avbeacon/classify/beacon"
	"avbeacon/internal/measure"
)

func main() { os.Exit(measure.Main("bench-beacon", run)) }

const assumptions = `Timelines are generated, not recorded: no capture of an antivirus over days was available. They assume:
- An updater runs 2 h after a successful run and 20 min after a failed one (Kaspersky support article 8595); a run is 2 to 8
  connections within 10 to 130 s; an overdue run begins within 3 min of waking. Other updaters: 1 to 12 h, and daily.
- Machines behind one address keep the same schedule, each with its own phase. Classes of one machine that looks like more: every
  run fails once; runs of up to 10 min; a second visit 25 min after each run; two schedules of 2 h and 3 h (no bar is set there:
  by time alone they are nearly those of several machines).
- Periodic: 5 min to 24 h, 1 to 14 days and at least 12 beats, of which 20 % are missing; 'jitter 30 %' spreads each interval
  evenly from 0.7 to 1.3 periods; on a fixed grid it moves each beat by that much.
- A laptop is awake on weekdays in one to a few stretches between about 8 and 19 o'clock, and on some evenings and weekends.
- Chance is what must not score: people, random times, DNS queries that follow the user. NTP and polling are regular without
  being antivirus: the address decides there, so they count neither way.
- The sensor sees all connections, and in which hours the host was active. The reference sees the last 24 h, by its design.
- A threshold is the lowest score that 1 % of the chance timelines exceed. It is set on one seed and applied to another.
`

func run(_ context.Context, args []string, _ io.Reader, out, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench-beacon", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", 1, "seed of the timelines that set the thresholds")
	held := flags.Uint64("held-out", 1001, "seed of the timelines that the thresholds are applied to")
	n := flags.Int("n", 400, "timelines a class")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *n < 1 {
		return errors.New("-n must be at least 1")
	}
	fmt.Fprint(out, assumptions)
	all := measureAll(*seed, *n)
	var limits []float64
	for _, s := range scorers() {
		limits = append(limits, threshold(all, s))
	}
	short := show(out, fmt.Sprintf("seed %d, which sets the thresholds", *seed), all, limits)
	short += show(out, fmt.Sprintf("seed %d, held out", *held), measureAll(*held, *n), limits)
	if short > 0 {
		return fmt.Errorf("%d classes fall short", short)
	}
	return nil
}

// show prints a table and returns how many classes fall short.
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
