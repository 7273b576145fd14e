package setting

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDurations(t *testing.T) {
	for word, want := range map[string]time.Duration{"0": 0, "0s": 0, "90d": 90 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "24h": 24 * time.Hour} {
		got, err := ParseDuration(word)
		require.NoError(t, err, word)
		require.Equal(t, want, got, word)
		again, err := ParseDuration(FormatDuration(got))
		require.NoError(t, err, word)
		require.Equal(t, want, again, word)
	}
	for _, word := range []string{"", "d", "1", "-1h", "+1h", "1.5d", "1d1d", "1d 1h", "1w", "99999d", "65535d2000000h"} {
		_, err := ParseDuration(word)
		require.Error(t, err, word)
	}
	require.Equal(t, "5m", FormatDuration(5*time.Minute))
	require.Equal(t, "1.5s", FormatDuration(1500*time.Millisecond))
}

func TestSizes(t *testing.T) {
	for word, want := range map[string]Size{"0": 0, "1": 1, "4096": 4096, "1B": 1, "64MiB": 64 << 20, "64 MiB": 64 << 20, "10GB": 10e9, "1kB": 1000, "3TiB": 3 << 40} {
		got, err := ParseSize(word)
		require.NoError(t, err, word)
		require.Equal(t, want, got, word)
		again, err := ParseSize(got.String())
		require.NoError(t, err, word)
		require.Equal(t, want, again, word)
	}
	for _, word := range []string{"", "B", "-1", "1.5GiB", "1M", "1mib", "9223372036854775808", "9000000TiB", "0x10", "1_000", "64MiB "} {
		_, err := ParseSize(word)
		require.Error(t, err, word)
	}
}

func TestVariablesOfSecrets(t *testing.T) {
	from := Sources{Env: func(name string) (string, bool) { return "value of " + name[:1], true }}
	longest := strings.Repeat("a", longestVariable)
	for _, name := range []string{"A", "_x9", longest} {
		got, err := from.Fetch("${" + name + "}")
		require.NoError(t, err, name)
		require.Equal(t, Secret("value of "+name[:1]), got)
	}
	for _, reference := range []string{"${" + longest + "a}", "${}", "${9}", "${a-b}", "${a", "a", "x${a}", "${a}\n"} {
		_, err := from.Fetch(reference)
		require.ErrorContains(t, err, "a secret must not be written in plain text", reference)
	}
}
