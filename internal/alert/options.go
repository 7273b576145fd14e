package alert

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/internal/limits"
)

// Options is what a Book needs beside the configuration. Zero limits take the defaults.
type Options struct {
	Sensor  string // name of the tap
	Policy  string // name of the policy that gives the decisions
	Version string // of avbeacon
	// Concern says whether a destination is in a place of concern, so that the first of such a place is told (event place).
	// nil: in Moscow (M3, M2). PlacesOf makes it from a policy.
	Concern func(*classify.Finding, *classify.Destination) bool

	MaxTracked int // findings that are remembered (limits.Hosts); then the one judged longest ago is forgotten
	MaxHeld    int // alerts that wait in full, the others without evidence (4,096)
	MaxUnsaid  int // alerts that wait to be fetched by Unsaid (16,384); then the oldest is dropped
}

// Defaults of Options' limits.
const (
	maxTracked = limits.Hosts
	maxHeld    = 4096
	maxUnsaid  = 16384
)

func (o *Options) complete() {
	for _, l := range []struct {
		limit     *int
		otherwise int
	}{{&o.MaxTracked, maxTracked}, {&o.MaxHeld, maxHeld}, {&o.MaxUnsaid, maxUnsaid}} {
		if *l.limit <= 0 {
			*l.limit = l.otherwise
		}
	}
	if o.Concern == nil {
		o.Concern = inMoscow
	}
}

// rules are the configuration in the form that judging needs.
type rules struct {
	tell    map[Event]bool
	atLeast classify.Verdict
	all     bool
	repeat  time.Duration
	resolve time.Duration
	after   time.Duration // removal, counted from the first sight
	by      time.Time     // removal by a date: the end of that day; zero for none
	group   Group
	quiet   quietHours
	windows []window
}

// leastRepeat keeps a Book from telling more than anybody reads.
const leastRepeat = time.Minute

// compile checks the configuration. The error names every key that is wrong, and what to write there.
func compile(c *Config) (*rules, error) {
	r := &rules{tell: map[Event]bool{}, all: c.All, repeat: c.Repeat, resolve: c.Resolve, after: c.Removal.After, group: c.Group}
	errs := []error{r.events(c.Tell), r.verdict(c.AtLeast), r.times(c)}
	var err error
	r.quiet, err = newQuietHours(c.Quiet)
	errs = append(errs, err)
	r.windows, err = newWindows(c.Windows)
	if !r.tell[Repeated] {
		r.repeat = 0
	}
	if !r.tell[RemovalDue] {
		r.after, r.by = 0, time.Time{}
	}
	return r, errors.Join(append(errs, err)...)
}

// events are those of the configuration; none stands for all. A summary stands for alerts that are told, and always is.
func (r *rules) events(tell []string) error {
	known := []Event{New, Raised, Place, Returned, Blocked, RemovalDue, Repeated, Resolved}
	for i, word := range tell {
		if e := Event(word); e != Summary && !slices.Contains(known, e) {
			return fmt.Errorf("alerts.tell[%d]: there is no event %q; write one of %v", i, word, known)
		}
		r.tell[Event(word)] = true
	}
	for _, e := range known {
		if len(tell) == 0 {
			r.tell[e] = true
		}
	}
	return nil
}

func (r *rules) verdict(word string) error {
	if word == "" {
		r.atLeast = classify.Visit
		return nil
	}
	for v := classify.Visit; v <= classify.Installed; v++ {
		if v.String() == word {
			r.atLeast = v
			return nil
		}
	}
	return fmt.Errorf("alerts.at-least: there is no verdict %q; write visit, possible, likely or installed", word)
}

func (r *rules) times(c *Config) error {
	var errs []error
	for key, d := range map[string]time.Duration{"repeat": c.Repeat, "resolve": c.Resolve, "removal.after": c.Removal.After, "group.within": c.Group.Within} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("alerts.%s: %v is negative; write 0s for never", key, d))
		}
	}
	if c.Repeat > 0 && c.Repeat < leastRepeat {
		errs = append(errs, fmt.Errorf("alerts.repeat: %v is too often; write %v or more, or 0s for never", c.Repeat, leastRepeat))
	}
	if c.Group.Over < 0 {
		errs = append(errs, fmt.Errorf("alerts.group.over: %d is negative; write 0 for no grouping", c.Group.Over))
	}
	if c.Group.Over > 0 && c.Group.Within == 0 {
		errs = append(errs, errors.New("alerts.group.within: is missing: write within which time more than alerts.group.over make a summary"))
	}
	if c.Removal.By != "" {
		day, err := time.Parse(time.DateOnly, c.Removal.By)
		if err != nil {
			errs = append(errs, fmt.Errorf("alerts.removal.by: %q is no date; write one as 2026-12-31", c.Removal.By))
		}
		r.by = day.AddDate(0, 0, 1) // valid iff err is nil
	}
	return errors.Join(errs...)
}

// removal is when a product that was first seen at a time has to be gone; zero for never.
func (r *rules) removal(first time.Time) time.Time {
	due := r.by
	if r.after > 0 {
		if after := first.Add(r.after); due.IsZero() || after.Before(due) {
			due = after
		}
	}
	return due
}

// resolved is when a finding that was last seen at a time counts as over; zero for never. A contact is known to the hour,
// so that what is less than two is counted from the hour's end.
func (r *rules) resolved(last time.Time) time.Time {
	switch {
	case r.resolve == 0 || last.IsZero():
		return time.Time{}
	case r.resolve < 2*time.Hour:
		return last.Truncate(time.Hour).Add(time.Hour + r.resolve)
	}
	return last.Add(r.resolve)
}
