package observe

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
)

// pausingSource hands out one packet a block, and blocks without packets for each second between them.
type pausingSource struct {
	memSource
	now int64
}

func (s *pausingSource) Next(ctx context.Context, b *capture.Block) error {
	if s.at < len(s.packets) && s.now != 0 && s.packets[s.at].Time > s.now+int64(time.Second) {
		s.now += int64(time.Second)
		b.Packets, b.Now = b.Packets[:0], s.now
		return nil
	}
	if s.at < len(s.packets) {
		s.now = s.packets[s.at].Time
	}
	s.size = 1
	return s.memSource.Next(ctx, b)
}

func TestSilenceMovesTheClock(t *testing.T) {
	talk := opened(40001, 443).closed()
	later := newTalk(40002, 443)
	later.put(client, decode.SYN, 9, nil)
	list := numbered(together(talk, later))
	list[len(list)-1].Time = someStart + int64(time.Minute)
	var first []string
	for _, workers := range []int{1, 2, 5} {
		var got []string
		ticks, lastTick := 0, int64(0)
		src := &pausingSource{memSource: memSource{packets: list}}
		_, err := Run(context.Background(), src, Options{Workers: workers}, Sink{
			Observation: func(o *capture.Observation) error {
				got = append(got, fmt.Sprintf("%s of %d after %d ticks", brief(o), o.Src.Port(), ticks))
				return nil
			},
			Tick: func(now int64, _ capture.Stats) error {
				ticks++
				require.Greater(t, now, lastTick, "in order")
				lastTick = now
				return nil
			},
		})
		require.NoError(t, err)
		require.InDelta(t, 60, ticks, 2)
		require.InDelta(t, someStart+int64(time.Minute), lastTick, 2e9)
		require.Len(t, got, 2)
		require.NotContains(t, got[0], "after 0 ticks")
		require.NotContains(t, got[0], fmt.Sprintf("after %d ticks", ticks), "the flow's record does not wait for the next packet")
		if first == nil {
			first = got
		}
		require.Equal(t, first, got, "%d workers", workers)
	}
}

func TestTickEndsTheRun(t *testing.T) {
	list := numbered(opened(40001, 443).list)
	list = append(list, list[0])
	list[len(list)-1].Time += int64(time.Minute)
	for _, workers := range []int{1, 3} {
		src := &pausingSource{memSource: memSource{packets: list}}
		_, err := Run(context.Background(), src, Options{Workers: workers}, Sink{
			Observation: func(*capture.Observation) error { return nil },
			Tick:        func(int64, capture.Stats) error { return context.DeadlineExceeded },
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}
