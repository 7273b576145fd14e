package session

import (
	"context"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/outbox"
	"avbeacon/internal/store"
)

// An alert waits in Session.made for the finding that caused it: both are written in one transaction.

func (s *Session) bookOptions() alert.Options {
	o, rules := &s.opt, s.Know.Policy
	return alert.Options{MaxTracked: o.Hosts, Sensor: o.Sensor, Policy: rules.Name, Version: o.Version, Concern: alert.PlacesOf(rules),
		Past: s.past}
}

// past is alert.Options.Past.
func (s *Session) past(finding string) (out []*alert.Alert) {
	db := s.alertStore()
	if db == nil {
		return nil
	}
	list, err := db.AlertsOf(context.Background(), finding)
	if err != nil {
		s.opt.Log.Warn("the alerts of a finding cannot be read; it may be sent again as new", zap.String("finding", finding), zap.Error(err))
	}
	for i := range list {
		a := new(alert.Alert)
		if x, ok := list[i].Value.(*alert.Alert); ok {
			*a = *x
		} else if json.Unmarshal(list[i].Body, a) != nil {
			continue
		}
		out = append(out, a)
	}
	return out
}

// alertStore is the store that has the alerts; nil if none are kept.
func (s *Session) alertStore() *store.Store {
	if s.opt.Store == nil && s.opt.Outbox != nil {
		return s.opt.Outbox.store
	}
	return s.opt.Store
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
	db := s.alertStore()
	for _, a := range s.take() {
		db.KeepAlert(a)
	}
}
