// Package measure holds what the bench commands share: the frame of a command, what a process costs, medians and tables.
// It takes commands to run and gives their cost; what is measured, and what the figures mean, is the commands' own business.
// Start reading at Run.
package measure

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Main runs a bench command with this process's arguments until it ends or is interrupted, and returns its exit code.
func Main(name string, run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// Cost is what one run of a process took.
type Cost struct {
	CPU, Wall time.Duration // CPU is user and system time, of the process and of the children that it waited for
	Peak      int64         // most resident memory at once, in bytes; 0 where the system does not report it
}

// Run runs a command to its end. Its error holds the command and what it wrote to stderr, unless cmd.Stderr is set.
func Run(cmd *exec.Cmd) (Cost, error) {
	var said bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	}
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return Cost{}, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	state := cmd.ProcessState
	return Cost{CPU: state.UserTime() + state.SystemTime(), Wall: time.Since(begun), Peak: peak(state)}, nil
}

// Median returns the middle value, the lower one of two. values must not be empty.
func Median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[(len(values)-1)/2]
}

// Table writes rows in columns aligned to the right. Tabs separate the cells of a row.
func Table(w io.Writer, rows ...string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(t, row+"\t")
	}
	return t.Flush()
}
