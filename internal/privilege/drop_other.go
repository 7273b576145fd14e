//go:build !linux

package privilege

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Drop is not supported on this system: it returns an error if opt names a user. Nothing is confined, which the Result says.
func Drop(opt Options) (Result, error) {
	if opt.User != "" {
		return Result{}, fmt.Errorf("drop privileges: not supported on this system (%s): %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return Result{UID: os.Getuid(), GID: os.Getgid()}, nil
}

// Known returns an error if Drop could not switch to this user. "" means no switch.
func Known(name string) error {
	if name != "" {
		return fmt.Errorf("switch to user %s: not supported on this system (%s): %w", name, runtime.GOOS, errors.ErrUnsupported)
	}
	return nil
}

// Successor names nobody: there is no switch on this system.
func Successor(func(string) string) string { return "" }

// HandOver does nothing: there is no switch on this system.
func HandOver(string, []string) error { return nil }
