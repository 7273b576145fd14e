package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// mostSilenced is how many suppressions a report tells one by one.
const mostSilenced = 50

// noteSilenced tells in a stored report what of it is kept from alerts, by whom and why: nothing is hidden silently.
func noteSilenced(ctx context.Context, r *report.Report, s *store.Store, kept []store.Kept, now time.Time) error {
	rules, err := liveRules(ctx, s, now)
	if err != nil {
		return err
	}
	var words []string
	for _, rule := range rules {
		n := 0
		kept = slices.DeleteFunc(slices.Clone(kept), func(k store.Kept) bool { // the first that fits has it, as in alert.Book
			fits := rule.Fits(k.Finding)
			if fits {
				n++
			}
			return fits
		})
		if n > 0 {
			words = append(words, fmt.Sprintf("%s kept from alerts by suppression %s (%s; %s; %s).", findings(n), rule.ID, rule.Reason, rule.Author, until(rule.Expires)))
		}
	}
	others, err := silencedElsewhere(ctx, s, kept)
	if err != nil {
		return err
	}
	words = append(words, others...)
	if n := len(words) - mostSilenced; n > 0 {
		words = append(words[:mostSilenced], fmt.Sprintf("And by %d more; 'avbeacon suppress list' shows them.", n))
	}
	for _, w := range words {
		r.Notes = append(r.Notes, report.Clean(w))
	}
	return nil
}

// liveRules are the store's suppressions that have not run out.
func liveRules(ctx context.Context, s *store.Store, now time.Time) ([]*alert.Suppression, error) {
	rows, err := s.Suppressions(ctx)
	if err != nil {
		return nil, err
	}
	var rules []*alert.Suppression
	for i := range rows {
		if rule, err := alert.ReadSuppression(rows[i].Body); err == nil && rule.Live(now) { // what monitor cannot read keeps nothing back either
			rules = append(rules, rule)
		}
	}
	return rules, nil
}

// silencedElsewhere tells what suppressions and maintenances of monitor's configuration keep back: the store has those
// alerts, and the name of what silences them.
func silencedElsewhere(ctx context.Context, s *store.Store, kept []store.Kept) (words []string, err error) {
	rows, err := s.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	last := map[string]*alert.Alert{} // by finding
	for i := range rows {
		var a alert.Alert
		if json.Unmarshal(rows[i].Body, &a) == nil && (last[a.Finding] == nil || last[a.Finding].Sequence < a.Sequence) {
			last[a.Finding] = &a
		}
	}
	counts := map[string]int{}
	for i := range kept {
		if a := last[kept[i].ID]; a != nil && (a.Unsaid == alert.Silenced || a.Unsaid == alert.Maintenance) {
			counts[a.By]++
		}
	}
	for _, by := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s kept from alerts by %s, as monitor judged them last.", findings(counts[by]), by))
	}
	return words, nil
}

func findings(n int) string {
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
