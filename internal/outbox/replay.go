package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// Replayed counts what became of dead letters.
type Replayed struct {
	Delivered int    // they are in the store no more
	Rejected  int    // again; they stay with the new reason
	Left      int    // they stay as they were, because the receiver failed
	Reason    string // of the last that was rejected again
}

// Replay delivers a sink's dead letters again, in order, at most batch at a time (0: 500). A daemon may write to the store
// meanwhile. A letter leaves the store after its delivery: one that is delivered when this process is killed may come twice,
// and none is lost. The sink stays the caller's.
func Replay(ctx context.Context, s *store.Store, name string, batch int, to alert.Sink) (out Replayed, err error) {
	if batch <= 0 {
		batch = defaultBatch
	}
	var list []store.DeadLetter
	for after, more := int64(-1), true; more; {
		some, err := s.DeadLetters(ctx, name, after, batch)
		if err != nil {
			return out, fmt.Errorf("read dead letters: %w", err)
		}
		if more = len(some) == batch; len(some) > 0 {
			after = some[len(some)-1].Sequence
		}
		list = append(list, some...) // at most what the store keeps of them
	}
	for len(list) > 0 {
		n, err := replaySome(ctx, s, list[:min(batch, len(list))], to, &out)
		list = list[n:]
		if err != nil {
			out.Left += len(list)
			return out, fmt.Errorf("deliver dead letters: %w", err)
		}
	}
	return out, nil
}

func replaySome(ctx context.Context, s *store.Store, some []store.DeadLetter, to alert.Sink, out *Replayed) (int, error) {
	alerts := make([]*alert.Alert, len(some))
	for i := range some {
		alerts[i] = new(alert.Alert)
		if err := json.Unmarshal(some[i].Body, alerts[i]); err != nil {
			return 0, err
		}
	}
	n, rejected, err := to.Deliver(ctx, alerts)
	if n = min(max(n, 0), len(some)); n < len(some) && err == nil {
		err = errStopped
	}
	again := map[int64]store.DeadLetter{}
	for _, one := range rejected {
		if one.Index >= 0 && one.Index < n {
			d := some[one.Index]
			d.Rejected, d.Reason = time.Now(), cut(one.Reason)
			out.Reason = d.Reason
			again[d.Sequence] = d
		}
	}
	var gone []int64
	var stay []store.DeadLetter
	for _, d := range some[:n] {
		if x, ok := again[d.Sequence]; ok {
			stay = append(stay, x)
		} else {
			gone = append(gone, d.Sequence)
		}
	}
	out.Delivered += len(gone)
	out.Rejected += len(stay)
	ctx = context.WithoutCancel(ctx) // what was delivered must not come again
	if len(stay) > 0 {
		_, e := s.PutDead(ctx, stay)
		err = errors.Join(err, e)
	}
	if len(gone) > 0 {
		err = errors.Join(err, s.DropDead(ctx, some[0].Sink, gone))
	}
	return n, err
}
