package session

import (
	"context"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/outbox"
	"avbeacon/internal/store"
)

// An alert waits in Session.made for the finding that caused it: both are written in one transaction.

func (s *Session) bookOptions() alert.Options {
	o, rules := &s.opt, s.Know.Policy
	return alert.Options{MaxTracked: o.Hosts, Sensor: o.Sensor, Policy: rules.Name, Version: o.Version, Concern: alert.PlacesOf(rules)}
}

// AllRules returns ours, then the store's suppressions with other IDs. A suppression of the store that cannot be read is
// logged and has no effect. db may be nil.
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
			log.Error("a suppression in the store cannot be read and has no effect", zap.String("id", rows[i].ID), zap.Error(err))
		case !known[r.ID]:
			all, known[r.ID] = append(all, r), true
		}
	}
	return all, nil
}

// Acknowledged returns the ids of acknowledged findings. `avbeacon alerts ack` writes them to the store, also while this
// process uses it. db may be nil.
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

// send handles an alert of the book: it goes to Options.Sent, the outbox and the store.
func (s *Session) send(a *alert.Alert) {
	now := time.Now()
	if s.opt.Live {
		a.Made = now
	}
	if s.opt.Sent != nil {
		s.opt.Sent(a)
	}
	switch {
	case s.opt.Outbox != nil:
		sent := *a
		sent.Made = now
		s.made = append(s.made, outbox.Send(&sent, now))
	case s.opt.Store != nil:
		s.made = append(s.made, outbox.Remember(a, now))
	}
}

// take returns the alerts created since the last call, including those that are not to be sent, or not yet.
func (s *Session) take() []store.Alert {
	if s.Alerter.Book != nil {
		for _, a := range s.Alerter.Book.Unsaid() {
			if s.opt.Store != nil {
				s.made = append(s.made, outbox.Remember(a, time.Time{}))
			}
		}
	}
	made := s.made
	s.made = nil
	return made
}

// keepAlerts hands over the alerts that are not written together with a finding.
func (s *Session) keepAlerts() {
	db := s.opt.Store
	if db == nil && s.opt.Outbox != nil {
		db = s.opt.Outbox.store
	}
	for _, a := range s.take() {
		db.KeepAlert(a)
	}
}
