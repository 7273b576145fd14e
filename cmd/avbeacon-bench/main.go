// Command avbeacon-bench measures what avbeacon costs: it lets `analyze` and `observe` run over captures that mkbench makes,
// in turns with a bare read loop and with tcpdump, and prints packets a second, CPU time, memory, and the ratios of each
// round. Ratios of one run compare; seconds of different machines or days do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "avbeacon-bench:", err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	avbeacon, mkbench string // programs
	cache             string // folder of the captures
	size              string // small or full
	profiles          []string
	seed              uint64
	runs              int
	floor             string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("avbeacon-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.avbeacon, "avbeacon", "./avbeacon", "program to measure")
	flags.StringVar(&s.mkbench, "mkbench", ".cache/bin/mkbench", "program that makes the captures")
	flags.StringVar(&s.cache, "cache", ".cache/bench", "folder to keep the captures in")
	flags.StringVar(&s.size, "size", "small", "small, or full: 1.7 GB, 512 MB and a million flows")
	profiles := flags.String("profiles", "bulk,hs,flows", "captures to measure on")
	flags.Uint64Var(&s.seed, "seed", 1, "what chance begins with in the captures")
	flags.IntVar(&s.runs, "runs", 3, "how often each command runs; the median counts")
	flags.StringVar(&s.floor, "floor", "", "be the bare read loop over this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.floor != "" {
		return readLoop(s.floor, stdout)
	}
	if s.runs < 1 {
		return errors.New("-runs must be at least 1")
	}
	s.profiles = strings.Split(*profiles, ",")
	return s.measure(ctx, stdout, stderr)
}

// measure goes through the profiles.
func (s *settings) measure(ctx context.Context, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, profile := range s.profiles {
		c, err := s.capture(ctx, profile, stderr)
		if err != nil {
			return err
		}
		commands := commandsFor(self, s.avbeacon, c.file)
		if err := takeTurns(ctx, commands, s.runs); err != nil {
			return err
		}
		printTable(stdout, c, commands)
		if err := s.printRecall(ctx, stdout, c); err != nil {
			return err
		}
	}
	return nil
}
