//go:build linux && (amd64 || arm64)

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"avbeacon/internal/measure"
)

// The ends of the veth pair: packets are sent into outEnd and come out of tapEnd, each in a namespace of its own.
const tapEnd, outEnd = "tap0", "out0"

// link holds the names of the two namespaces.
type link struct{ near, far string }

// step is one listener at one rate.
type step struct {
	role   string
	sent   sent
	heard  heard
	missed int64 // sent, but neither seen nor dropped by the ring
}

// speed returns the rate that the sender reached, in packets per second.
func (s *step) speed() float64 { return float64(s.sent.Packets) / s.sent.Seconds }

// perPacket returns the CPU time per packet seen, in microseconds.
func (s *step) perPacket() float64 {
	return float64(s.heard.CPU.Nanoseconds()) / 1000 / float64(max(1, s.heard.Packets))
}

func (s *settings) measure(ctx context.Context, stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l := link{fmt.Sprint("bench-live-tap-", os.Getpid()), fmt.Sprint("bench-live-out-", os.Getpid())}
	defer l.remove()
	if err := l.make(ctx); err != nil {
		return err
	}
	for _, file := range s.files {
		if err := s.measureFile(ctx, l, self, file, stdout); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (s *settings) measureFile(ctx context.Context, l link, self, file string, stdout io.Writer) error {
	fmt.Fprintf(stdout, "\n%s, %d worker(s), ring of %d MB, at most %.1f s a rate, best of %d\n\n", filepath.Base(file), s.workers, s.ring>>20, s.seconds, s.runs)
	rows := []string{"sent/s\tlistener\tsent\tseen\tdropped\tmissed\tCPU us/packet\tx counter"}
	sum, missed := summary{best: map[string]float64{}}, int64(0)
	for _, rate := range s.rates {
		var pair [2]*step
		for i, role := range []string{"count", "avbeacon"} {
			var best *step
			for range s.runs {
				one, err := s.step(ctx, l, self, file, role, rate)
				if err != nil {
					return err
				}
				missed += one.missed
				// Other load on the machine only adds drops and time.
				if best == nil || cmp.Or(cmp.Compare(one.heard.Drops, best.heard.Drops), cmp.Compare(one.perPacket(), best.perPacket())) < 0 {
					best = one
				}
			}
			pair[i] = best
			rows = append(rows, fmt.Sprintf("%.0f\t%s\t%d\t%d\t%d\t%d\t%.3f\t%.2f", best.speed(), role, best.sent.Packets, best.heard.Packets,
				best.heard.Drops, best.missed, best.perPacket(), best.perPacket()/pair[0].perPacket()))
		}
		sum.add(pair[0], pair[1])
	}
	err := measure.Table(stdout, rows...)
	sum.print(stdout, s.bar)
	if missed != 0 {
		return errors.Join(err, fmt.Errorf("%d packets were sent, but neither seen nor counted as dropped", missed))
	}
	return err
}

// summary is the result for one capture.
type summary struct {
	best   map[string]float64 // by role: highest rate without a drop, packets a second
	ratios []float64          // CPU time a packet beside the counter's, at rates at which neither dropped one
}

func (r *summary) add(counter, ours *step) {
	for _, one := range []*step{counter, ours} {
		if one.heard.Drops == 0 {
			r.best[one.role] = max(r.best[one.role], one.speed())
		}
	}
	if counter.heard.Drops+ours.heard.Drops == 0 {
		r.ratios = append(r.ratios, ours.perPacket()/counter.perPacket())
	}
}

func (r *summary) print(stdout io.Writer, bar float64) {
	fmt.Fprintf(stdout, "\nhighest rate without a drop: counter %.0f packets/s, avbeacon %.0f packets/s\n", r.best["count"], r.best["avbeacon"])
	if len(r.ratios) == 0 {
		return
	}
	middle := measure.Median(r.ratios)
	fmt.Fprintf(stdout, "CPU a packet beside the counter's: %.2f times (%.2f to %.2f)", middle, slices.Min(r.ratios), slices.Max(r.ratios))
	switch {
	case bar > 0 && middle <= bar:
		fmt.Fprintf(stdout, "; the bar, %.1f, is met", bar)
	case bar > 0:
		fmt.Fprintf(stdout, "; the bar, %.1f, is NOT met", bar)
	}
	fmt.Fprintln(stdout)
}

// step starts a listener, waits until it is ready, sends at one rate, and ends the listener by closing its stdin.
func (s *settings) step(ctx context.Context, l link, self, file, role string, rate int) (*step, error) {
	listener := within(ctx, l.near, self, "-role", role, "-interface", tapEnd, "-workers", fmt.Sprint(s.workers), "-ring", fmt.Sprint(s.ring))
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
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not listen: %w", role, err), listener.Wait())
	}
	one := &step{role: role}
	var text bytes.Buffer
	sender := within(ctx, l.far, self, "-role", "send", "-interface", outEnd, "-rates", fmt.Sprint(rate), "-seconds", fmt.Sprint(s.seconds), file)
	sender.Stdout = &text
	_, err = measure.Run(sender)
	err = errors.Join(err, stop.Close())
	decoded := json.NewDecoder(lines).Decode(&one.heard)
	if err := errors.Join(err, decoded, listener.Wait()); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text.Bytes(), &one.sent); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	one.missed = int64(one.sent.Packets) - int64(one.heard.Packets) - int64(one.heard.Drops)
	return one, nil
}

func within(ctx context.Context, namespace string, command ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", namespace}, command...)...)
}

// make makes the namespaces and joins them. It switches IPv6 off, so that nothing passes but what is sent.
func (l link) make(ctx context.Context) error {
	for _, command := range [][]string{
		{"ip", "netns", "add", l.near},
		{"ip", "netns", "add", l.far},
		{"ip", "netns", "exec", l.near, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"},
		{"ip", "netns", "exec", l.far, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"},
		{"ip", "-n", l.near, "link", "add", tapEnd, "mtu", "9000", "type", "veth", "peer", "name", outEnd, "mtu", "9000", "netns", l.far},
		{"ip", "-n", l.near, "link", "set", tapEnd, "up"},
		{"ip", "-n", l.far, "link", "set", outEnd, "up"},
	} {
		if _, err := measure.Run(exec.CommandContext(ctx, command[0], command[1:]...)); err != nil {
			return err
		}
	}
	time.Sleep(200 * time.Millisecond) // until the link has a carrier
	return nil
}

func (l link) remove() {
	for _, name := range []string{l.near, l.far} {
		_ = exec.Command("ip", "netns", "del", name).Run() // it may not exist
	}
}
