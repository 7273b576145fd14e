// Package measure holds what the bench commands share: the frame of a command, this process's CPU time, tables. What is measured,
// and what the figures mean, is the commands' own business. Start reading at Main.
package measure

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
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

// Table writes rows in columns aligned to the right. Tabs separate the cells of a row.
func Table(w io.Writer, rows ...string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(t, row+"\t")
	}
	return t.Flush()
}
