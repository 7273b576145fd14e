package alert

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/policy"
	"avbeacon/internal/testkit/rounds"
)

// step is one call of a Book: Judge if there is a finding, else Tick.
type step struct {
	at  time.Time
	f   *classify.Finding
	d   policy.Decision
	ack string // finding acknowledged afterwards, or ""
}

// history makes random histories of some findings.
func history(rng *rand.Rand, steps int) []step {
	now := start
	lives := make([]classify.Finding, 12)
	vendors := []*feeds.Vendor{{Key: "kaspersky", Name: "Kaspersky"}, {Key: "drweb", Name: "Doctor Web"}}
	for i := range lives {
		lives[i] = classify.Finding{ID: fmt.Sprintf("f%02d", i), Vendor: vendors[i%2]}
		lives[i].Host.Address = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
	}
	var out []step
	for range steps {
		now = now.Add(time.Duration(rng.Int64N(int64(pick(rng, time.Second, 20*time.Minute, 9*time.Hour, 4*24*time.Hour)))))
		if rng.IntN(5) == 0 {
			out = append(out, step{at: now})
			continue
		}
		life := &lives[rng.IntN(len(lives))]
		grow(rng, life, now)
		f := *life
		f.Destinations, f.Evidence = slices.Clone(f.Destinations), slices.Clone(f.Evidence)
		d := policy.Decision{Concern: rng.IntN(12) > 0, Rule: pick(rng, "r", "r", "r", "s"), Severity: pick(rng, policy.Low, policy.High, policy.High, policy.Critical)}
		s := step{at: now, f: &f, d: d}
		if rng.IntN(10) == 0 {
			s.ack = fmt.Sprintf("f%02d", rng.IntN(len(lives)))
		}
		out = append(out, s)
	}
	return out
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func grow(rng *rand.Rand, f *classify.Finding, now time.Time) {
	if f.FirstSeen.IsZero() {
		f.FirstSeen = now
	}
	f.Verdict = pick(rng, classify.Visit, classify.Possible, classify.Possible, classify.Likely, classify.Installed)
	f.State = pick(rng, classify.Active, classify.Active, classify.Active, classify.Blocked, classify.Returned)
	if rng.IntN(6) > 0 {
		f.LastSeen = now
	}
	f.Contacts++
	if rng.IntN(3) == 0 && len(f.Destinations) < 40 {
		for range 1 + rng.IntN(3) {
			d := classify.Destination{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(len(f.Destinations))}), Contacts: 1}
			d.Place.Level = pick(rng, place.N, place.M2, place.M3)
			d.Place.Country = pick(rng, "RU", "RU", "BY", "KZ")
			f.Destinations = append(f.Destinations, d)
		}
	}
	if rng.IntN(3) == 0 && len(f.Evidence) < 20 {
		f.Evidence = append(f.Evidence, classify.Evidence{Kind: classify.KindSNI, Value: pick(rng, "a.example", "b.example"), Supports: true,
			Role: pick(rng, feeds.RoleUpdate, feeds.RoleTelemetry), Strength: pick(rng, feeds.Weak, feeds.Strong)})
	}
}

// anyConfig turns on a random half of the rules.
func anyConfig(rng *rand.Rand) Config {
	half := func() bool { return rng.IntN(2) == 0 }
	c := Config{AtLeast: pick(rng, "visit", "possible"), All: rng.IntN(4) == 0}
	if half() {
		c.Repeat = pick(rng, 6*time.Hour, 48*time.Hour)
	}
	if half() {
		c.Resolve = pick(rng, time.Hour, 30*time.Hour, 14*24*time.Hour)
	}
	if half() {
		c.Removal.After = pick(rng, time.Hour, 9*24*time.Hour)
	}
	if half() {
		c.Group = Group{Over: 1 + rng.IntN(3), Within: pick(rng, time.Hour, 24*time.Hour)}
	}
	if half() {
		c.Quiet = []Quiet{{From: "20:00", To: "06:30", Zone: "Europe/Berlin"}, {Days: []string{"sat"}, From: "05:00", To: "04:00", Above: "high"}}
	}
	if half() {
		c.Windows = []Window{{From: start.Add(24 * time.Hour), To: start.Add(99 * time.Hour), Hosts: []string{"10.0.0.0/29"}}}
	}
	if half() {
		c.Events = []string{"new", "raised", "place", "removal_due", "resolved"}
	}
	if half() {
		c.Suppress = []SuppressionRule{
			{ID: "one", Hosts: []string{"10.0.0.1", "10.0.0.2"}, Reason: "r", Author: "a", Expires: start.Add(9 * 24 * time.Hour)},
			{ID: "two", Domains: []string{"a.example"}, Roles: []string{"update"}, Reason: "r", Author: "a", Expires: start.Add(15 * 24 * time.Hour)},
			{ID: "three", Hosts: []string{"10.0.0.3"}, Vendors: []string{"drweb"}, Reason: "r", Author: "a"},
		}
	}
	return c
}

// run plays a history, with a new Book from what the old one returned before each step that restart names. It returns every
// sent alert, by decision.
func run(t *testing.T, steps []step, cfg Config, restart func(i int) bool, tick time.Duration) (told []string) {
	b, err := NewBook(cfg, Options{})
	require.NoError(t, err)
	m := newMemory()
	hear := func(list []*Alert) {
		for _, a := range list {
			told = append(told, fmt.Sprintf("%s %s %s %s #%d", a.ID, a.Event, a.Finding, a.Decided.Format(time.RFC3339), a.Sequence))
		}
		m.keep(t, list)
		m.keep(t, b.Unsaid())
	}
	for i, s := range steps {
		if restart(i) {
			b = m.restart(t, cfg, Options{})
		}
		for at := b.now.Add(tick); tick > 0 && !b.now.IsZero() && at.Before(s.at); at = at.Add(tick) {
			hear(b.Tick(at))
		}
		if s.f == nil {
			hear(b.Tick(s.at))
			continue
		}
		m.findings[s.f.ID], m.said[s.f.ID] = s.f, s.d
		hear(b.Judge(s.f, s.d, s.at))
		if s.ack != "" {
			if id, ok := b.Acknowledge(s.ack, s.at); ok {
				m.acknowledge(t, id)
			}
		}
	}
	hear(b.Tick(steps[len(steps)-1].at.Add(60 * 24 * time.Hour)))
	return told
}

// Neither restarts nor the interval between ticks change which alerts are sent.
func TestRestartChangesNoAlert(t *testing.T) {
	events := map[string]int{}
	for seed := range uint64(rounds.Of(t, 30)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg, steps := anyConfig(rng), history(rng, 150)
		want := run(t, steps, cfg, func(int) bool { return false }, 0)
		equal(t, want, run(t, steps, cfg, func(i int) bool { return i == len(steps)/2 }, 0), "seed %d, one restart", seed)
		if seed%10 == 0 {
			equal(t, want, run(t, steps, cfg, func(int) bool { return true }, 0), "seed %d, a restart at every step", seed)
			equal(t, want, run(t, steps, cfg, func(int) bool { return false }, 41*time.Minute), "seed %d, ticks", seed)
		}
		for _, l := range want {
			var id, event string
			_, err := fmt.Sscan(l, &id, &event)
			require.NoError(t, err)
			events[event]++
		}
	}
	for _, e := range []Event{New, Raised, Place, Returned, Blocked, RemovalDue, Repeated, Resolved, Summary} {
		require.NotZero(t, events[string(e)], "no history told %s", e)
	}
}

// equal shows where two lists differ first.
func equal(t *testing.T, want, got []string, words string, args ...any) {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			require.Equal(t, want[i:min(i+3, len(want))], got[min(i, len(got)):min(i+3, len(got))], append([]any{words}, args...)...)
		}
	}
	require.Len(t, got, len(want))
}

// No id is sent twice.
func TestIDsAreSentOnce(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		cfg := anyConfig(rng)
		seen := map[string]bool{}
		b, err := NewBook(cfg, Options{})
		require.NoError(t, err)
		for _, s := range history(rng, 200) {
			var told []*Alert
			if s.f == nil {
				told = b.Tick(s.at)
			} else {
				told = b.Judge(s.f, s.d, s.at)
			}
			for _, a := range told {
				require.False(t, seen[a.ID], "seed %d: %s %s twice", seed, a.Event, a.Finding)
				seen[a.ID] = true
				if a.Event != Summary {
					require.Equal(t, ID(a.Finding, a.Rule, a.Event, a.Changed), a.ID)
				}
			}
		}
	}
}
