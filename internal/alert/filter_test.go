package alert_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

func TestFilterLetsThrough(t *testing.T) {
	a := *samples.Numbered(0, 1)[0] // new, kaspersky, high
	critical, tried := a, a
	critical.Severity++
	tried.Event = alert.Test
	for name, c := range map[string]struct {
		filter alert.Filter
		a      *alert.Alert
		want   bool
	}{
		"as grave":       {alert.Filter{Severity: "high"}, &a, true},
		"graver":         {alert.Filter{Severity: "high"}, &critical, true},
		"less grave":     {alert.Filter{Severity: "critical"}, &a, false},
		"event":          {alert.Filter{Events: []string{"returned", "new"}}, &a, true},
		"other event":    {alert.Filter{Events: []string{"returned"}}, &a, false},
		"vendor":         {alert.Filter{Vendors: []string{"drweb", "kaspersky"}}, &a, true},
		"other vendor":   {alert.Filter{Vendors: []string{"drweb"}}, &a, false},
		"one of two":     {alert.Filter{Severity: "low", Vendors: []string{"drweb"}}, &a, false},
		"a test, always": {alert.Filter{Severity: "critical", Vendors: []string{"drweb"}}, &tried, true},
	} {
		require.Equal(t, c.want, c.filter.Matcher()(c.a), name)
	}
}
