package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture/limits"
)

// The configuration's defaults are these.
func TestConfigurationReadsTheTable(t *testing.T) {
	c := Default()
	require.Equal(t, limits.Flows, c.Limits.Flows)
	require.Equal(t, limits.MonitorHosts, c.Limits.Hosts)
	require.Equal(t, limits.MonitorNames, c.Limits.Names)
}
