//go:build !linux

package capture

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Live is a Source over network interfaces; only Linux has it.
type Live struct{}

// OpenLive says that this system has no live capture.
func OpenLive(opt LiveOptions) (*Live, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("live capture: not on this system (%s); it needs Linux. Read a capture: tcpdump -w - | avbeacon analyze -: %w",
		runtime.GOOS, errors.ErrUnsupported)
}

// Next implements Source.
func (*Live) Next(context.Context, *Block) error { return errors.ErrUnsupported }

// Inputs implements Source.
func (*Live) Inputs() []Input { return nil }

// Stats tells of every interface.
func (*Live) Stats() []LiveStats { return nil }

// Close implements Source.
func (*Live) Close() error { return nil }
