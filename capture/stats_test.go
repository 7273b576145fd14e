package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range reasonCount {
		require.NotEmpty(t, r.String())
		require.False(t, seen[r.String()], "%s twice", r)
		seen[r.String()] = true
	}
	require.Equal(t, "unknown", reasonCount.String())
}
