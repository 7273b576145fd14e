package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// An alert is noted in the store before the outbox gets it, and again once the outbox has it. A finding is never in the store
// without the alerts that it caused: what a crash kept from the outbox is sent at the next start.

func (s *Session) bookOptions() alert.Options {
	o, rules := &s.opt, s.Know.Policy
	return alert.Options{MaxTracked: o.Hosts, Sensor: o.Sensor, Policy: rules.Name, Version: o.Version, Concern: alert.PlacesOf(rules)}
}

// Suppress replaces the suppressions that hold. After an error those before stay.
func (s *Session) Suppress(rules []*alert.Suppression) error {
	if err := s.Teller.Book.Suppress(rules); err != nil {
		return err
	}
	s.rules = rules
	return nil
}

// Rules makes the suppressions of a configuration.
func Rules(list []alert.SuppressionRule) (rules []*alert.Suppression, err error) {
	for i := range list {
		r, err := alert.NewSuppression(list[i])
		if err != nil {
			return nil, fmt.Errorf("alerts.suppress[%d]: %w", i, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// AllRules returns ours, then the store's suppressions that have another ID. One of the store that cannot be read suppresses
// nothing and is logged. db may be nil.
func AllRules(ctx context.Context, ours []*alert.Suppression, db *store.Store, log *zap.Logger) ([]*alert.Suppression, error) {
	all := append([]*alert.Suppression(nil), ours...)
	if db == nil {
		return all, nil
	}
	rows, err := db.Suppressions(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, r := range ours {
		known[r.ID] = true
	}
	for i := range rows {
		r, err := alert.ReadSuppression(rows[i].Body)
		switch {
		case err != nil:
			log.Error("a suppression of the store cannot be read; it suppresses nothing", zap.String("id", rows[i].ID), zap.Error(err))
		case !known[r.ID]:
			all, known[r.ID] = append(all, r), true
		}
	}
	return all, nil
}

// Acknowledged returns the ids of the findings that somebody takes care of: `avbeacon alerts ack` notes them in the store,
// also while this process writes it. db may be nil.
func Acknowledged(ctx context.Context, db *store.Store) (findings []string, err error) {
	if db == nil {
		return nil, nil
	}
	list, err := db.Alerts(ctx)
	for i := range list {
		if list[i].State == string(alert.Acknowledged) {
			findings = append(findings, list[i].Finding)
		}
	}
	return findings, err
}

// send is what the book does with an alert.
func (s *Session) send(a *alert.Alert) {
	now := time.Now()
	told := now
	if s.opt.Live {
		a.Made, told = now, time.Time{} // the outbox says when it has the alert
	}
	if s.opt.Store != nil {
		s.opt.Store.KeepAlert(stored(a, told))
	}
	if s.opt.Sent != nil {
		s.opt.Sent(a)
	}
	if s.opt.Outbox != nil {
		sent := *a
		sent.Made = now
		s.opt.Outbox.offer(&sent)
	}
}

// keepUnsent notes in the store the alerts that were made and are not to be sent, or not yet.
func (s *Session) keepUnsent() {
	if s.Teller.Book == nil {
		return
	}
	for _, a := range s.Teller.Book.Unsaid() {
		if s.opt.Store != nil {
			s.opt.Store.KeepAlert(stored(a, time.Time{}))
		}
	}
}

// stored is an alert as the store has it. told is when it counted as sent; zero: not yet.
func stored(a *alert.Alert, told time.Time) store.Alert {
	body, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("alert %s: %v", a.ID, err)) // an Alert holds nothing that JSON cannot write
	}
	return store.Alert{ID: a.ID, Finding: a.Finding, Rule: a.Rule, Severity: a.Severity, State: string(a.State), Changed: a.Changed, Told: told, Body: body}
}
