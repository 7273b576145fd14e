//go:build !unix

package main

import "os"

// There are no signals beside the interrupt here: a reload is asked for by changing the files.
var reloadSignals, reopenSignals []os.Signal

// survivePipes has nothing to do here.
func survivePipes() {}
