package alert

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/policy"
)

func TestDefaultsAreInOrder(t *testing.T) {
	_, err := NewBook(DefaultConfig(), Options{})
	require.NoError(t, err)
}

// Every mistake is reported with its key and with what to write.
func TestMistakes(t *testing.T) {
	ok := SuppressionRule{ID: "x", Vendors: []string{"eset"}, Reason: "r", Author: "a"}
	with := func(change func(*SuppressionRule)) Config {
		s := ok
		change(&s)
		return Config{Suppress: []SuppressionRule{ok, s}}
	}
	for want, c := range map[string]Config{
		`alerts.tell\[1\]: unknown event "newer"; write one of`:                      {Events: []string{"new", "newer"}},
		`alerts.at-least: unknown verdict "sure"; write visit`:                       {AtLeast: "sure"},
		`alerts.repeat: 1s is too often; write 1m0s or more`:                         {Repeat: time.Second},
		`alerts.resolve: -1s is negative`:                                            {Resolve: -time.Second},
		`alerts.removal.by: "soon" is not a date; write one as 2026-12-31`:           {Removal: Removal{By: "soon"}},
		`alerts.group.within: is missing`:                                            {Group: Group{Over: 3}},
		`alerts.group.over: -3 is negative`:                                          {Group: Group{Over: -3}},
		`alerts.quiet-hours\[0\].days: "monday" is not a day`:                        {Quiet: []Quiet{{Days: []string{"monday"}, From: "1:00", To: "2:00"}}},
		`alerts.quiet-hours\[0\].from: "25:00" is not a time of day; write one as`:   {Quiet: []Quiet{{From: "25:00", To: "02:00"}}},
		`alerts.quiet-hours\[0\].to: is the same as from`:                            {Quiet: []Quiet{{From: "02:00", To: "02:00"}}},
		`alerts.quiet-hours\[0\].zone: "Mars" is not a time zone`:                    {Quiet: []Quiet{{From: "01:00", To: "02:00", Zone: "Mars"}}},
		`alerts.quiet-hours\[0\].above: unknown severity "bad"`:                      {Quiet: []Quiet{{From: "01:00", To: "02:00", Above: "bad"}}},
		`alerts.quiet-hours: together they cover the whole week`:                     {Quiet: []Quiet{{From: "01:00", To: "13:00"}, {From: "13:00", To: "01:00"}}},
		`alerts.maintenance\[0\]: to must be later than from`:                        {Windows: []Window{{From: start, To: start}}},
		`alerts.maintenance\[0\].hosts\[0\]: "10.0.0.300" is not an address`:         {Windows: []Window{{From: start, To: start.Add(1), Hosts: []string{"10.0.0.300"}}}},
		`alerts.suppress\[1\]: reason: is missing; write why`:                        with(func(s *SuppressionRule) { s.Reason = " " }),
		`alerts.suppress\[1\]: author: is missing; write who`:                        with(func(s *SuppressionRule) { s.Author = "" }),
		`alerts.suppress\[1\]: it names no hosts, vendors, roles or domains`:         with(func(s *SuppressionRule) { s.Vendors = nil }),
		`alerts.suppress\[1\]: roles\[0\]: unknown role "king"`:                      with(func(s *SuppressionRule) { s.Roles = []string{"king"} }),
		`alerts.suppress\[1\]: vendors\[0\]: "Dr. Web" is not a vendor key`:          with(func(s *SuppressionRule) { s.Vendors = []string{"Dr. Web"} }),
		`alerts.suppress\[1\]: domains\[0\]: "\*.x.com": write x.com`:                with(func(s *SuppressionRule) { s.Domains = []string{"*.x.com"} }),
		`alerts.suppress\[1\]: domains\[0\]: "a..b" has an empty label`:              with(func(s *SuppressionRule) { s.Domains = []string{"a..b"} }),
		`alerts.suppress\[1\]: hosts\[0\]: "10.0.0.0/33" is not an address, network`: with(func(s *SuppressionRule) { s.Hosts = []string{"10.0.0.0/33"} }),
		`alerts.suppress: the id "x" is used twice; give each suppression its own`:   with(func(*SuppressionRule) {}),
	} {
		_, err := NewBook(c, Options{})
		require.Error(t, err, want)
		require.Regexp(t, want, err.Error())
	}
}

// The words that this package repeats are those of the packages that own them.
func TestWords(t *testing.T) {
	var words []string
	for r := feeds.RoleUnknown; r <= feeds.RoleCDN; r++ {
		words = append(words, r.String())
	}
	for h := classify.HostResolver; h <= classify.HostEndpoint; h++ {
		words = append(words, h.String())
	}
	require.Subset(t, Roles(), words)
	require.Subset(t, words, Roles())
	require.EqualValues(t, feeds.Medium, medium)
}

// The least recently judged finding is forgotten and counted, and is new when it is judged again.
func TestEviction(t *testing.T) {
	b := scene{opt: Options{MaxTracked: 2}, cfg: Config{Resolve: time.Hour}, script: `
		0s    judge a -> new a
		1m    judge b -> new b
		2m    judge a ->
		3m    judge c -> new c
		4m    judge a ->
		5m    judge b -> new b`}.play(t)
	require.EqualValues(t, 2, b.Stats().Evicted)
	require.Equal(t, 2, b.Stats().Tracked)
	require.Len(t, b.Tick(start.Add(3*time.Hour)), 2, "nothing comes due for forgotten findings")
}

// When too many held alerts are kept in full, further ones keep less evidence, but none is lost.
func TestHeldIsBounded(t *testing.T) {
	cfg := Config{Quiet: []Quiet{{From: "09:00", To: "10:00"}}}
	b, err := NewBook(cfg, Options{MaxHeld: 1})
	require.NoError(t, err)
	for _, id := range []string{"a", "b", "c"} {
		f, d := findingOf(t, id, []string{"place=M3/RU", "place=N/DE", "place=N/US", "sign=update:strong:x.example", "sign=web:weak:y.example", "sign=web:weak:z.example"}, start)
		require.Empty(t, b.Judge(f, d, start))
	}
	require.Equal(t, 3, b.Stats().Waiting)
	told := b.Tick(start.Add(time.Hour))
	require.Len(t, told, 3)
	require.Len(t, told[0].Evidence, 3)
	require.Len(t, told[1].Evidence, mostKept)
	require.Equal(t, "192.0.2.1", told[2].Destinations[0].Address.String())
	require.Zero(t, b.Stats().Waiting)
	require.Zero(t, b.held)
}

// Unfetched alerts are bounded.
func TestUnsaidIsBounded(t *testing.T) {
	cfg := Config{Suppress: []SuppressionRule{{ID: "x", Domains: []string{"."}, Reason: "r", Author: "a", Expires: start.Add(time.Hour)}}}
	b, err := NewBook(cfg, Options{MaxUnsaid: 64})
	require.NoError(t, err)
	for i := range 1000 {
		f, d := findingOf(t, fmt.Sprint(i), nil, start)
		b.Judge(f, d, start)
	}
	require.Len(t, b.Tick(start.Add(time.Hour)), 1000)
	last := b.Unsaid()
	require.LessOrEqual(t, len(last), 64)
	require.Greater(t, b.Stats().Unfetched, uint64(900))
	require.Empty(t, last, "alerts that were sent since are no longer unsaid")
}

// A burst of due alerts is spread over several calls.
func TestDueIsBounded(t *testing.T) {
	b, err := NewBook(Config{Resolve: 24 * time.Hour}, Options{})
	require.NoError(t, err)
	for i := range mostDue + 10 {
		f, d := findingOf(t, fmt.Sprint(i), nil, start)
		b.Judge(f, d, start)
	}
	require.Len(t, b.Tick(start.Add(24*time.Hour)), mostDue)
	require.Len(t, b.Tick(start.Add(24*time.Hour)), 10)
	require.Empty(t, b.Tick(start.Add(24*time.Hour)))
}

func TestPlacesOf(t *testing.T) {
	moscow, err := policy.Load("moscow")
	require.NoError(t, err)
	own, err := policy.Parse("own.yaml", []byte(`
name: own
rules:
  - name: ours
    concern: false
    networks: [192.0.2.3/32]
  - name: eset-in-china
    vendors: [eset]
    countries: [CN]
  - name: moscow
    places: [M3]
`))
	require.NoError(t, err)
	f, _ := findingOf(t, "a", []string{"vendor=eset", "place=M3/RU", "place=M2/RU", "place=M3/RU", "place=N/CN", "place=N/DE"}, start)
	said := func(p *policy.Policy) (out []bool) {
		for i := range f.Destinations {
			out = append(out, PlacesOf(p)(f, &f.Destinations[i]))
		}
		return out
	}
	require.Equal(t, []bool{true, true, true, false, false}, said(moscow))
	require.Equal(t, []bool{true, false, false, true, false}, said(own))
	f.Vendor = &feeds.Vendor{Key: "drweb"}
	require.Equal(t, []bool{true, false, false, false, false}, said(own))
}
