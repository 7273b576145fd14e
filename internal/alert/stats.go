package alert

import (
	"cmp"
	"maps"
	"slices"
)

// Stats counts what a Book did and lost.
type Stats struct {
	Told      map[Event]uint64 // alerts, summaries too
	Unasked   uint64           // alerts of events that the configuration does not ask for
	Grouped   uint64           // alerts that went into a summary
	Held      uint64           // alerts that had to wait for the end of quiet hours
	Silenced  uint64           // alerts that a suppression or a maintenance kept back
	Rules     []RuleStats      // the same by suppression and maintenance, sorted by ID
	Waiting   int              // findings of which something waits for the end of quiet hours now
	Tracked   int              // findings remembered
	Evicted   uint64           // findings forgotten for others; they are told anew when they are judged next
	Unfetched uint64           // alerts that nobody fetched with Unsaid in time
	Summing   int              // vendors whose alerts are being collected for a summary
}

// RuleStats counts what one suppression or maintenance kept back.
type RuleStats struct {
	ID       string
	Alerts   uint64 // since the start
	Findings int    // of which it keeps something back now
}

type counts struct {
	told                             map[Event]uint64
	unasked, grouped, held, silenced uint64
	evicted, unfetched               uint64
	waiting                          int
	rules                            map[string]*RuleStats
}

func newCounts() counts { return counts{told: map[Event]uint64{}, rules: map[string]*RuleStats{}} }

func (c *counts) add(a *Alert) {
	switch a.Unsaid {
	case Told:
		c.told[a.Event]++
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

// waits counts findings of which something is kept back.
func (c *counts) waits(o *owed, n int) {
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

// Stats gives the counters.
func (b *Book) Stats() Stats {
	c := &b.counts
	s := Stats{Told: maps.Clone(c.told), Unasked: c.unasked, Grouped: c.grouped, Held: c.held, Silenced: c.silenced, Waiting: c.waiting,
		Tracked: len(b.records), Evicted: c.evicted, Unfetched: c.unfetched, Summing: len(b.open)}
	for _, r := range c.rules {
		s.Rules = append(s.Rules, *r)
	}
	slices.SortFunc(s.Rules, func(x, y RuleStats) int { return cmp.Compare(x.ID, y.ID) })
	return s
}
