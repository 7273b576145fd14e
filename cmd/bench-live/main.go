//go:build linux && (amd64 || arm64)

// Command bench-live measures what listening costs: it replays a capture at growing rates into a veth pair between two network
// namespaces of its own, and lets a bare packet counter and the daemon (`avbeacon monitor`, without a store) listen at the
// other end in turns, through the same ring. It prints what each lost and the CPU time a packet cost, and the highest rate
// without a loss. It fails where what was sent is not what was seen and what was dropped. It needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench-live:", err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	files   []string
	rates   []int // packets a second; 0: as fast as the sender can
	seconds float64
	runs    int
	workers int
	ring    int
	face    string
	role    string
	link    link    // valid iff it measures
	bar     float64 // how many times the counter's CPU time a packet may cost; 0: it is not judged
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench-live", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rates := flags.String("rates", "50000,100000,200000,300000,400000,500000,0", "packets a second; 0 is as fast as the sender can")
	flags.Float64Var(&s.seconds, "seconds", 2, "how long each rate is kept, at most: a capture is sent once")
	flags.IntVar(&s.runs, "runs", 1, "how often each rate is heard; the best counts")
	flags.IntVar(&s.workers, "workers", 1, "goroutines that look at packets")
	flags.IntVar(&s.ring, "ring", 64<<20, "bytes of the ring")
	flags.Float64Var(&s.bar, "bar", 0, "how many times the counter's CPU time a packet may cost; said, and no more than that")
	flags.StringVar(&s.face, "interface", "", "of the part that is played")
	flags.StringVar(&s.role, "role", "", "play one part: count, avbeacon or send")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.files = flags.Args()
	for word := range strings.SplitSeq(*rates, ",") {
		rate, err := strconv.Atoi(word)
		if err != nil || rate < 0 {
			return fmt.Errorf("-rates: %q is no number of packets", word)
		}
		s.rates = append(s.rates, rate)
	}
	switch {
	case s.runs < 1:
		return errors.New("-runs: once at least")
	case s.role == "send" && len(s.files) == 1:
		return send(ctx, s.face, s.files[0], s.rates[0], time.Duration(s.seconds*float64(time.Second)), stdout)
	case s.role == "count" || s.role == "avbeacon":
		return s.listen(ctx, stdin, stdout)
	case s.role != "":
		return fmt.Errorf("-role %q: it is count, avbeacon or send, which takes one file", s.role)
	case len(s.files) == 0:
		return errors.New("give captures (classic pcap, as mkbench makes them) to replay")
	}
	return s.measure(ctx, stdout)
}
