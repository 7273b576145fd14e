//go:build !linux

package live

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"avbeacon/capture"
)

// Source listens to network interfaces, which works only on Linux.
type Source struct{}

// Open reports that this system has no live capture.
func Open(opt Options) (*Source, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("live capture: not on this system (%s); it needs Linux. Read a capture: tcpdump -w - | avbeacon analyze -: %w",
		runtime.GOOS, errors.ErrUnsupported)
}

// Next implements Source.
func (*Source) Next(context.Context, *capture.Block) error { return errors.ErrUnsupported }

// Inputs implements Source.
func (*Source) Inputs() []capture.Input { return nil }

// Stats returns no interface.
func (*Source) Stats() []Stats { return nil }

// Close implements Source.
func (*Source) Close() error { return nil }
