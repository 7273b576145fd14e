package alert_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
)

// The README's configuration is valid, and the README lists every event, state and silence.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	require.True(t, ok)
	yaml, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	file := filepath.Join(t.TempDir(), "avbeacon.yaml")
	require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	_, err = alert.NewBook(c.Alerts, alert.Options{})
	require.NoError(t, err)
	require.Len(t, c.Alerts.Windows, 1)
	require.Equal(t, []string{"10.20.0.0/16"}, c.Alerts.Suppress[0].Hosts)
	for _, e := range []alert.Event{alert.New, alert.Raised, alert.Place, alert.Returned, alert.Blocked, alert.RemovalDue, alert.Repeated, alert.Resolved, alert.Summary} {
		require.Contains(t, string(text), "| `"+string(e)+"` |")
	}
	for _, s := range []alert.State{alert.Open, alert.Acknowledged, alert.Suppressed, alert.Closed} {
		require.Contains(t, string(text), "| `"+string(s)+"` |")
	}
	for _, s := range []alert.Silence{alert.Unasked, alert.Silenced, alert.Maintenance, alert.Held, alert.Grouped} {
		require.Contains(t, string(text), "| `"+string(s)+"` |")
	}
}
