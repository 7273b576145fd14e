package internal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem"
)

// The configuration knows none of those who act on its words, and has the same ones.
func TestConfigurationHasTheWordsOfThoseWhoActOnThem(t *testing.T) {
	var events, severities, verdicts []string
	for _, e := range []alert.Event{alert.New, alert.Raised, alert.Place, alert.Returned, alert.Blocked, alert.RemovalDue, alert.Repeated,
		alert.Resolved, alert.Summary, alert.Test} {
		events = append(events, string(e))
	}
	for s := policy.Info; s <= policy.Critical; s++ {
		severities = append(severities, s.String())
	}
	for v := classify.Visit; v <= classify.Installed; v++ {
		verdicts = append(verdicts, v.String())
	}
	require.Equal(t, events, config.Events())
	require.Equal(t, severities, config.Severities())
	require.Equal(t, verdicts, config.Verdicts())
	require.Equal(t, siem.Types(), config.SinkTypes())
	require.ElementsMatch(t, siem.Formats(), config.Formats())
}
