package pipeline

import (
	"time"

	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
)

// Teller makes alerts of findings as they change. It belongs to the goroutine behind the observers, live and offline, so that the same
// packets make the same alerts with the same ids.
type Teller struct {
	Book   *alert.Book
	Policy *policy.Policy
	// Tell gets each alert, in order. The callee owns it.
	Tell func(*alert.Alert)
	now  time.Time // packet clock
}

// Changed takes a finding that changed and returns the policy's decision on it.
func (t *Teller) Changed(f *classify.Finding) policy.Decision {
	d := t.Policy.Decide(f)
	t.reach(f.LastSeen)
	t.tell(t.Book.Judge(f, d, t.now))
	return d
}

// Tick makes the alerts that are due at a packet time.
func (t *Teller) Tick(now time.Time) {
	t.reach(now)
	t.tell(t.Book.Tick(t.now))
}

// Now is the packet clock; zero before the first packet.
func (t *Teller) Now() time.Time { return t.now }

func (t *Teller) reach(now time.Time) {
	if now.After(t.now) {
		t.now = now
	}
}

func (t *Teller) tell(list []*alert.Alert) {
	for _, a := range list {
		t.Tell(a)
	}
}
