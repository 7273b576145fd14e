package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every YAML block of the README is a policy, and every name of the language is in it.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	require.Len(t, blocks, 2)
	for _, b := range blocks {
		yaml, _, ok := strings.Cut(b, "```")
		require.True(t, ok)
		p, err := Parse("README.md", []byte(yaml))
		require.NoError(t, err)
		p.Judge(full())
		require.Empty(t, p.Warnings())
	}
	for _, name := range append(lists(), "vendor_name", "product_version", "host_role", "rtt_ms", "registered", "refuted", "period_s", "sessions", "at_least",
		"in_network", "in_city", "within", "under") {
		require.Contains(t, string(text), name)
	}
}
