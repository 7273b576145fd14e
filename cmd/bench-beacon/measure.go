package main

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"avbeacon/classify/beacon"
)

// outcome is what the scorers made of one timeline.
type outcome struct {
	ours          beacon.Result
	raw, sessions float64 // the reference, on connections and on sessions
	found         bool    // our period is within a tenth of one that made the timeline
}

type measured struct {
	class
	outcomes []outcome
}

// measureAll makes n timelines of each class and judges them. A class has the same timelines whatever other classes there are.
func measureAll(seed uint64, n int) []measured {
	var all []measured
	for _, c := range classes() {
		m := measured{class: c}
		for i := range n {
			h := fnv.New64a()
			h.Write([]byte(c.name))
			m.outcomes = append(m.outcomes, judge(c.make(rand.New(rand.NewPCG(seed<<32+uint64(i), h.Sum64())))))
		}
		all = append(all, m)
	}
	return all
}

// judge scores a timeline by ours, as classify would, and by the reference, over its last day.
func judge(t timeline) outcome {
	merged := sessions(t.conns)
	line := beacon.Timeline{Lookups: t.lookups, TTL: t.ttl, Active: &t.active}
	if t.noActivity {
		line.Active = nil
	}
	for _, c := range merged[max(0, len(merged)-beacon.MaxStarts):] {
		line.Starts = append(line.Starts, c.At)
	}
	if line.Earlier = len(merged) - len(line.Starts); line.Earlier > 0 {
		line.Since = merged[0].At
	}
	o := outcome{ours: beacon.Judge(line)}
	o.found = slices.ContainsFunc(t.periods, func(p float64) bool {
		return math.Abs(o.ours.Period.Seconds()-p) <= p/10
	})
	from := t.end - 86400
	o.raw = refer(t.conns, from, t.end).Total
	o.sessions = refer(merged, from, t.end).Total
	return o
}

// sessions merges connections that follow each other by less than beacon.Gap.
func sessions(conns []conn) []conn {
	conns = slices.Clone(conns)
	slices.SortStableFunc(conns, func(a, b conn) int { return int(a.At - b.At) })
	var merged []conn
	for i, c := range conns {
		if i == 0 || c.At-conns[i-1].At >= beacon.Gap {
			merged = append(merged, c)
		} else {
			merged[len(merged)-1].Bytes += c.Bytes
		}
	}
	return merged
}

// scorer is a way to score an outcome.
type scorer struct {
	name  string
	score func(*outcome) float64
}

func scorers() []scorer {
	return []scorer{
		{"ours", func(o *outcome) float64 { return o.ours.Score }},
		{"reference", func(o *outcome) float64 { return o.raw }},
		{"reference on sessions", func(o *outcome) float64 { return o.sessions }},
	}
}

// threshold returns the lowest score that at most 1 % of the chance timelines exceed.
func threshold(all []measured, s scorer) float64 {
	var scores []float64
	for i := range all {
		if all[i].group == chance {
			for j := range all[i].outcomes {
				scores = append(scores, s.score(&all[i].outcomes[j]))
			}
		}
	}
	slices.Sort(scores)
	return scores[len(scores)-1-len(scores)/100]
}

// above returns the share of a class over a threshold.
func (m *measured) above(s scorer, threshold float64) float64 {
	return m.share(func(o *outcome) bool { return s.score(o) > threshold })
}

// called returns the share of a class that got a reason.
func (m *measured) called(r beacon.Reason) float64 {
	return m.share(func(o *outcome) bool { return o.ours.Reason == r })
}

// share returns the share of a class for which so is true.
func (m *measured) share(so func(*outcome) bool) float64 {
	n := 0
	for i := range m.outcomes {
		if so(&m.outcomes[i]) {
			n++
		}
	}
	return float64(n) / float64(len(m.outcomes))
}

// overall returns precision and recall over all beat and chance timelines.
func overall(all []measured, s scorer, threshold float64) (precision, recall float64) {
	hit, beats, wrong := 0.0, 0.0, 0.0
	for i := range all {
		n := float64(len(all[i].outcomes))
		switch all[i].group {
		case beat:
			hit += n * all[i].above(s, threshold)
			beats += n
		case chance:
			wrong += n * all[i].above(s, threshold)
		}
	}
	return hit / max(1, hit+wrong), hit / max(1, beats)
}

// mostScored is the largest share of timelines of several machines that may score.
const mostScored = 0.1

// misses returns what a class falls short of; nothing if it passes.
func (m *measured) misses(limits []float64) []string {
	list := scorers()
	var short []string
	switch m.group {
	case beat:
		ours := m.above(list[0], limits[0])
		if ours < m.floor {
			short = append(short, "under its floor")
		}
		for k, s := range list[1:] {
			theirs := m.above(s, limits[k+1])
			if ours < theirs {
				short = append(short, "worse than the "+s.name)
			}
			if m.antivirus && theirs < 0.99 && ours <= theirs {
				short = append(short, "no better than the "+s.name)
			}
		}
	case cache:
		short = m.calledEnough(beacon.Cache)
	case several:
		short = m.calledEnough(beacon.Several)
		if m.above(list[0], limits[0]) > mostScored {
			short = append(short, "scored too often")
		}
	}
	return short
}

func (m *measured) calledEnough(r beacon.Reason) []string {
	if m.called(r) < m.floor {
		return []string{"not called " + r.String() + " often enough"}
	}
	return nil
}
