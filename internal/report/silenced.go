package report

import (
	"fmt"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/alert"
)

// mostSilenced is how many suppressions a report lists one by one.
const mostSilenced = 50

// NoteSilenced adds a note for each suppression in force that matches findings: how many, why and by whom, so that nothing is hidden
// silently. The first suppression that matches a finding counts, as in alert.Book. It returns the findings that none matches.
func (r *Report) NoteSilenced(rules []*alert.Suppression, findings []*classify.Finding, now time.Time) []*classify.Finding {
	words := 0
	for _, rule := range rules {
		if !rule.Live(now) {
			continue
		}
		var rest []*classify.Finding
		for _, f := range findings {
			if !rule.Matches(f) {
				rest = append(rest, f)
			}
		}
		if n := len(findings) - len(rest); n > 0 {
			if words++; words <= mostSilenced {
				r.Notes = append(r.Notes, Clean(fmt.Sprintf("Suppressed: %s, by %s (reason: %s; author: %s; %s).", plural(uint64(n), "finding"), rule.ID, rule.Reason, rule.Author, until(rule.Expires))))
			}
		}
		findings = rest
	}
	if n := words - mostSilenced; n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d more suppressions match findings.", n))
	}
	return findings
}

// Findings returns a count of findings in words: "1 finding", "2 findings".
func Findings(n int) string { return plural(uint64(n), "finding") }

func until(t time.Time) string {
	if t.IsZero() {
		return "no expiry"
	}
	return "expires " + t.UTC().Format("2006-01-02 15:04")
}
