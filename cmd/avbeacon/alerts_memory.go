package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// goOn makes a run that tells go on from a store, as monitor does: what was told is not told again, and the store's
// suppressions hold. What the run tells is in the store once the run is.
func (x *alerts) goOn(ctx context.Context, mem *memory, catalog *feeds.Catalog) error {
	if x == nil || mem == nil {
		return nil
	}
	if err := x.silence(ctx, mem.store); err != nil {
		return err
	}
	made, err := mem.store.Alerts(ctx)
	if err != nil {
		return err
	}
	var before []*alert.Alert
	for i := range made {
		var a alert.Alert
		if json.Unmarshal(made[i].Body, &a) == nil && a.ID == made[i].ID {
			before = append(before, &a)
		}
	}
	x.teller.Book.Restore(before)
	found, err := mem.store.Findings(ctx, catalog)
	if err != nil {
		return err
	}
	for i := range found {
		x.teller.Book.Recall(found[i].Finding, found[i].Decision)
	}
	x.keep = func(a *alert.Alert, told time.Time) { mem.store.KeepAlert(storedAlert(a, told)) }
	return nil
}

// silence adds the store's suppressions to those of the configuration, which win where both have one ID.
func (x *alerts) silence(ctx context.Context, s *store.Store) error {
	stored, err := storedRules(ctx, s)
	if err != nil {
		return err
	}
	for _, rule := range stored {
		if !slices.ContainsFunc(x.rules, func(r *alert.Suppression) bool { return r.ID == rule.ID }) {
			x.rules = append(x.rules, rule)
		}
	}
	return x.teller.Book.Suppress(x.rules)
}

// unsaid keeps alerts that were made and are not told.
func (x *alerts) unsaid() {
	for _, a := range x.teller.Book.Unsaid() {
		if x.keep != nil {
			x.keep(a, time.Time{})
		}
	}
}

// note tells in the report what the configuration's suppressions keep from alerts at its end; a stored report tells it of
// the store's.
func (x *alerts) note(r *report.Report, findings []*classify.Finding) {
	if x != nil && x.keep == nil {
		r.NoteSilenced(x.rules, findings, x.teller.Now())
	}
}

// rulesOf makes the suppressions of a configuration, which is checked.
func rulesOf(list []alert.SuppressionRule) (rules []*alert.Suppression) {
	for i := range list {
		if rule, err := alert.NewSuppression(list[i]); err == nil {
			rules = append(rules, rule)
		}
	}
	return rules
}

func storedAlert(a *alert.Alert, told time.Time) store.Alert {
	body, err := json.Marshal(a)
	if err != nil {
		body = nil // an Alert has nothing that could not be written
	}
	return store.Alert{ID: a.ID, Finding: a.Finding, Rule: a.Rule, Severity: a.Severity, State: string(a.State), Changed: a.Changed, Told: told, Body: body}
}
