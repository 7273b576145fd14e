package alert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/config"
)

// The README's configuration is one, and every event, state and silence stands in it.
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
	b, err := NewBook(c.Alerts, Options{})
	require.NoError(t, err)
	require.Len(t, b.rules.windows, 1)
	require.Equal(t, []string{"10.20.0.0/16"}, b.suppressions[0].Hosts)
	for _, e := range []Event{New, Raised, Place, Returned, Blocked, RemovalDue, Repeated, Resolved, Summary} {
		require.Contains(t, string(text), "| `"+string(e)+"` |")
	}
	for _, s := range []State{Open, Acknowledged, Suppressed, Closed} {
		require.Contains(t, string(text), "| `"+string(s)+"` |")
	}
	for _, s := range []Silence{Unasked, Silenced, Maintenance, Held, Grouped} {
		require.Contains(t, string(text), "| `"+string(s)+"` |")
	}
}
