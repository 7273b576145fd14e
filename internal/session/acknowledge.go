package session

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// StoredAlert is an alert of a store, in the shape of `avbeacon alerts list --format json`.
type StoredAlert struct {
	ID       string      `json:"id"`
	Finding  string      `json:"finding"`
	Changed  time.Time   `json:"changed"`
	Event    alert.Event `json:"event"`
	State    string      `json:"state"`
	Severity string      `json:"severity"`
	Sent     *time.Time  `json:"told,omitempty"`
	Unsaid   string      `json:"unsaid,omitempty"`
	Message  string      `json:"message"`
	kept     store.Alert // as stored
	whole    alert.Alert // its decoded body
}

// StoredAlerts returns the store's alerts in order of change: those in a state, or all.
func StoredAlerts(ctx context.Context, db *store.Store, state string) (list []StoredAlert, err error) {
	all, err := db.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	list = []StoredAlert{}
	for _, k := range all {
		var a alert.Alert
		if err := json.Unmarshal(k.Body, &a); err != nil {
			return nil, fmt.Errorf("alert %s of the store: %w", k.ID, err)
		}
		if state != "all" && k.State != state {
			continue
		}
		x := StoredAlert{ID: k.ID, Finding: k.Finding, Changed: k.Changed.UTC(), Event: a.Event, State: k.State, Severity: k.Severity.String(), Message: a.Message,
			kept: k, whole: a}
		if !k.Sent.IsZero() {
			sent := k.Sent.UTC()
			x.Sent = &sent
		} else if a.Unsaid != alert.Sent {
			x.Unsaid = string(a.Unsaid)
		}
		list = append(list, x)
	}
	return list, nil
}

// Acknowledge marks the last alert of each finding as acknowledged, or none if one cannot be. An id is a finding's, or that of
// any of its alerts. It returns the alerts that it marked, also beside an error of the store. A running monitor reads them at its
// next reload; see Acknowledged.
func Acknowledge(ctx context.Context, db *store.Store, ids []string) (marked []StoredAlert, err error) {
	all, err := StoredAlerts(ctx, db, "all")
	if err != nil {
		return nil, err
	}
	var list []StoredAlert
	for _, id := range ids {
		x, err := lastOf(all, id)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	// All ids were found: only a failing store can leave some unmarked now.
	for i := range list {
		x := &list[i]
		x.whole.State, x.kept.State = alert.Acknowledged, string(alert.Acknowledged)
		if x.kept.Body, err = json.Marshal(&x.whole); err != nil {
			return list[:i], err
		}
		if err := db.PutAlert(ctx, x.kept); err != nil {
			return list[:i], err
		}
	}
	return list, nil
}

// lastOf returns the last alert that was sent about a finding. id is the finding's, or that of any of its alerts.
func lastOf(all []StoredAlert, id string) (x StoredAlert, err error) {
	at := slices.IndexFunc(all, func(x StoredAlert) bool { return x.ID == id || x.Finding == id })
	if at < 0 {
		return x, fmt.Errorf("the store has no alert and no finding with alerts %q; 'avbeacon alerts list' shows those it has", id)
	}
	finding := all[at].Finding
	for _, a := range all {
		if a.Finding == finding && a.Unsaid == "" {
			x = a
		}
	}
	switch x.State {
	case string(alert.Open), string(alert.Acknowledged):
		return x, nil
	case "":
		return x, fmt.Errorf("%s: no alert was sent about its finding", id)
	}
	return x, fmt.Errorf("%s: its finding is %s, not open", id, x.State)
}
