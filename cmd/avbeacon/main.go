// Command avbeacon says which hosts run an antivirus that calls home, to whom, how often, and whether home is in a place
// of concern.
//
// Arguments go in; a report, alerts or messages come out, and an exit code. Each file with the name of a subcommand has its flags, help
// and checks; what it does is internal/session's (files), internal/daemon's (taps) or the store's. Start reading at run, then newRoot
// (root.go), then analyze. output.go makes files appear whole or not at all, complain.go writes messages for people, progress.go the
// bar.
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

func main() { os.Exit(program()) }

// program is the process without its end.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return exitCode(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr), os.Stderr)
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

// Exit codes, as README.md lists them; exitInterrupted is what shells give for SIGINT.
const (
	exitConcern     = 1 // --fail-on: there is a finding of concern
	exitIncomplete  = 2 // something could not be read or done
	exitInterrupted = 130
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

// exitCode prints an error unless it was printed already, and returns the exit code.
func exitCode(err error, stderr io.Writer) int {
	var x *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &x):
		if x.err != nil {
			complain(stderr, x.err)
		}
		return x.code
	case errors.Is(err, syscall.EPIPE): // the reader went away, as `head` does: it needs no explanation
		return exitIncomplete
	case errors.Is(err, context.Canceled):
		complain(stderr, errors.New("interrupted; nothing was reported"))
		return exitInterrupted
	}
	complain(stderr, err)
	return exitIncomplete
}
