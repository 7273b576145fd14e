//go:build linux && (amd64 || arm64)

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// The two namespaces, and the ends of the veth pair in them.
const (
	nearSide, farSide = "avbeacon-bench-tap", "avbeacon-bench-out"
	tapEnd, outEnd    = "tap0", "out0"
)

// step is one rate, for one listener.
type step struct {
	role   string
	rate   int
	sent   sent
	heard  heard
	missed int64 // sent, and neither seen nor dropped by the ring: lost on the way to it
}

func (s *step) perPacket() float64 {
	return float64(s.heard.CPU.Nanoseconds()) / 1000 / float64(max(1, s.heard.Packets))
}

// measure goes through captures and rates.
func (s *settings) measure(ctx context.Context, stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := makeLink(ctx); err != nil {
		return err
	}
	defer removeLink()
	for _, file := range s.files {
		if err := s.measureFile(ctx, self, file, stdout); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (s *settings) measureFile(ctx context.Context, self, file string, stdout io.Writer) error {
	fmt.Fprintf(stdout, "\n%s, %d worker(s), ring of %d MB in blocks of %d KB, %.1f s a rate\n\n", filepath.Base(file), s.workers, s.ring>>20,
		s.block>>10, s.seconds)
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "sent/s\tlistener\tsent\tseen\tdropped\tmissed\tCPU us/packet\tx counter\t")
	best := map[string]float64{}
	for _, rate := range s.rates {
		var floor float64
		for _, role := range []string{"count", "avbeacon"} {
			one, err := s.step(ctx, self, file, role, rate)
			if err != nil {
				return err
			}
			speed := float64(one.sent.Packets) / one.sent.Seconds
			if one.heard.Drops == 0 {
				best[role] = max(best[role], speed)
			}
			if role == "count" {
				floor = one.perPacket()
			}
			fmt.Fprintf(t, "%.0f\t%s\t%d\t%d\t%d\t%d\t%.3f\t%.2f\t\n", speed, role, one.sent.Packets, one.heard.Packets, one.heard.Drops,
				one.missed, one.perPacket(), one.perPacket()/floor)
		}
	}
	err := t.Flush()
	fmt.Fprintf(stdout, "\nhighest rate without a drop: counter %.0f packets/s, avbeacon %.0f packets/s\n", best["count"], best["avbeacon"])
	return err
}

// step lets one listener hear one rate.
func (s *settings) step(ctx context.Context, self, file, role string, rate int) (*step, error) {
	listener := within(ctx, nearSide, self, "-role", role, "-interface", tapEnd, "-workers", fmt.Sprint(s.workers),
		"-ring", fmt.Sprint(s.ring), "-block", fmt.Sprint(s.block))
	listener.Stderr = os.Stderr
	stop, err := listener.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := listener.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := listener.Start(); err != nil {
		return nil, err
	}
	said := bufio.NewReader(out)
	if _, err := said.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not listen: %w", role, err), listener.Wait())
	}
	one := &step{role: role, rate: rate}
	text, err := within(ctx, farSide, self, "-role", "send", "-interface", outEnd, "-rates", fmt.Sprint(rate), "-seconds",
		fmt.Sprint(s.seconds), file).Output()
	err = errors.Join(explain(err), stop.Close())
	told := json.NewDecoder(said).Decode(&one.heard)
	if err := errors.Join(err, told, listener.Wait()); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &one.sent); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	one.missed = int64(one.sent.Packets) - int64(one.heard.Packets) - int64(one.heard.Drops)
	return one, nil
}

// explain adds what a program said to the error of its end.
func explain(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

func within(ctx context.Context, namespace string, command ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", namespace}, command...)...)
}

// makeLink makes the namespaces and joins them, without IPv6, so that nothing passes but what is sent.
func makeLink(ctx context.Context) error {
	removeLink()
	for _, command := range [][]string{
		{"ip", "netns", "add", nearSide},
		{"ip", "netns", "add", farSide},
		{"ip", "netns", "exec", nearSide, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"},
		{"ip", "netns", "exec", farSide, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"},
		{"ip", "-n", nearSide, "link", "add", tapEnd, "mtu", "9000", "type", "veth", "peer", "name", outEnd, "mtu", "9000", "netns", farSide},
		{"ip", "-n", nearSide, "link", "set", tapEnd, "up"},
		{"ip", "-n", farSide, "link", "set", outEnd, "up"},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			removeLink()
			return fmt.Errorf("%v: %w: %s", command, err, bytes.TrimSpace(out))
		}
	}
	time.Sleep(200 * time.Millisecond) // the link's carrier
	return nil
}

// removeLink takes the namespaces away, where they are.
func removeLink() {
	for _, name := range []string{nearSide, farSide} {
		_ = exec.Command("ip", "netns", "del", name).Run() // it may not be there
	}
}
