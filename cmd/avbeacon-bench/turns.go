package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// command is one to measure, and what its runs cost.
type command struct {
	label string
	args  []string
	costs []cost
}

// cost is what one run took.
type cost struct {
	cpu, wall time.Duration // cpu is the process's own and the kernel's for it
	peak      int64         // bytes of memory; 0 where the system does not say
}

// commandsFor are the yardsticks first: the read loop, and tcpdump where it is installed.
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

const (
	readLoopLabel = "bare read loop"
	tcpdumpLabel  = "tcpdump -w /dev/null"
)

// takeTurns runs each command once a round, so that what else the machine does falls on all of them.
func takeTurns(ctx context.Context, commands []*command, rounds int) error {
	for range rounds {
		for _, c := range commands {
			one, err := runOnce(ctx, c.args)
			if err != nil {
				return err
			}
			c.costs = append(c.costs, one)
		}
	}
	return nil
}

func runOnce(ctx context.Context, args []string) (cost, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%v: %w: %s", args, err, bytes.TrimSpace(said.Bytes()))
	}
	state := cmd.ProcessState
	return cost{cpu: state.UserTime() + state.SystemTime(), wall: time.Since(begun), peak: peakMemory(state)}, nil
}
