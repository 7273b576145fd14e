package eve

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
)

func TestSignatures(t *testing.T) {
	seen := map[int]alert.Event{}
	a := &alert.Alert{Policy: "moscow", Rule: "russian-vendors"}
	for _, e := range []alert.Event{alert.New, alert.Raised, alert.Place, alert.Returned, alert.Blocked, alert.RemovalDue, alert.Repeated,
		alert.Resolved, alert.Summary, alert.Test, "another"} {
		a.Event = e
		n := signature(a)
		require.GreaterOrEqual(t, n, 3_900_000)
		require.Less(t, n, 4_000_000)
		require.NotContains(t, seen, n)
		seen[n] = e
	}
	a.Event = alert.New
	require.Equal(t, 3_910_290, signature(a), "numbers that receivers know must not change")
}
