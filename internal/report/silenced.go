package report

import (
	"fmt"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/alert"
)

// mostSilenced is how many suppressions a report tells one by one.
const mostSilenced = 50

// NoteSilenced tells how many findings which suppression keeps from alerts at a time, who decided so and why: nothing is
// hidden silently. Of several that fit a finding the first has it, as in alert.Book. It returns the findings that none fits.
func (r *Report) NoteSilenced(rules []*alert.Suppression, findings []*classify.Finding, now time.Time) []*classify.Finding {
	words := 0
	for _, rule := range rules {
		if !rule.Live(now) {
			continue
		}
		var rest []*classify.Finding
		for _, f := range findings {
			if !rule.Fits(f) {
				rest = append(rest, f)
			}
		}
		if n := len(findings) - len(rest); n > 0 {
			if words++; words <= mostSilenced {
				r.Notes = append(r.Notes, Clean(fmt.Sprintf("%s kept from alerts by suppression %s (%s; %s; %s).", FindingsAre(n), rule.ID, rule.Reason, rule.Author, until(rule.Expires))))
			}
		}
		findings = rest
	}
	if n := words - mostSilenced; n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d more suppressions keep findings from alerts.", n))
	}
	return findings
}

// FindingsAre begins a sentence about so many findings.
func FindingsAre(n int) string {
	if n == 1 {
		return "1 finding is"
	}
	return fmt.Sprintf("%d findings are", n)
}

func until(t time.Time) string {
	if t.IsZero() {
		return "for good"
	}
	return "until " + t.UTC().Format("2006-01-02 15:04")
}
