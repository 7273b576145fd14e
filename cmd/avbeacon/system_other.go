//go:build !unix

package main

import "os"

// There are no signals beside the interrupt here: a reload is asked for by changing the files.
var reloadSignals, reopenSignals []os.Signal

// survivePipes has nothing to do here.
func survivePipes() {}

// ours is true: here only administrators make symbolic links.
func ours(os.FileInfo) bool { return true }
