package outbox

import (
	"encoding/json"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// Remember returns an alert in the store's form, to be kept but not sent by the outbox. sent is when it was sent in another way;
// zero if it was not.
func Remember(a *alert.Alert, sent time.Time) store.Alert {
	return store.Alert{ID: a.ID, Finding: a.Finding, Rule: a.Rule, Severity: a.Severity, State: string(a.State), Changed: a.Changed, Sent: sent, Body: body(a)}
}

// Send returns an alert in the store's form, to be put into the outbox. The alert must not change afterwards.
func Send(a *alert.Alert, now time.Time) store.Alert {
	out := Remember(a, now)
	out.Send, out.Value = true, a
	return out
}

func body(a *alert.Alert) []byte {
	b, err := json.Marshal(a)
	if err != nil {
		return nil // cannot happen: every field of an Alert has a JSON form
	}
	return b
}
