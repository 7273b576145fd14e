package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// Replayed counts the outcomes of dead letters.
type Replayed struct {
	Delivered int    // and removed from the store
	Rejected  int    // again; kept with the new reason
	Left      int    // not tried or failed; kept as they were
	Reason    string // of the last that was rejected again
}

// Replay delivers a sink's dead letters again, in order, at most batch at a time (0: 500). A daemon may write to the store
// meanwhile. A letter is removed after its delivery: if this process is killed, one may be delivered twice, and none is lost.
// The caller still owns the sink.
func Replay(ctx context.Context, s *store.Store, name string, batch int, to alert.Sink) (out Replayed, err error) {
	if batch <= 0 {
		batch = defaultBatch
	}
	list, err := s.DeadLetters(ctx, name, -1, math.MaxInt32) // the store bounds their bytes
	if err != nil {
		return out, fmt.Errorf("read dead letters: %w", err)
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

// replaySome delivers some dead letters and returns how many of them are done. Those that are rejected again are written before the
// others are removed: a crash in between repeats a delivery and loses none.
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
