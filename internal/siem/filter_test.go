package siem

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

// taker is a Sink that does what a test says.
type taker func(batch []*alert.Alert) (int, []alert.Refusal, error)

func (f taker) Deliver(_ context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	return f(batch)
}
func (f taker) Close() error { return nil }

func TestFilterLetsThrough(t *testing.T) {
	a := *samples.Numbered(0, 1)[0] // new, kaspersky, high
	critical, tried := a, a
	critical.Severity++
	tried.Event = alert.Test
	for name, c := range map[string]struct {
		filter alert.Filter
		a      *alert.Alert
		want   bool
	}{
		"as grave":       {alert.Filter{Severity: "high"}, &a, true},
		"graver":         {alert.Filter{Severity: "high"}, &critical, true},
		"less grave":     {alert.Filter{Severity: "critical"}, &a, false},
		"event":          {alert.Filter{Events: []string{"returned", "new"}}, &a, true},
		"other event":    {alert.Filter{Events: []string{"returned"}}, &a, false},
		"vendor":         {alert.Filter{Vendors: []string{"drweb", "kaspersky"}}, &a, true},
		"other vendor":   {alert.Filter{Vendors: []string{"drweb"}}, &a, false},
		"one of two":     {alert.Filter{Severity: "low", Vendors: []string{"drweb"}}, &a, false},
		"a test, always": {alert.Filter{Severity: "critical", Vendors: []string{"drweb"}}, &tried, true},
	} {
		require.Equal(t, c.want, c.filter.Matcher()(c.a), name)
	}
}

func TestFilterCountsInTheWholeBatch(t *testing.T) {
	odd := func(a *alert.Alert) bool { return (a.ID[len(a.ID)-1]-'0')%2 == 1 }
	batch := samples.Numbered(0, 8) // 1, 3, 5 and 7 pass
	broke := errors.New("broke")
	for name, c := range map[string]struct {
		n, want int
		err     error
	}{
		"all":        {4, 8, nil},
		"none":       {0, 1, broke}, // the first of all is not for this sink, and is done with
		"the first":  {1, 3, broke},
		"but a last": {3, 7, broke},
	} {
		f := &filtered{pass: odd, sink: taker(func(part []*alert.Alert) (int, []alert.Refusal, error) {
			require.Equal(t, []*alert.Alert{batch[1], batch[3], batch[5], batch[7]}, part)
			if c.n < 1 {
				return 0, nil, c.err
			}
			return c.n, []alert.Refusal{{Index: 0, Reason: "no"}}, c.err
		})}
		n, refused, err := f.Deliver(t.Context(), batch)
		require.Equal(t, c.want, n, name)
		require.Equal(t, c.err, err, name)
		for _, r := range refused {
			require.Equal(t, 1, r.Index, name)
		}
	}
	f := &filtered{pass: func(*alert.Alert) bool { return false }, sink: taker(nil)}
	n, refused, err := f.Deliver(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, refused)
	require.Equal(t, 8, n, "what is for others does not wait for a receiver that is away")
}
