//go:build linux && (amd64 || arm64)

// Command bench-live measures what listening on a network interface costs. It needs root and the program ip.
//
// It makes two network namespaces, joined by a veth pair, and replays a capture into one end at growing rates. At the other
// end listen, in turns, a bare packet counter (the yardstick) and the daemon as `avbeacon monitor` runs it, without a store,
// both through the same ring. Sender and listeners are this program in child processes (-role).
//
// For each rate the table shows what was sent, seen and dropped by the kernel, and the CPU time (user and system) that the
// listener used for a packet. "missed" is what was sent but neither seen nor dropped: it must be 0, or the command fails. Below
// the table are the highest rates without a drop, and the daemon's CPU time beside the counter's at those rates at which
// neither dropped a packet. Compare only these ratios between machines. README.md has figures, and what was measured before the
// ring and the filters were written as they are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/measure"
)

func main() { os.Exit(measure.Main("bench-live", run)) }

// settings holds the flags.
type settings struct {
	files   []string
	rates   []int   // packets a second; 0: as fast as the sender can
	seconds float64 // longest time for a rate
	runs    int
	workers int
	ring    int     // bytes
	face    string  // network interface of the role
	role    string  // "" measures
	bar     float64 // CPU time a packet may cost beside the counter's; 0: no bar
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench-live", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rates := flags.String("rates", "50000,100000,200000,300000,400000,500000,0", "packets a second; 0 is as fast as the sender can")
	flags.Float64Var(&s.seconds, "seconds", 2, "time for each rate, at most: a capture is sent once")
	flags.IntVar(&s.runs, "runs", 1, "runs of each rate; the best counts")
	flags.IntVar(&s.workers, "workers", 1, "the daemon's workers")
	flags.IntVar(&s.ring, "ring", 64<<20, "bytes of the ring")
	flags.Float64Var(&s.bar, "bar", 0, "times the counter's CPU time that a packet may cost; reported, never an error")
	flags.StringVar(&s.face, "interface", "", "network interface of the role")
	flags.StringVar(&s.role, "role", "", "what a child process does: count, avbeacon or send")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.files = flags.Args()
	for word := range strings.SplitSeq(*rates, ",") {
		rate, err := strconv.Atoi(word)
		if err != nil || rate < 0 {
			return fmt.Errorf("-rates: %q is not a number of packets", word)
		}
		s.rates = append(s.rates, rate)
	}
	switch {
	case s.runs < 1:
		return errors.New("-runs must be at least 1")
	case s.role == "send" && len(s.files) == 1:
		return send(ctx, s.face, s.files[0], s.rates[0], time.Duration(s.seconds*float64(time.Second)), stdout)
	case s.role == "count" || s.role == "avbeacon":
		return s.listen(ctx, stdin, stdout)
	case s.role != "":
		return fmt.Errorf("-role %q: must be count, avbeacon or send (with one file)", s.role)
	case len(s.files) == 0:
		return errors.New("no captures given to replay (classic pcap, as mkbench writes)")
	}
	return s.measure(ctx, stdout)
}
