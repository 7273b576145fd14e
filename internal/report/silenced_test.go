package report

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/alert"
)

func TestSilencedFindingsAreCounted(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var rules []*alert.Suppression
	add := func(c alert.SuppressionRule) {
		s, err := alert.NewSuppression(c)
		require.NoError(t, err)
		rules = append(rules, s)
	}
	add(alert.SuppressionRule{ID: "over", Domains: []string{"."}, Reason: "r", Author: "ann", Expires: now})
	add(alert.SuppressionRule{ID: "one", Hosts: []string{"10.0.0.1"}, Reason: "the \x1b[31mlab", Author: "ann", Expires: now.Add(time.Hour)})
	add(alert.SuppressionRule{ID: "net", Hosts: []string{"10.0.0.0/30"}, Reason: "r", Author: "bob"})
	for i := range mostSilenced + 5 {
		add(alert.SuppressionRule{ID: fmt.Sprint("more-", i), Hosts: []string{fmt.Sprintf("10.1.0.%d", i)}, Reason: "r", Author: "bob"})
	}
	var findings []*classify.Finding
	host := func(s string) {
		f := &classify.Finding{ID: s, Vendor: &feeds.Vendor{Key: "drweb"}}
		f.Host.Address = netip.MustParseAddr(s)
		findings = append(findings, f)
	}
	for i := range 5 {
		host(fmt.Sprintf("10.0.0.%d", i))
	}
	r := &Report{}
	rest := r.NoteSilenced(rules, findings, now)
	require.Len(t, rest, 1)
	require.Equal(t, "10.0.0.4", rest[0].ID)
	require.Len(t, r.Notes, 2)
	require.Equal(t, "Suppressed: 3 findings, by net (reason: r; author: bob; no expiry).", r.Notes[1])
	require.Contains(t, r.Notes[0], "Suppressed: 1 finding, by one (reason: the ")
	require.Contains(t, r.Notes[0], "; author: ann; expires 2026-11-24 13:00).")
	require.NotContains(t, r.Notes[0], "\x1b")
	for i := range mostSilenced + 5 {
		host(fmt.Sprintf("10.1.0.%d", i))
	}
	r = &Report{}
	r.NoteSilenced(rules, findings, now)
	require.Len(t, r.Notes, mostSilenced+1)
	require.Equal(t, "7 more suppressions match findings.", r.Notes[mostSilenced])
}
