//go:build !(linux || darwin || freebsd)

package spool

// freeBytes is not known on this system.
func freeBytes(string) (uint64, bool) { return 0, false }
