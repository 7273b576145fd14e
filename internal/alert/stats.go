package alert

import (
	"cmp"
	"maps"
	"slices"
)

// Stats counts what a Book did and lost since it was made.
type Stats struct {
	Sent      map[Event]uint64 // alerts sent, with summaries
	Unasked   uint64           // alerts of events that alerts.tell does not list
	Grouped   uint64           // alerts that went into a summary
	Held      uint64           // alerts held until quiet hours ended
	Silenced  uint64           // alerts held back by a suppression or maintenance window
	Rules     []RuleStats      // Silenced by suppression and maintenance window, sorted by ID
	Waiting   int              // findings with an alert held by quiet hours now
	Tracked   int              // findings remembered
	Evicted   uint64           // findings forgotten to make room; they are new when judged next
	Unfetched uint64           // alerts dropped because nobody called Unsaid in time
	Summing   int              // vendors whose alerts are being collected for a summary
}

// RuleStats counts what one suppression or maintenance window held back.
type RuleStats struct {
	ID       string
	Alerts   uint64 // since the start
	Findings int    // with an alert that it holds back now
}

type counts struct {
	sent                             map[Event]uint64
	unasked, grouped, held, silenced uint64
	evicted, unfetched               uint64
	waiting                          int
	rules                            map[string]*RuleStats
}

func newCounts() counts { return counts{sent: map[Event]uint64{}, rules: map[string]*RuleStats{}} }

func (c *counts) add(a *Alert) {
	switch a.Unsaid {
	case Sent:
		c.sent[a.Event]++
	case Unasked:
		c.unasked++
	case Grouped:
		c.grouped++
	case Held:
		c.held++
	case Silenced, Maintenance:
		c.silenced++
		c.rule(a.By).Alerts++
	}
}

// waits adds n to the findings that have something held back by the cause of o.
func (c *counts) waits(o *pending, n int) {
	if o.silence == Held {
		c.waiting += n
		return
	}
	c.rule(o.by).Findings += n
}

func (c *counts) rule(id string) *RuleStats {
	r := c.rules[id]
	if r == nil {
		r = &RuleStats{ID: id}
		c.rules[id] = r
	}
	return r
}

// Stats returns the counters.
func (b *Book) Stats() Stats {
	c := &b.counts
	s := Stats{Sent: maps.Clone(c.sent), Unasked: c.unasked, Grouped: c.grouped, Held: c.held, Silenced: c.silenced, Waiting: c.waiting,
		Tracked: len(b.records), Evicted: c.evicted, Unfetched: c.unfetched, Summing: len(b.open)}
	for _, r := range c.rules {
		s.Rules = append(s.Rules, *r)
	}
	slices.SortFunc(s.Rules, func(x, y RuleStats) int { return cmp.Compare(x.ID, y.ID) })
	return s
}
