//go:build !linux

package privilege

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Drop gives nothing up on this system, and says so where that was asked for.
func Drop(opt Options) (Result, error) {
	if opt.User != "" || opt.Confine {
		return Result{}, fmt.Errorf("give up privileges: not on this system (%s): %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return Result{UID: os.Getuid(), GID: os.Getgid()}, nil
}

// Known gives an error where Drop could not become this user; "" stays as it is.
func Known(name string) error {
	if name != "" {
		return fmt.Errorf("become user %s: not on this system (%s): %w", name, runtime.GOOS, errors.ErrUnsupported)
	}
	return nil
}
