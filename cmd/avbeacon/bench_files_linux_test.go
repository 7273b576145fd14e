package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/measure"
)

// cost is what one run took.
type cost struct {
	cpu, wall time.Duration // cpu is user and system time
	peak      int64         // most resident memory, in bytes
}

// contender is a command to measure, and what each of its runs cost.
type contender struct {
	label string
	args  []string // none: the bare read loop
	costs []cost
}

// BenchmarkFiles measures what analyze and observe cost on the captures of AVBEACON_BENCH (a glob), with one worker and with two.
// Two yardsticks run in the same rounds: a bare read loop and, where it is installed, `tcpdump -w /dev/null`. Every command runs once
// a round (-benchtime 3x: three rounds), so that other load on the machine falls on all of them.
//
// The table shows medians of the rounds. Its ratios to the yardsticks are taken round by round, and they are what compares: with
// other commits in the same run, and roughly between machines. Seconds from different machines or days do not compare. Speed counts
// only if observe reports all that mkbench put in, by its summary in the JSON file beside the capture.
func BenchmarkFiles(b *testing.B) {
	pattern := os.Getenv("AVBEACON_BENCH")
	if pattern == "" {
		b.Skip("AVBEACON_BENCH names no captures")
	}
	captures, err := filepath.Glob(pattern)
	require.NoError(b, err)
	require.NotEmpty(b, captures, "no captures: %s", pattern)
	binary := childBinary(b)
	for _, capture := range captures {
		b.Run(strings.TrimSuffix(filepath.Base(capture), ".pcap"), func(b *testing.B) { benchmarkFile(b, binary, capture) })
	}
}

func benchmarkFile(b *testing.B, binary, capture string) {
	readLoop := &contender{label: "bare read loop"}
	tcpdump := &contender{label: "tcpdump -w /dev/null", args: []string{"tcpdump", "-r", capture, "-w", "/dev/null"}}
	all := []*contender{readLoop}
	if _, err := exec.LookPath("tcpdump"); err == nil {
		all = append(all, tcpdump)
	}
	for _, workers := range []string{"1", "2"} {
		for _, command := range []string{"analyze --format json", "observe"} {
			args := append(strings.Fields(command), "--quiet", "--workers", workers, capture)
			all = append(all, &contender{label: strings.Fields(command)[0] + " --workers " + workers, args: append([]string{binary}, args...)})
		}
	}
	put, found := putIn(b, capture), observed(b, binary, capture) // which also brings the file into the page cache
	require.Equal(b, put.Kinds, found)
	for b.Loop() {
		for _, c := range all {
			c.costs = append(c.costs, c.run(b, capture))
		}
	}
	rows := []string{"command\tpackets/s\tCPU ns/packet\tCPU s\twall s\tpeak MB\tx read loop\tx tcpdump"}
	packets := float64(put.Packets)
	for _, c := range all {
		cpu, wall := c.median(cost.seconds), c.median(func(c cost) float64 { return c.wall.Seconds() })
		rows = append(rows, fmt.Sprintf("%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f\t%s\t%s", c.label, packets/wall, cpu*1e9/packets, cpu, wall,
			c.median(func(c cost) float64 { return float64(c.peak >> 20) }), c.beside(readLoop), c.beside(tcpdump)))
	}
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, strings.Join(rows, "\t\n")+"\t")
	require.NoError(b, columns.Flush())
	b.Logf("%d packets\n%s", put.Packets, &table)
}

func (c cost) seconds() float64 { return c.cpu.Seconds() }

func (c *contender) run(b *testing.B, capture string) cost {
	begun := time.Now()
	if len(c.args) == 0 {
		before := measure.CPUTime()
		_, err := readLoop(capture)
		require.NoError(b, err)
		return cost{cpu: measure.CPUTime() - before, wall: time.Since(begun)}
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(b.Context(), c.args[0], c.args[1:]...)
	cmd.Stderr = &stderr
	require.NoError(b, cmd.Run(), "%s: %s", cmd, &stderr)
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), time.Since(begun), used.Maxrss << 10}
}

func (c *contender) median(of func(cost) float64) float64 {
	var all []float64
	for _, one := range c.costs {
		all = append(all, of(one))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// beside returns the median over the rounds of c's CPU time beside the other's; a dash if that did not run.
func (c *contender) beside(other *contender) string {
	if len(other.costs) == 0 {
		return "-"
	}
	round := -1
	return fmt.Sprintf("%.2f", c.median(func(one cost) float64 {
		round++
		return one.seconds() / other.costs[round].seconds()
	}))
}

// content is what mkbench says about a capture: its packets, and how many lines of some kinds observe should print.
type content struct {
	Packets int
	Kinds   map[string]int
}

func putIn(b *testing.B, capture string) content {
	text, err := os.ReadFile(strings.TrimSuffix(capture, ".pcap") + ".json")
	require.NoError(b, err)
	var all map[string]int
	require.NoError(b, json.Unmarshal(text, &all))
	c := content{Packets: all["packets"], Kinds: map[string]int{}}
	for _, kind := range []string{"dns_query", "dns_response", "tls_client_hello", "quic_client_hello", "http_request"} {
		c.Kinds[kind] = all[kind]
	}
	return c
}

// observed counts the lines of observe of the kinds that putIn returns, hellos only if they have a name.
func observed(b *testing.B, binary, capture string) map[string]int {
	cmd := exec.CommandContext(b.Context(), binary, "observe", "--quiet", capture)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	found := map[string]int{}
	for d := json.NewDecoder(out); ; {
		var line struct{ Kind, SNI string }
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(b, err)
		switch line.Kind {
		case "tls_client_hello", "quic_client_hello":
			if line.SNI != "" {
				found[line.Kind]++
			}
		case "dns_query", "dns_response", "http_request":
			found[line.Kind]++
		}
	}
	require.NoError(b, cmd.Wait())
	return found
}

// readLoop is the least that reading a capture costs: it reads a classic little-endian pcap file in pieces of 1 MB, touches the
// addresses of each packet and counts them. It does not use our readers, so that it stays the same while they change.
func readLoop(name string) (packets int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	if _, err := r.Discard(24); err != nil { // file header
		return 0, err
	}
	mixed := uint64(0)
	for {
		header, err := r.Peek(16)
		if errors.Is(err, io.EOF) && len(header) == 0 {
			_, err := fmt.Fprint(io.Discard, mixed) // or the compiler may leave out what makes it
			return packets, err
		}
		if err != nil {
			return packets, err
		}
		n := int(binary.LittleEndian.Uint32(header[8:]))
		record, err := r.Peek(16 + n)
		if err != nil {
			return packets, err
		}
		if n >= 42 {
			p := record[16:]
			mixed ^= binary.LittleEndian.Uint64(p[12:]) ^ binary.LittleEndian.Uint64(p[26:]) ^ binary.LittleEndian.Uint64(p[34:])
		}
		packets++
		if _, err := r.Discard(len(record)); err != nil {
			return packets, err
		}
	}
}

func TestReadLoopSeesEveryPacket(t *testing.T) {
	file := make([]byte, 24)
	for _, n := range []int{60, 10, 1514, 700_000, 900_000, 42} {
		header := make([]byte, 16)
		binary.LittleEndian.PutUint32(header[8:], uint32(n))
		file = append(append(file, header...), make([]byte, n)...)
	}
	name := filepath.Join(t.TempDir(), "a.pcap")
	require.NoError(t, os.WriteFile(name, file, 0o600))
	packets, err := readLoop(name)
	require.NoError(t, err)
	require.Equal(t, 6, packets)

	require.NoError(t, os.WriteFile(name, file[:len(file)-1], 0o600))
	_, err = readLoop(name)
	require.Error(t, err, "the last packet is cut")
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	// The machine is three times as slow in the second round: that is no difference between the two.
	cpu := func(seconds ...int) (c contender) {
		for _, s := range seconds {
			c.costs = append(c.costs, cost{cpu: time.Duration(s) * time.Second, wall: time.Second})
		}
		return c
	}
	loop, analyze := cpu(1, 3, 1), cpu(4, 12, 5)
	require.Equal(t, "4.00", analyze.beside(&loop))
	require.Equal(t, "1.00", loop.beside(&loop))
	require.Equal(t, "-", analyze.beside(&contender{}), "tcpdump is not installed")
}
