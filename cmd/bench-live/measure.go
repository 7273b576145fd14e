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
	"text/tabwriter"
	"time"
)

// The ends of the veth pair in the two namespaces.
const tapEnd, outEnd = "tap0", "out0"

// link is the two namespaces.
type link struct{ near, far string }

func newLink() link {
	return link{fmt.Sprint("avbeacon-bench-tap-", os.Getpid()), fmt.Sprint("avbeacon-bench-out-", os.Getpid())}
}

// step is one rate, for one listener.
type step struct {
	role   string
	rate   int
	sent   sent
	heard  heard
	missed int64 // sent, and neither seen nor dropped by the ring: lost on the way to it
}

// speed is how fast was sent, packets a second.
func (s *step) speed() float64 { return float64(s.sent.Packets) / s.sent.Seconds }

func (s *step) perPacket() float64 {
	return float64(s.heard.CPU.Nanoseconds()) / 1000 / float64(max(1, s.heard.Packets))
}

// measure goes through captures and rates.
func (s *settings) measure(ctx context.Context, stdout io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.link = newLink()
	if err := s.link.make(ctx); err != nil {
		return err
	}
	defer s.link.remove()
	for _, file := range s.files {
		if err := s.measureFile(ctx, self, file, stdout); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// result is what one capture came to.
type result struct {
	best   map[string]float64 // highest rate without a drop, packets a second, by role
	ratios []float64          // CPU time a packet beside the counter's, at rates at which neither lost one
	missed int64
}

func (s *settings) measureFile(ctx context.Context, self, file string, stdout io.Writer) error {
	fmt.Fprintf(stdout, "\n%s, %d worker(s), ring of %d MB, at most %.1f s a rate, best of %d\n\n", filepath.Base(file), s.workers, s.ring>>20, s.seconds, s.runs)
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "sent/s\tlistener\tsent\tseen\tdropped\tmissed\tCPU us/packet\tx counter\t")
	r := result{best: map[string]float64{}}
	for _, rate := range s.rates {
		var pair [2]*step
		for i, role := range []string{"count", "avbeacon"} {
			one, err := s.best(ctx, self, file, role, rate, &r)
			if err != nil {
				return err
			}
			pair[i] = one
			fmt.Fprintf(t, "%.0f\t%s\t%d\t%d\t%d\t%d\t%.3f\t%.2f\t\n", one.speed(), role, one.sent.Packets, one.heard.Packets, one.heard.Drops,
				one.missed, one.perPacket(), one.perPacket()/pair[0].perPacket())
		}
		r.add(pair[0], pair[1])
	}
	err := t.Flush()
	s.conclude(&r, stdout)
	if r.missed != 0 {
		return errors.Join(err, fmt.Errorf("%d packets were sent, and neither seen nor counted as dropped", r.missed))
	}
	return err
}

// best lets a listener hear one rate several times, and gives the time that cost it least of those in which it lost least:
// what else the machine does comes on top.
func (s *settings) best(ctx context.Context, self, file, role string, rate int, r *result) (best *step, err error) {
	for range s.runs {
		one, err := s.step(ctx, self, file, role, rate)
		if err != nil {
			return nil, err
		}
		r.missed += one.missed
		if best == nil || cmp.Or(cmp.Compare(one.heard.Drops, best.heard.Drops), cmp.Compare(one.perPacket(), best.perPacket())) < 0 {
			best = one
		}
	}
	return best, nil
}

// add takes one rate into account.
func (r *result) add(counter, ours *step) {
	for _, one := range []*step{counter, ours} {
		if one.heard.Drops == 0 {
			r.best[one.role] = max(r.best[one.role], one.speed())
		}
	}
	if counter.heard.Drops+ours.heard.Drops == 0 {
		r.ratios = append(r.ratios, ours.perPacket()/counter.perPacket())
	}
}

// conclude prints what it all came to.
func (s *settings) conclude(r *result, stdout io.Writer) {
	fmt.Fprintf(stdout, "\nhighest rate without a drop: counter %.0f packets/s, avbeacon %.0f packets/s\n", r.best["count"], r.best["avbeacon"])
	if len(r.ratios) == 0 {
		return
	}
	slices.Sort(r.ratios)
	middle := r.ratios[len(r.ratios)/2]
	fmt.Fprintf(stdout, "CPU a packet beside the counter's: %.2f times (%.2f to %.2f)", middle, r.ratios[0], r.ratios[len(r.ratios)-1])
	switch {
	case s.bar > 0 && middle <= s.bar:
		fmt.Fprintf(stdout, "; the bar, %.1f, is met", s.bar)
	case s.bar > 0:
		fmt.Fprintf(stdout, "; the bar, %.1f, is NOT met", s.bar)
	}
	fmt.Fprintln(stdout)
}

// step lets one listener hear one rate.
func (s *settings) step(ctx context.Context, self, file, role string, rate int) (*step, error) {
	listener := within(ctx, s.link.near, self, "-role", role, "-interface", tapEnd, "-workers", fmt.Sprint(s.workers),
		"-ring", fmt.Sprint(s.ring))
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
	text, err := within(ctx, s.link.far, self, "-role", "send", "-interface", outEnd, "-rates", fmt.Sprint(rate), "-seconds",
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

// make makes the namespaces and joins them, without IPv6, so that nothing passes but what is sent.
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
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			l.remove()
			return fmt.Errorf("%v: %w: %s", command, err, bytes.TrimSpace(out))
		}
	}
	time.Sleep(200 * time.Millisecond) // the link's carrier
	return nil
}

// remove takes the namespaces away, where they are.
func (l link) remove() {
	for _, name := range []string{l.near, l.far} {
		_ = exec.Command("ip", "netns", "del", name).Run() // it may not be there
	}
}
