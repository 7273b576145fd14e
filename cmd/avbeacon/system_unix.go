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

// ours reports whether a file belongs to this user or to root.
func ours(st os.FileInfo) bool {
	owner, ok := st.Sys().(*syscall.Stat_t)
	return ok && (owner.Uid == 0 || int(owner.Uid) == os.Geteuid())
}
