//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// The signals that a running monitor takes.
var (
	reloadSignals = []os.Signal{syscall.SIGHUP}
	reopenSignals = []os.Signal{syscall.SIGUSR1}
)

// survivePipes makes writing to a standard output whose reader is gone an error, not the end of the process.
func survivePipes() { signal.Ignore(syscall.SIGPIPE) }
