// Package measure holds what the bench commands share: the frame of a command and this process's CPU time. What is measured,
// and what the figures mean, is the commands' own business. Start reading at Main.
package measure

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
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
