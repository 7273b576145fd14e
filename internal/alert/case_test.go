package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/policy"
)

// start is a Monday.
var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// memory is what a store keeps for a Book: every alert by id, and every finding as last judged.
type memory struct {
	alerts   map[string][]byte
	findings map[string]*classify.Finding
	said     map[string]policy.Decision
}

func newMemory() *memory {
	return &memory{alerts: map[string][]byte{}, findings: map[string]*classify.Finding{}, said: map[string]policy.Decision{}}
}

// past is Options.Past.
func (m *memory) past(finding string) (out []*Alert) {
	for _, body := range m.alerts {
		a := &Alert{}
		if json.Unmarshal(body, a) == nil && a.Finding == finding {
			out = append(out, a)
		}
	}
	return out
}

func (m *memory) keep(t *testing.T, list []*Alert) {
	for _, a := range list {
		b, err := json.Marshal(a)
		require.NoError(t, err)
		m.alerts[a.ID] = b
	}
}

// restart makes a Book that continues from the memory.
func (m *memory) restart(t *testing.T, cfg Config, opt Options) *Book {
	b, err := NewBook(cfg, opt)
	require.NoError(t, err)
	var list []*Alert
	for _, body := range m.alerts {
		a := &Alert{}
		require.NoError(t, json.Unmarshal(body, a))
		list = append(list, a)
	}
	b.Restore(list)
	for id, f := range m.findings {
		b.Recall(f, m.said[id])
	}
	return b
}

// scene is a test case: lines of `TIME VERB ARGUMENTS -> EVENTS`. TIME counts from start. EVENTS are `event finding` for sent
// alerts, and `[held new a]` for those not sent, with the silence first. Verbs:
//
//	judge ID WORDS   a finding with these properties: a verdict, a state, place=M3/RU (repeatable), name=, host=, mac=, vendor=,
//	                 sign=role:strength:host.name (repeatable), does=role, severity=, first=-72h, seen=-1h, unconcerned
//	tick
//	ack ID           outcome: ok or rejected
//	state ID         outcome: the state
//	restart          makes a new Book from what the old one returned
//	suppress         removes all suppressions
//	forget EVENT     the store forgets its alerts of this event, as it does with old ones
type scene struct {
	cfg    Config
	opt    Options
	asks   bool // Options.Past gives what the Book returned
	script string
}

func (s scene) play(t *testing.T) *Book {
	t.Helper()
	m := newMemory()
	b, err := NewBook(s.cfg, s.opt)
	require.NoError(t, err)
	if s.asks {
		b.opt.Past = m.past
	}
	for l := range strings.Lines(s.script) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		act, want, ok := strings.Cut(l, "->")
		require.True(t, ok, l)
		words := strings.Fields(act)
		d, err := time.ParseDuration(words[0])
		require.NoError(t, err, l)
		now := start.Add(d)
		var told []*Alert
		outcome := ""
		switch words[1] {
		case "judge":
			f, dec := findingOf(t, words[2], words[3:], now)
			m.findings[f.ID], m.said[f.ID] = f, dec
			told = b.Judge(f, dec, now)
		case "tick":
			told = b.Tick(now)
		case "ack":
			id, ok := b.Acknowledge(words[2], now)
			outcome = map[bool]string{true: "ok", false: "rejected"}[ok]
			if ok {
				m.acknowledge(t, id)
			}
		case "state":
			if r := b.records[words[2]]; r != nil {
				outcome = string(r.state)
			}
		case "restart":
			b = m.restart(t, s.cfg, s.opt)
		case "forget":
			maps.DeleteFunc(m.alerts, func(_ string, body []byte) bool { return bytes.Contains(body, []byte(`"event":"`+words[2]+`"`)) })
		case "suppress":
			require.NoError(t, b.Suppress(nil))
		default:
			t.Fatalf("no verb %q", words[1])
		}
		unsaid := b.Unsaid()
		m.keep(t, told)
		m.keep(t, unsaid)
		if outcome == "" {
			outcome = spell(told, unsaid)
		}
		require.Equal(t, strings.TrimSpace(want), outcome, l)
	}
	return b
}

// acknowledge does what the caller of Acknowledge must do.
func (m *memory) acknowledge(t *testing.T, id string) {
	a := &Alert{}
	require.NoError(t, json.Unmarshal(m.alerts[id], a))
	a.State = Acknowledged
	m.keep(t, []*Alert{a})
}

func spell(told, unsaid []*Alert) string {
	var out []string
	for _, a := range told {
		what := a.Finding
		if a.Event == Summary {
			what = fmt.Sprint(a.Count)
		}
		out = append(out, fmt.Sprintf("%s %s", a.Event, what))
	}
	for _, a := range unsaid {
		out = append(out, fmt.Sprintf("[%s %s %s]", a.Unsaid, a.Event, a.Finding))
	}
	return strings.Join(out, ", ")
}

// findingOf makes a finding and the policy's decision on it.
func findingOf(t *testing.T, id string, words []string, now time.Time) (*classify.Finding, policy.Decision) {
	f := &classify.Finding{ID: id, Vendor: &feeds.Vendor{Key: "kaspersky", Name: "Kaspersky", Country: "RU"}, Verdict: classify.Likely,
		HostRole: classify.HostEndpoint, HostRoles: []classify.HostRole{classify.HostEndpoint}, FirstSeen: start, LastSeen: now, Contacts: 3}
	f.Host.Address = netip.MustParseAddr("10.0.0.5")
	d := policy.Decision{Concern: true, Rule: "russian-vendor", Severity: policy.High, Why: "Rule russian-vendor: Kaspersky is a vendor from Russia."}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "host":
			f.Host.Address = netip.MustParseAddr(value)
		case "name":
			f.Host.Name = value
		case "mac":
			f.Host.HasMAC = true
			_, err := fmt.Sscanf(value, "%x:%x:%x:%x:%x:%x", &f.Host.MAC[0], &f.Host.MAC[1], &f.Host.MAC[2], &f.Host.MAC[3], &f.Host.MAC[4], &f.Host.MAC[5])
			require.NoError(t, err)
		case "vendor":
			f.Vendor = &feeds.Vendor{Key: value, Name: strings.ToUpper(value)}
		case "place":
			f.Destinations = append(f.Destinations, destinationOf(value, len(f.Destinations)))
		case "sign":
			f.Evidence = append(f.Evidence, signOf(value, now))
		case "does":
			f.HostRoles = append(f.HostRoles, wordOf(t, value, classify.HostUnknown, classify.HostEndpoint))
		case "severity":
			d.Severity = wordOf(t, value, policy.Info, policy.Critical)
		case "rule":
			d.Rule = value
		case "first":
			f.FirstSeen = now.Add(durationOf(t, value))
		case "seen":
			f.LastSeen = now.Add(durationOf(t, value))
		case "unconcerned":
			d = policy.Decision{}
		case "active", "blocked", "quiet", "returned":
			f.State = wordOf(t, w, classify.Active, classify.Returned)
		default:
			f.Verdict = wordOf(t, w, classify.Visit, classify.Installed)
		}
	}
	return f, d
}

func destinationOf(where string, n int) classify.Destination {
	level, country, _ := strings.Cut(where, "/")
	d := classify.Destination{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)}), Port: 443, Contacts: uint64(100 - n)}
	for l := place.None; l <= place.M3; l++ {
		if l.String() == level {
			d.Place.Level = l
		}
	}
	d.Place.Country = country
	return d
}

func signOf(value string, now time.Time) classify.Evidence {
	parts := strings.SplitN(value, ":", 3)
	e := classify.Evidence{Kind: classify.KindSNI, Value: parts[2], Supports: true, Count: 1, First: now, Last: now}
	for r := feeds.RoleUnknown; r <= feeds.RoleCDN; r++ {
		if r.String() == parts[0] {
			e.Role = r
		}
	}
	for s := feeds.None; s <= feeds.Strong; s++ {
		if s.String() == parts[1] {
			e.Strength = s
		}
	}
	return e
}

func wordOf[T interface {
	~uint8
	String() string
}](t *testing.T, word string, from, to T) T {
	var words []string
	for v := from; v <= to; v++ {
		if v.String() == word {
			return v
		}
		words = append(words, v.String())
	}
	t.Fatalf("%q is none of %v", word, words)
	return from
}

func durationOf(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return d
}
