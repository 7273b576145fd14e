package siem

import (
	"context"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/deliver"
)

// filtered is a Sink that gets only the alerts that pass its filter. The others count as done.
type filtered struct {
	sink alert.Sink
	pass func(*alert.Alert) bool
	part []*alert.Alert // of the batch, kept for its memory
	at   []int          // index in the batch of each of part
}

// Deliver delivers the alerts that pass. The counts and indexes that it returns refer to the whole batch.
func (f *filtered) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	f.part, f.at = f.part[:0], f.at[:0]
	for i, a := range batch {
		if f.pass(a) {
			f.part, f.at = append(f.part, a), append(f.at, i)
		}
	}
	defer func() { clear(f.part) }() // the alerts are not ours to keep
	if len(f.part) == 0 {
		return len(batch), nil, nil
	}
	n, refused, err := f.sink.Deliver(ctx, f.part)
	for i := range refused {
		refused[i].Index = f.at[refused[i].Index]
	}
	if n == len(f.part) {
		return len(batch), refused, err
	}
	return f.at[n], refused, err
}

// Close closes the sink behind the filter.
func (f *filtered) Close() error { return f.sink.Close() }

// Reopen reopens the sink behind the filter, if it can be reopened.
func (f *filtered) Reopen() {
	if r, ok := f.sink.(deliver.Reopener); ok {
		r.Reopen()
	}
}

// Resent returns the count of the sink behind the filter.
func (f *filtered) Resent() uint64 {
	if r, ok := f.sink.(deliver.Resender); ok {
		return r.Resent()
	}
	return 0
}
