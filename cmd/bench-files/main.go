// Command bench-files measures what avbeacon costs on files.
//
// It runs `avbeacon analyze` and `avbeacon observe`, with one worker and with two, over captures that mkbench makes: bulk
// (long conversations in large segments), hs (handshakes) and flows (very many short conversations). In the same rounds run
// two yardsticks: a bare read loop (floor.go) and, where it is installed, `tcpdump -w /dev/null`. Every command runs once a
// round, so that other load on the machine falls on all of them.
//
// The table shows the median of the rounds: packets a second by wall time, CPU time (user and system), the most memory used,
// and the CPU time beside each yardstick's. These ratios are taken round by round, and they are what compares: with other
// commits in the same run, and roughly between machines. Seconds from different machines or days do not compare. The last
// line of a capture shows how many of the names that mkbench put in observe reported. Speed counts only if that is all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"avbeacon/internal/measure"
)

func main() { os.Exit(measure.Main("bench-files", run)) }

// settings holds the flags.
type settings struct {
	avbeacon, mkbench string // programs
	cache             string // folder of the captures
	size              string // small or full
	seed              uint64
	runs              int
}

func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench-files", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.avbeacon, "avbeacon", "./avbeacon", "program to measure")
	flags.StringVar(&s.mkbench, "mkbench", ".cache/bin/mkbench", "program that makes the captures")
	flags.StringVar(&s.cache, "cache", ".cache/bench", "folder to keep the captures in")
	flags.StringVar(&s.size, "size", "small", "small, or full: 1.7 GB, 512 MB and a million flows")
	profiles := flags.String("profiles", "bulk,hs,flows", "captures to measure on")
	flags.Uint64Var(&s.seed, "seed", 1, "seed of the captures")
	flags.IntVar(&s.runs, "runs", 3, "rounds; the median counts")
	floor := flags.String("floor", "", "run the bare read loop over this file, and nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *floor != "" {
		return readLoop(*floor, stdout)
	}
	if s.runs < 1 {
		return errors.New("-runs must be at least 1")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for profile := range strings.SplitSeq(*profiles, ",") {
		c, err := s.capture(ctx, profile, stderr)
		if err != nil {
			return err
		}
		commands := commandsFor(self, s.avbeacon, c.file)
		for range s.runs {
			for _, one := range commands {
				cost, err := measure.Run(exec.CommandContext(ctx, one.args[0], one.args[1:]...))
				if err != nil {
					return err
				}
				one.costs = append(one.costs, cost)
			}
		}
		if err := errors.Join(printTable(stdout, c, commands), s.printRecall(ctx, stdout, c)); err != nil {
			return err
		}
	}
	return nil
}

// command is a command to measure, and what each of its runs cost.
type command struct {
	label string
	args  []string
	costs []measure.Cost
}

const (
	readLoopLabel = "bare read loop"
	tcpdumpLabel  = "tcpdump -w /dev/null"
)

// commandsFor returns the yardsticks first: the read loop, and tcpdump if it is installed.
func commandsFor(self, avbeacon, file string) []*command {
	all := []*command{{label: readLoopLabel, args: []string{self, "-floor", file}}}
	if tcpdump, err := exec.LookPath("tcpdump"); err == nil {
		all = append(all, &command{label: tcpdumpLabel, args: []string{tcpdump, "-r", file, "-w", "/dev/null"}})
	}
	for _, workers := range []string{"1", "2"} {
		all = append(all,
			&command{label: "analyze --workers " + workers, args: []string{avbeacon, "analyze", "--quiet", "--format", "json", "--workers", workers, file}},
			&command{label: "observe --workers " + workers, args: []string{avbeacon, "observe", "--quiet", "--workers", workers, file}})
	}
	return all
}

// printTable prints the medians of each command's runs and of its ratios to the yardsticks.
func printTable(w io.Writer, c *made, commands []*command) error {
	fmt.Fprintf(w, "\n%s (%s): %d packets, %d MB\n\n", c.profile, c.size, c.Packets, c.bytes>>20)
	rows := []string{"command\tpackets/s\tCPU ns/packet\tCPU s\twall s\tpeak MB\tx read loop\tx tcpdump"}
	for _, one := range commands {
		var cpu, wall, peak []float64
		for _, cost := range one.costs {
			cpu, wall, peak = append(cpu, cost.CPU.Seconds()), append(wall, cost.Wall.Seconds()), append(peak, float64(cost.Peak>>20))
		}
		spent, packets := measure.Median(cpu), float64(c.Packets)
		rows = append(rows, fmt.Sprintf("%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f\t%s\t%s", one.label, packets/measure.Median(wall), spent*1e9/packets,
			spent, measure.Median(wall), measure.Median(peak), ratio(commands, one.label, readLoopLabel, cpuOf), ratio(commands, one.label, tcpdumpLabel, cpuOf)))
	}
	err := measure.Table(w, rows...)
	for _, name := range []string{"analyze", "observe"} {
		fmt.Fprintf(w, "%s with two workers: %s times as fast in wall time\n", name,
			ratio(commands, name+" --workers 1", name+" --workers 2", func(c measure.Cost) float64 { return c.Wall.Seconds() }))
	}
	return err
}

func cpuOf(c measure.Cost) float64 { return c.CPU.Seconds() }

// ratio returns the median over the rounds of one command's cost beside another's; a dash if either did not run.
func ratio(commands []*command, above, below string, of func(measure.Cost) float64) string {
	costs := func(label string) []measure.Cost {
		i := slices.IndexFunc(commands, func(c *command) bool { return c.label == label })
		if i < 0 {
			return nil
		}
		return commands[i].costs
	}
	a, b := costs(above), costs(below)
	if len(a) == 0 || len(b) == 0 {
		return "-"
	}
	var all []float64
	for i := range a {
		all = append(all, of(a[i])/of(b[i]))
	}
	return fmt.Sprintf("%.2f", measure.Median(all))
}
