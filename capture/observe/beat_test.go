package observe

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// still is a Source of so many blocks of one packet, the first of which comes from the future.
type still struct{ n, at int }

func (s *still) Next(_ context.Context, b *capture.Block) error {
	if b.Packets = b.Packets[:0]; s.at == s.n {
		return io.EOF
	}
	at := time.Unix(1_790_000_000, 0)
	if s.at == 0 {
		at = at.AddDate(80, 0, 0)
	}
	s.at++
	b.Packets = append(b.Packets, capture.Packet{Data: []byte{1, 2, 3}, Time: at.UnixNano(), Frame: uint64(s.at), Link: capture.LinkRaw, OrigLen: 3})
	return nil
}

func (s *still) Inputs() []capture.Input { return nil }
func (s *still) Close() error            { return nil }

// A packet from the future, or a clock that was set back, does not silence Tick.
func TestTickComesThoughTheClockStandsStill(t *testing.T) {
	for _, workers := range []int{1, 3} {
		ticks := 0
		_, err := Run(context.Background(), &still{n: 10*beatBlocks + 1}, Options{Workers: workers}, Sink{
			Observation: func(*capture.Observation) error { return nil },
			Tick:        func(int64, capture.Stats) error { ticks++; return nil },
		})
		require.NoError(t, err)
		require.Equal(t, 1+10, ticks)
	}
}
