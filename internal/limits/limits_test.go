package limits_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/config"
	"avbeacon/internal/limits"
)

// What monitor's configuration says by default is the table's.
func TestConfigurationReadsTheTable(t *testing.T) {
	c := config.Default()
	keys := map[string]int{"limits.flows": c.Limits.Flows, "limits.hosts": c.Limits.Hosts, "limits.names": c.Limits.Names}
	for _, l := range limits.Table() {
		require.NotEmpty(t, l.Full, l.What)
		require.GreaterOrEqual(t, l.Analyze, l.Monitor, l.What)
		if l.Key != "" {
			require.Equal(t, l.Monitor, keys[l.Key], l.What)
			require.NotEmpty(t, l.Table, "%s: a limit that is set has a metric", l.What)
		}
	}
}
