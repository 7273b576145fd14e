// Command bench-siem measures how many alerts per second each encoder writes, and how many go through the durable store to a
// file, to syslog and to HTTP receivers. avbeacon and the receivers share one core.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"avbeacon/internal/measure"
)

func main() {
	os.Exit(measure.Main("bench-siem", func(ctx context.Context, args []string, _ io.Reader, out, _ io.Writer) error {
		return run(ctx, args, out)
	}))
}

// bar is the required rate for file and syslog, in alerts per second.
const bar = 5000

const assumptions = `One core (GOMAXPROCS 1). An alert is as most are: one host, two destinations, three pieces of evidence, about 2.5 KB in the
store. Every transaction of the store is brought to the disk before it counts (fsync), and each batch in the file too. Alerts are
offered as fast as they are taken; the time ends when the receiver has the last. Receivers run in this process.
`

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench-siem", flag.ContinueOnError)
	n := flags.Int("n", 30_000, "alerts a delivery")
	cores := flags.Int("cores", 1, "cores")
	dir := flags.String("dir", "", "folder to work in, on the disk that is to be measured; none: the system's for temporary files")
	for_ := flags.Duration("encode", 300*time.Millisecond, "how long each format is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *n < 1 || *cores < 1 {
		return errors.New("-n and -cores are at least 1")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(*cores))
	work, err := os.MkdirTemp(*dir, "bench-siem-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	fmt.Fprint(out, assumptions)
	if err := formats(out, *for_); err != nil {
		return err
	}
	if err := storeAlone(ctx, out, work, *n); err != nil {
		return err
	}
	return deliveries(ctx, out, work, *n)
}

// table prints lines of tab-separated cells.
func table(out io.Writer, head string, lines []string) {
	fmt.Fprintln(out)
	_ = measure.Table(out, append([]string{head}, lines...)...) // out's error, which the next line meets too
}

// spent returns the CPU time of this process, receivers included.
func spent() time.Duration { return measure.CPUTime() }

func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

func deliveries(ctx context.Context, out io.Writer, work string, n int) error {
	var lines, short []string
	for _, w := range ways() {
		took, err := deliver(ctx, w, work, n)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		r := rate(n, took.wall)
		lines = append(lines, fmt.Sprintf("%s\t%s\t%.0f\t%s", w.name, w.sink.Format, r, took))
		if w.barred && r < bar {
			short = append(short, fmt.Sprintf("%s %.0f", w.name, r))
		}
	}
	table(out, "through the store to\tformat\talerts/s\ttook", lines)
	if len(short) > 0 {
		return fmt.Errorf("less than %d alerts/s: %s", bar, strings.Join(short, ", "))
	}
	fmt.Fprintf(out, "\nfile and syslog take at least %d alerts/s\n", bar)
	return nil
}
