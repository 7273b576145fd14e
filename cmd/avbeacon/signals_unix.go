//go:build unix

package main

import (
	"os"
	"syscall"
)

// The signals that a running monitor takes.
var (
	reloadSignals = []os.Signal{syscall.SIGHUP}
	reopenSignals = []os.Signal{syscall.SIGUSR1}
)
