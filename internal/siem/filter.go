package siem

import (
	"context"
	"slices"

	"avbeacon/internal/alert"
)

// severities are policy.Severity's words, in its order.
func severities() []string { return []string{"info", "low", "medium", "high", "critical"} }

// newFilter gives what decides whether a sink gets an alert, nil where it gets all. A test alert always passes.
func newFilter(cfg Sink) (func(*alert.Alert) bool, error) {
	f := cfg.Filter
	if f.Severity == "" && len(f.Events) == 0 && len(f.Vendors) == 0 {
		return nil, nil
	}
	least := 0
	if f.Severity != "" {
		if least = slices.Index(severities(), f.Severity); least < 0 {
			return nil, bad(cfg, "filter.severity", "%q is none of %v", f.Severity, severities())
		}
	}
	return func(a *alert.Alert) bool {
		return a.Event == alert.Test ||
			int(a.Severity) >= least &&
				(len(f.Events) == 0 || slices.Contains(f.Events, string(a.Event))) &&
				(len(f.Vendors) == 0 || slices.Contains(f.Vendors, a.Vendor.Key))
	}, nil
}

// filtered is a Sink that gets a part of the alerts. The others count as done with.
type filtered struct {
	sink alert.Sink
	pass func(*alert.Alert) bool
	part []*alert.Alert // of the batch, kept for its memory
	at   []int          // where in the batch each of part stands
}

// Deliver hands the part that passes over and counts in the whole batch.
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

// Reopen makes the sink behind the filter, where it is one with a file, open that anew.
func (f *filtered) Reopen() {
	if r, ok := f.sink.(Reopener); ok {
		r.Reopen()
	}
}

// Resent is that of the sink behind the filter.
func (f *filtered) Resent() uint64 {
	if r, ok := f.sink.(Resender); ok {
		return r.Resent()
	}
	return 0
}
