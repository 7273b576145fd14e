//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// builtBinary is the program that AVBEACON_BINARY names. Without the variable it is built as the tests were: with other flags
// (CGO_ENABLED, -trimpath) Go would compile all that it depends on a second time, which takes minutes.
var builtBinary = sync.OnceValues(func() (string, error) {
	if name := os.Getenv("AVBEACON_BINARY"); name != "" {
		return filepath.Abs(name)
	}
	name, err := filepath.Abs("../../.cache/test/avbeacon")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", name, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build avbeacon: %w: %s", err, out)
	}
	return name, nil
})

// childBinary returns the program for a test that starts it. The test is skipped under the race detector: the program is built without.
func childBinary(t testing.TB) string {
	t.Helper()
	if raced {
		t.Skip("the program that this test starts has no race detector")
	}
	name, err := builtBinary()
	require.NoError(t, err)
	return name
}

// child is avbeacon in a process of its own.
type child struct {
	t     testing.TB
	cmd   *exec.Cmd
	ended chan error // gets one value

	mu    sync.Mutex
	lines []map[string]any // of its log
	rest  bytes.Buffer     // what else it wrote to standard error
}

// openFolder is a folder of the test that every user can write into.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "avbeacon-test")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// writeConfig writes a configuration in which logs are lines of JSON and nothing is listened to, and what else is given.
func writeConfig(t testing.TB, dir, text string) string {
	t.Helper()
	name := filepath.Join(dir, "avbeacon.yaml")
	if !strings.Contains(text, "listen:") {
		text += "listen: {address: \"\"}\n"
	}
	require.NoError(t, os.WriteFile(name, []byte("log: {format: json}\n"+text), 0o644))
	return name
}

// childOptions say how a child is begun.
type childOptions struct {
	in     *testkit.Netns // nil: here
	attr   *syscall.SysProcAttr
	stdin  io.Reader
	binary string // "" for childBinary's
	args   []string
}

// startChild runs avbeacon until the test ends, at most.
func startChild(t testing.TB, o childOptions) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(cmp.Or(o.binary, childBinary(t)), o.args...), ended: make(chan error, 1)}
	c.cmd.SysProcAttr, c.cmd.Stdin = o.attr, o.stdin
	said, err := c.cmd.StderrPipe()
	require.NoError(t, err)
	if o.in != nil {
		o.in.Do(c.cmd.Start)
	} else {
		require.NoError(t, c.cmd.Start())
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			c.take(lines.Bytes())
		}
	}()
	go func() {
		<-read
		c.ended <- c.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may have ended
		<-read
		if t.Failed() {
			t.Logf("its log: %s", c.log())
		}
	})
	return c
}

func (c *child) take(line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var entry map[string]any
	if json.Unmarshal(line, &entry) == nil {
		c.lines = append(c.lines, entry)
		return
	}
	c.rest.Write(append(line, '\n'))
}

// log is all that it wrote to standard error.
func (c *child) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, line := range c.lines {
		fmt.Fprintln(&text, line)
	}
	return text.String() + c.rest.String()
}

// said gives the log's lines with a message.
func (c *child) said(message string) (list []map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.lines {
		if line["message"] == message {
			list = append(list, line)
		}
	}
	return list
}

// await waits for the n-th line of its log with a message, and gives it.
func (c *child) await(message string, n int) map[string]any {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return len(c.said(message)) >= n }, time.Minute, 5*time.Millisecond, "it never says %q", message)
	return c.said(message)[n-1]
}

// stop asks it to end and gives what Wait says.
func (c *child) stop() error {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(syscall.SIGTERM))
	return c.wait(time.Minute)
}

// kill ends it at once.
func (c *child) kill() {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Kill())
	require.Error(c.t, c.wait(time.Minute))
}

func (c *child) wait(most time.Duration) error {
	c.t.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(most):
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // prints its goroutines
		<-c.ended
		require.Fail(c.t, "it does not end", "%s", c.log())
		return nil
	}
}

// once runs avbeacon to its end and gives its standard output.
func once(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(childBinary(t), args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	require.NoError(t, err, "%v: %s", args, said.String())
	return out
}

// finding is what two reports of the same packets must agree on: not frames, nor times, nor what is computed from them.
type finding struct {
	ID, Vendor, Verdict, State, Product string
	Concern                             bool
	Contacts, Lookups                   int
	Host                                struct {
		Address, MAC, Name string
		VLAN               []int
	}
	HostRole     string `json:"host_role"`
	Destinations []struct {
		Address  string
		Port     int
		Names    []string
		ASN      int
		Contacts int
		Place    struct{ Level, Country, City string }
	}
	Evidence []struct {
		Kind, Value, Role, Strength string
		Supports                    bool
		Count                       int
	}
}

// findingsOf reads a report.
func findingsOf(t testing.TB, report []byte) []finding {
	t.Helper()
	var r struct{ Findings []finding }
	require.NoError(t, json.Unmarshal(report, &r))
	return r.Findings
}
