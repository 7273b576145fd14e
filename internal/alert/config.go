package alert

import (
	"slices"
	"time"

	"avbeacon/internal/policy"
	"avbeacon/internal/setting"
)

// Config is the configuration section alerts: what is sent, and when. --print-config shows the tag about as a comment above
// the key.
type Config struct {
	Events   []string          `yaml:"tell" about:"events to send, of new, raised, place, returned, blocked, removal_due, repeated, resolved; empty: all"`
	AtLeast  string            `yaml:"at-least" about:"least verdict to send alerts for: visit, possible, likely, installed"`
	All      bool              `yaml:"all" about:"send alerts for findings of no concern too, with severity info"`
	Repeat   time.Duration     `yaml:"repeat" about:"send a repeated alert for a finding that stays active, every so often, 1m or more; 0s: never"`
	Resolve  time.Duration     `yaml:"resolve" about:"a finding without traffic for this long is resolved; 0s: never"`
	Removal  Removal           `yaml:"removal" about:"when products of concern must be gone"`
	Group    Group             `yaml:"group" about:"one summary in place of many alerts for one vendor"`
	Quiet    []Quiet           `yaml:"quiet-hours" about:"hours in which only grave alerts are sent; the others wait until the hours end"`
	Windows  []Window          `yaml:"maintenance" about:"maintenance windows: alerts are counted, not sent"`
	Suppress []SuppressionRule `yaml:"suppress" about:"findings that are counted, not sent; a rule matches if every list that is set matches"`
}

// Removal is the deadline for products of concern.
type Removal struct {
	After time.Duration `yaml:"after" about:"time from a finding's first sight to its deadline; 0s: no deadline"`
	By    string        `yaml:"by" about:"a date, 2006-01-02; empty: none"`
}

// Group replaces many alerts for one vendor by a summary.
type Group struct {
	Over   int           `yaml:"over" about:"more alerts than this within the time below become a summary; 0: never"`
	Within time.Duration `yaml:"within" about:"the time in which alerts are counted"`
}

// Quiet are hours in which only grave alerts are sent.
type Quiet struct {
	Days  []string `yaml:"days" about:"mon, tue, wed, thu, fri, sat, sun; empty: every day"`
	From  string   `yaml:"from" about:"when they begin, 15:04"`
	To    string   `yaml:"to" about:"when they end, 15:04; if this is before from, on the next day"`
	Zone  string   `yaml:"zone" about:"IANA time zone, such as Europe/Berlin; empty: UTC"`
	Above string   `yaml:"above" about:"least severity that is sent at once all the same; empty: critical"`
}

// Window is a maintenance window: a time in which alerts are counted instead of sent.
type Window struct {
	From   time.Time `yaml:"from" about:"when it begins, 2006-01-02T15:04:05Z"`
	To     time.Time `yaml:"to" about:"when it ends"`
	Hosts  []string  `yaml:"hosts" about:"addresses, networks, host names or MACs; empty: all hosts"`
	Reason string    `yaml:"reason" about:"why, for reports"`
}

// SuppressionRule keeps findings from being sent. It matches if every list that is set has an entry that matches.
type SuppressionRule struct {
	ID      string    `yaml:"id" about:"unique name of the rule"`
	Hosts   []string  `yaml:"hosts" about:"addresses, networks, host names or MACs"`
	Vendors []string  `yaml:"vendors" about:"vendor keys, as in the catalogue"`
	Roles   []string  `yaml:"roles" about:"purposes of names (update, reputation ...), or roles of hosts"`
	Domains []string  `yaml:"domains" about:"domains, with all names under them; . for every name"`
	Reason  string    `yaml:"reason" about:"why (required)"`
	Author  string    `yaml:"author" about:"who decided it (required)"`
	Expires time.Time `yaml:"expires" about:"when it ends, 2006-01-02; empty: never"`
}

// DefaultConfig returns the values of keys that are not in the file.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	c := Config{AtLeast: "possible", Repeat: day, Resolve: 7 * day, Group: Group{Over: 50, Within: time.Minute}}
	for _, e := range Events()[:8] { // without Summary, which Group turns on, and Test
		c.Events = append(c.Events, string(e))
	}
	return c
}

// Check reports what is wrong with the section.
func (c *Config) Check(k setting.Check) {
	_, err := compile(c)
	k.Take(err)
	ids := map[string]bool{}
	for i := range c.Suppress {
		s, at := &c.Suppress[i], k.At("suppress").Index(i)
		at.At("id").Required(s.ID)
		if ids[s.ID] && s.ID != "" {
			at.At("id").Fail("%q is used twice", s.ID)
		}
		ids[s.ID] = true
		_, err := NewSuppression(*s)
		at.Take(err)
	}
}

// Events returns all events, in the order of the documentation.
func Events() []Event {
	return []Event{New, Raised, Place, Returned, Blocked, RemovalDue, Repeated, Resolved, Summary, Test}
}

// severities returns the words for severities, lowest first.
func severities() (words []string) {
	for s := policy.Info; s <= policy.Critical; s++ {
		words = append(words, s.String())
	}
	return words
}

// Filter selects the alerts that a receiver gets. The zero Filter selects all.
type Filter struct {
	Severity string   `yaml:"severity" about:"least severity: info, low, medium, high, critical; empty: all"`
	Events   []string `yaml:"events" about:"new, raised, place, returned, blocked, removal_due, repeated, resolved, summary, test; empty: all"`
	Vendors  []string `yaml:"vendors" about:"vendor keys; empty: all"`
}

// Check reports what is wrong with the filter.
func (f *Filter) Check(k setting.Check) {
	k.At("severity").WordOrNone(f.Severity, severities()...)
	var events []string
	for _, e := range Events() {
		events = append(events, string(e))
	}
	k.At("events").Words(f.Events, events...)
}

// Matcher returns the predicate for alerts that pass the filter. Test alerts always pass. An unknown severity, which Check
// reports, lets only test alerts pass.
func (f Filter) Matcher() func(*Alert) bool {
	least := max(slices.Index(severities(), f.Severity), 0)
	if f.Severity != "" && severities()[least] != f.Severity {
		least = len(severities())
	}
	return func(a *Alert) bool {
		return a.Event == Test || int(a.Severity) >= least &&
			(len(f.Events) == 0 || slices.Contains(f.Events, string(a.Event))) &&
			(len(f.Vendors) == 0 || slices.Contains(f.Vendors, a.Vendor.Key))
	}
}
