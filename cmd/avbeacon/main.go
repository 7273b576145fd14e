// Command avbeacon says which hosts run an antivirus that calls home, to whom, how often, and whether home is in a place
// of concern.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr), os.Stderr))
}

// run is the whole program. Its error, if any, says with which code to exit.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := newRoot(&streams{in: stdin, out: stdout, err: stderr})
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes (OUTPUT.md).
const (
	exitConcern    = 1 // --fail-on: there is a finding of concern
	exitIncomplete = 2 // something could not be read or done
)

// exitError carries an exit code. Its text, where there is one, is yet to be printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	var x *exitError
	if errors.As(err, &x) {
		if x.err != nil {
			fmt.Fprintf(stderr, "avbeacon: %v\n", x.err)
		}
		return x.code
	}
	fmt.Fprintf(stderr, "avbeacon: %v\n", err)
	return exitIncomplete
}
