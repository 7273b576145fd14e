package pipeline

import (
	"time"

	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
)

// Alerter makes alerts of findings as they change. It belongs to the goroutine behind the observers, live and offline, so that the same
// packets make the same alerts with the same ids.
type Alerter struct {
	Book   *alert.Book
	Policy *policy.Policy
	// Send gets each alert, in order. The callee owns it.
	Send func(*alert.Alert)
	now  time.Time // packet clock
}

// Changed takes a finding that changed and returns the policy's decision on it.
func (t *Alerter) Changed(f *classify.Finding) policy.Decision {
	d := t.Policy.Decide(f)
	t.reach(f.LastSeen)
	t.send(t.Book.Judge(f, d, t.now))
	return d
}

// Tick makes the alerts that are due at a packet time.
func (t *Alerter) Tick(now time.Time) {
	t.reach(now)
	t.send(t.Book.Tick(t.now))
}

// Now is the packet clock; zero before the first packet.
func (t *Alerter) Now() time.Time { return t.now }

func (t *Alerter) reach(now time.Time) {
	if now.After(t.now) {
		t.now = now
	}
}

func (t *Alerter) send(list []*alert.Alert) {
	for _, a := range list {
		t.Send(a)
	}
}
