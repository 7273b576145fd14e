package alert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"avbeacon/capture/limits"
	"avbeacon/classify"
)

// Options is what a Book needs besides the configuration. Zero limits mean the defaults.
type Options struct {
	Sensor  string // name of the tap
	Policy  string // name of the policy behind the decisions
	Version string // of avbeacon
	// Concern says whether a destination is in a place of concern; a new one causes a place alert. PlacesOf makes it from a
	// policy. nil: places in Moscow (M3, M2).
	Concern func(*classify.Finding, *classify.Destination) bool

	// Past returns the alerts that were made of a finding before, sent or not, in any order; nil: none are known. It is asked for findings
	// that a full Book forgot, and may be: it is not asked before the first was.
	Past func(finding string) []*Alert

	MaxTracked int // findings remembered (limits.Hosts); beyond that the least recently judged one is forgotten
	MaxHeld    int // held alerts that keep all their evidence (4,096); further ones keep two pieces
	MaxUnsaid  int // alerts waiting for Unsaid (16,384); beyond that the oldest are dropped and counted
}

// Defaults of Options' limits.
const (
	maxTracked = limits.Hosts
	maxHeld    = 4096
	maxUnsaid  = 16384
)

func (o *Options) complete() {
	o.MaxTracked = cmp.Or(max(o.MaxTracked, 0), maxTracked)
	o.MaxHeld = cmp.Or(max(o.MaxHeld, 0), maxHeld)
	o.MaxUnsaid = cmp.Or(max(o.MaxUnsaid, 0), maxUnsaid)
	if o.Concern == nil {
		o.Concern = inMoscow
	}
}

// rules is the compiled configuration.
type rules struct {
	sends   map[Event]bool
	atLeast classify.Verdict
	all     bool
	repeat  time.Duration
	resolve time.Duration
	after   time.Duration // removal deadline, counted from first sight
	by      time.Time     // removal deadline: the end of that day; zero: none
	group   Group
	quiet   quietHours
	windows []window
}

// leastRepeat keeps repeated alerts from flooding people.
const leastRepeat = time.Minute

// compile checks the configuration. The error names every wrong key and says what to write there.
func compile(c *Config) (*rules, error) {
	r := &rules{sends: map[Event]bool{}, all: c.All, repeat: c.Repeat, resolve: c.Resolve, after: c.Removal.After, group: c.Group}
	errs := []error{r.events(c.Events), r.verdict(c.AtLeast), r.times(c)}
	var err error
	r.quiet, err = newQuietHours(c.Quiet)
	errs = append(errs, err)
	r.windows, err = newWindows(c.Windows)
	if !r.sends[Repeated] {
		r.repeat = 0
	}
	if !r.sends[RemovalDue] {
		r.after, r.by = 0, time.Time{}
	}
	return r, errors.Join(append(errs, err)...)
}

// events sets which events are sent; an empty list means all. Summaries replace alerts that would be sent, so they always
// are.
func (r *rules) events(words []string) error {
	known := []Event{New, Raised, Place, Returned, Blocked, RemovalDue, Repeated, Resolved}
	for i, word := range words {
		if e := Event(word); e != Summary && !slices.Contains(known, e) {
			return fmt.Errorf("alerts.tell[%d]: unknown event %q; write one of %v", i, word, known)
		}
		r.sends[Event(word)] = true
	}
	for _, e := range known {
		if len(words) == 0 {
			r.sends[e] = true
		}
	}
	return nil
}

func (r *rules) verdict(word string) (err error) {
	v, ok := named(cmp.Or(word, "visit"), classify.Visit, classify.Installed)
	if !ok {
		err = fmt.Errorf("alerts.at-least: unknown verdict %q; write visit, possible, likely or installed", word)
	}
	r.atLeast = v
	return err
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
		errs = append(errs, errors.New("alerts.group.within: is missing; write the time within which more than alerts.group.over alerts become a summary"))
	}
	if c.Removal.By != "" {
		day, err := time.Parse(time.DateOnly, c.Removal.By)
		if err != nil {
			errs = append(errs, fmt.Errorf("alerts.removal.by: %q is not a date; write one as 2026-12-31", c.Removal.By))
		}
		r.by = day.AddDate(0, 0, 1) // valid iff err is nil
	}
	return errors.Join(errs...)
}

// removal returns the removal deadline of a product by its first sight; the zero time if there is none.
func (r *rules) removal(first time.Time) time.Time {
	due := r.by
	if r.after > 0 {
		if after := first.Add(r.after); due.IsZero() || after.Before(due) {
			due = after
		}
	}
	return due
}

// resolved returns when a finding is resolved if nothing is seen after last; the zero time for never. Findings record contact
// by the hour, so a time below two hours counts from the end of that hour.
func (r *rules) resolved(last time.Time) time.Time {
	switch {
	case r.resolve == 0 || last.IsZero():
		return time.Time{}
	case r.resolve < 2*time.Hour:
		return last.Truncate(time.Hour).Add(time.Hour + r.resolve)
	}
	return last.Add(r.resolve)
}
