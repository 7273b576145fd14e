package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/spool"
	"avbeacon/internal/store"
)

// An alert is in the store before it is offered to the spool, and again once the spool has it. A finding is never in the
// store without what was to be told of it: what a crash kept from the spool goes there at the next start.

// kept is an alert as the store has it.
func kept(a *alert.Alert, told time.Time) store.Alert {
	body, err := json.Marshal(a)
	if err != nil {
		body = nil // an Alert has nothing that could not be written
	}
	return store.Alert{ID: a.ID, Finding: a.Finding, Rule: a.Rule, Severity: a.Severity, State: string(a.State), Changed: a.Changed, Told: told, Body: body}
}

// written notes an alert that is to be told, before the spool has it.
func (d *Daemon) written(a *alert.Alert) {
	if d.store != nil {
		d.store.KeepAlert(kept(a, time.Time{}))
	}
}

// unsaid notes alerts that were made and are not told.
func (o *owner) unsaid() {
	for _, a := range o.tell.Book.Unsaid() {
		o.d.store.KeepAlert(kept(a, time.Time{}))
	}
}

// made is what the runs before this one made of findings.
type made struct {
	all   []*alert.Alert
	owing map[string]*alert.Alert // of the store: to be told, and as far as it knows the spool does not have them
	known map[string]bool         // ids of what the store has as told
	there []*alert.Alert          // what the spool has without the store knowing
}

// madeBefore gives what the store has; nil stands for none.
func madeBefore(ctx context.Context, s *store.Store) (*made, error) {
	m := &made{owing: map[string]*alert.Alert{}, known: map[string]bool{}}
	if s == nil {
		return m, nil
	}
	list, err := s.Alerts(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	for i := range list {
		var a alert.Alert
		if json.Unmarshal(list[i].Body, &a) != nil || a.ID != list[i].ID {
			continue
		}
		m.all = append(m.all, &a)
		if m.known[a.ID] = !list[i].Told.IsZero(); !m.known[a.ID] && a.Unsaid == alert.Told {
			m.owing[a.ID] = &a
		}
	}
	return m, nil
}

// read adds what the spool has.
func (m *made) read(ctx context.Context, s *spool.Spool) error {
	err := s.Each(ctx, time.Time{}, func(a *alert.Alert) error {
		m.all = append(m.all, a)
		if !m.known[a.ID] {
			m.known[a.ID], m.there = true, append(m.there, a)
		}
		delete(m.owing, a.ID)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the spool back: %w", err)
	}
	return nil
}

// goOn makes the book go on from what was made, tells the store what the spool has, and hands the spool what it misses.
func (o *owner) goOn(m *made) {
	o.tell.Book.Restore(m.all)
	o.d.stored(m.there)
	late := slices.SortedFunc(maps.Values(m.owing), func(x, y *alert.Alert) int { return cmp.Compare(x.Sequence, y.Sequence) })
	for _, a := range late {
		o.hand(a)
	}
	if len(late) > 0 {
		o.d.log.Info("alerts that the last run could not write to the spool are told now", zap.Int("alerts", len(late)))
	}
}
