package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// noteSilenced tells in a stored report what of it is kept from alerts, by whom and why.
func noteSilenced(ctx context.Context, r *report.Report, s *store.Store, kept []store.Kept, now time.Time) error {
	rules, err := storedRules(ctx, s)
	if err != nil {
		return err
	}
	findings := make([]*classify.Finding, len(kept))
	for i := range kept {
		findings[i] = kept[i].Finding
	}
	return silencedElsewhere(ctx, r, s, r.NoteSilenced(rules, findings, now))
}

// storedRules are the store's suppressions. What monitor cannot read keeps nothing back, and is left out.
func storedRules(ctx context.Context, s *store.Store) ([]*alert.Suppression, error) {
	rows, err := s.Suppressions(ctx)
	if err != nil {
		return nil, err
	}
	var rules []*alert.Suppression
	for i := range rows {
		if rule, err := alert.ReadSuppression(rows[i].Body); err == nil {
			rules = append(rules, rule)
		}
	}
	return rules, nil
}

// silencedElsewhere tells what suppressions and maintenances of monitor's configuration keep back: the store has those
// alerts, and the name of what silences them.
func silencedElsewhere(ctx context.Context, r *report.Report, s *store.Store, findings []*classify.Finding) error {
	rows, err := s.Alerts(ctx)
	if err != nil {
		return err
	}
	last := map[string]*alert.Alert{} // by finding
	for i := range rows {
		var a alert.Alert
		if json.Unmarshal(rows[i].Body, &a) == nil && (last[a.Finding] == nil || last[a.Finding].Sequence < a.Sequence) {
			last[a.Finding] = &a
		}
	}
	counts := map[string]int{}
	for _, f := range findings {
		if a := last[f.ID]; a != nil && (a.Unsaid == alert.Silenced || a.Unsaid == alert.Maintenance) {
			counts[a.By]++
		}
	}
	for _, by := range slices.Sorted(maps.Keys(counts)) {
		r.Notes = append(r.Notes, report.Clean(fmt.Sprintf("%s kept from alerts by %s, as monitor judged them last.", report.FindingsAre(counts[by]), by)))
	}
	return nil
}
