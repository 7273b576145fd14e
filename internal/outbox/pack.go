package outbox

import (
	"encoding/json"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
)

// Remember returns an alert in the form of the store. Told is when it was sent in another way than by the outbox; zero where it
// was not.
func Remember(a *alert.Alert, told time.Time) store.Alert {
	body, err := json.Marshal(a)
	if err != nil {
		body = nil // an Alert has nothing that JSON cannot say
	}
	return store.Alert{ID: a.ID, Finding: a.Finding, Rule: a.Rule, Severity: a.Severity, State: string(a.State), Changed: a.Changed, Told: told, Body: body}
}

// Send returns an alert in the form of the store, to be put into the outbox.
func Send(a *alert.Alert, now time.Time) store.Alert {
	out := Remember(a, now)
	out.Send = true
	return out
}
