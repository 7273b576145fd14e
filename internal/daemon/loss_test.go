package daemon

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"avbeacon/internal/metrics"
)

// Every counter of lost things is logged when it has grown, and at most once a minute.
func TestLossesAreLoggedOnceAMinute(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	l := losses{}
	at := func(second int, drops, flows uint64) (said []any) {
		s := &metrics.Snapshot{Time: time.Unix(1_800_000_000+int64(second), 0), Interfaces: []metrics.Interface{{Name: "tap0", Kernel: drops}}}
		s.Count("table_evictions_total", flows, "flows")
		s.Count("catalog_entries", 100)
		l.log(s, zap.New(core))
		for _, e := range logs.TakeAll() {
			said = append(said, e.ContextMap()["counter"], e.ContextMap()["lost"])
		}
		return said
	}
	require.Empty(t, at(0, 0, 0))
	require.Equal(t, []any{"capture_drops_total tap0", uint64(3)}, at(1, 3, 0))
	require.Equal(t, []any{"table_evictions_total flows", uint64(7)}, at(2, 5, 7))
	require.Empty(t, at(60, 9, 8))
	require.Equal(t, []any{"capture_drops_total tap0", uint64(6)}, at(61, 9, 8))
	require.Equal(t, []any{"table_evictions_total flows", uint64(1)}, at(120, 9, 8))
	require.Empty(t, at(1000, 9, 8))
}
