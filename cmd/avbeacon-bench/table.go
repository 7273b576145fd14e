package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// printTable prints the median of each command's runs, and the median of its ratio to each yardstick, taken round by round.
func printTable(w io.Writer, c *made, commands []*command) {
	fmt.Fprintf(w, "\n%s (%s): %d packets, %d MB\n\n", c.profile, c.size, c.Packets, c.bytes>>20)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "command\tpackets/s\tCPU ns/packet\tCPU s\twall s\tpeak MB\tx read loop\tx tcpdump\t")
	for _, one := range commands {
		cpu := median(one.costs, func(c cost) time.Duration { return c.cpu })
		wall := median(one.costs, func(c cost) time.Duration { return c.wall })
		peak := median(one.costs, func(c cost) int64 { return c.peak })
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%d\t%s\t%s\t\n", one.label, float64(c.Packets)/wall.Seconds(),
			float64(cpu.Nanoseconds())/float64(c.Packets), cpu.Seconds(), wall.Seconds(), peak>>20,
			ratio(one, commands, readLoopLabel), ratio(one, commands, tcpdumpLabel))
	}
	_ = t.Flush() // w's error, which nobody could be told of either
	for _, name := range []string{"analyze", "observe"} {
		one, two := find(commands, name+" --workers 1"), find(commands, name+" --workers 2")
		fmt.Fprintf(w, "%s with two workers: %.2f times as fast in wall time\n", name,
			medianOf(ratios(one, two, func(c cost) float64 { return c.wall.Seconds() })))
	}
}

// ratio is the command's CPU time over the yardstick's; a dash where the yardstick did not run.
func ratio(one *command, commands []*command, yardstick string) string {
	y := find(commands, yardstick)
	if y == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", medianOf(ratios(one, y, func(c cost) float64 { return c.cpu.Seconds() })))
}

func find(commands []*command, label string) *command {
	i := slices.IndexFunc(commands, func(c *command) bool { return c.label == label })
	if i < 0 {
		return nil
	}
	return commands[i]
}

// ratios are those of each round.
func ratios(above, below *command, of func(cost) float64) []float64 {
	var all []float64
	for i, c := range above.costs {
		all = append(all, of(c)/of(below.costs[i]))
	}
	return all
}

func median[T cmp.Ordered](costs []cost, of func(cost) T) T {
	var all []T
	for _, c := range costs {
		all = append(all, of(c))
	}
	return medianOf(all)
}

// medianOf is the middle one, of two the lower.
func medianOf[T cmp.Ordered](all []T) T {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
