package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// group counts the alerts sent for one vendor. When there are too many, it collects further ones for a Summary.
type group struct {
	sent []time.Time // times of the last alerts sent one by one, at most Group.Over
	end  time.Time   // when the Summary is sent; valid iff sum is not nil
	sum  *sum        // nil: not collecting
}

// sum is the content of a Summary under way.
type sum struct {
	findings map[string]bool
	hosts    []string
	events   map[Event]int
	gravest  Alert // the first of the highest severity
	first    time.Time
	last     time.Time
	seen     uint64
}

// group says whether an alert that would be sent at time t goes into a Summary instead, and adds it there.
func (b *Book) group(a *Alert, t time.Time) bool {
	if b.rules.group.Over <= 0 {
		return false
	}
	g := b.groupOf(a.Vendor.Key)
	if g.sum == nil && !g.crowded(t, &b.rules.group) {
		g.note(t, b.rules.group.Over)
		return false
	}
	b.collect(g, a, t)
	return true
}

func (b *Book) groupOf(vendor string) *group {
	g := b.groups[vendor]
	if g == nil {
		g = &group{}
		b.groups[vendor] = g
	}
	return g
}

// crowded says whether the limit of single alerts has been used up in the time before t.
func (g *group) crowded(t time.Time, limit *Group) bool {
	return len(g.sent) >= limit.Over && t.Sub(g.sent[0]) < limit.Within
}

func (g *group) note(t time.Time, over int) {
	g.sent = append(g.sent, t)
	if len(g.sent) > over {
		g.sent = slices.Delete(g.sent, 0, len(g.sent)-over)
	}
}

// collect adds an alert to its vendor's Summary, which is sent Group.Within after its first alert.
func (b *Book) collect(g *group, a *Alert, t time.Time) {
	if g.sum == nil {
		g.end = t.Add(b.rules.group.Within).UTC()
		g.sum = &sum{findings: map[string]bool{}, events: map[Event]int{}, gravest: *a, first: a.First}
		at, _ := slices.BinarySearchFunc(b.open, g, func(x, y *group) int { return x.end.Compare(y.end) })
		for at < len(b.open) && b.open[at].end.Equal(g.end) {
			at++
		}
		b.open = slices.Insert(b.open, at, g)
	}
	g.sum.add(a)
}

func (s *sum) add(a *Alert) {
	if !s.findings[a.Finding] {
		s.seen += a.Seen
	}
	s.findings[a.Finding] = true
	s.events[a.Event]++
	if a.First.Before(s.first) {
		s.first = a.First
	}
	s.last = later(s.last, a.Last)
	if a.Severity > s.gravest.Severity {
		s.gravest = *a
	}
	host := who(&Alert{Host: Host{Address: a.Host.Address, MAC: a.Host.MAC}})
	if len(s.hosts) < MostHosts && !slices.Contains(s.hosts, host) {
		s.hosts = append(s.hosts, host)
	}
}

// sum sends the Summary of a group whose time has ended.
func (b *Book) sum(g *group) {
	b.open = slices.DeleteFunc(b.open, func(x *group) bool { return x == g })
	s := g.sum
	g.sum = nil
	if s == nil {
		return
	}
	a := s.alert(g.end, b.rules.group.Within)
	b.sequence++
	a.Sequence, a.Policy, a.Version = b.sequence, b.opt.Policy, b.opt.Version
	b.counts.add(a)
	b.emit(a)
}

func (s *sum) alert(end time.Time, within time.Duration) *Alert {
	g := &s.gravest
	hash := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(s.findings)) {
		hash.Write([]byte(id + "\x00"))
	}
	a := &Alert{Finding: hex.EncodeToString(hash.Sum(nil)[:8]), Sensor: g.Sensor, Event: Summary, State: Open, Severity: g.Severity, Rule: g.Rule,
		Why: g.Why, Changed: end, Decided: end, Count: len(s.findings), Seen: s.seen, First: s.first, Last: s.last,
		Vendor: Vendor{Key: g.Vendor.Key, Name: g.Vendor.Name, Country: g.Vendor.Country, Group: g.Vendor.Group}, Hosts: s.hosts}
	a.ID = ID(a.Finding, a.Rule, Summary, end)
	a.Message = s.message(a, within)
	if n := len(s.findings) - len(s.hosts); n > 0 {
		a.Note = fmt.Sprintf("Lists the first %d hosts only.", len(s.hosts))
	}
	return a
}

// mostNamed is how many hosts the message of a Summary names.
const mostNamed = 5

func (s *sum) message(a *Alert, within time.Duration) string {
	words := make([]string, 0, len(s.events))
	for _, e := range slices.SortedFunc(maps.Keys(s.events), func(x, y Event) int {
		return cmp.Or(cmp.Compare(s.events[y], s.events[x]), cmp.Compare(x, y))
	}) {
		words = append(words, fmt.Sprintf("%d %s", s.events[e], strings.ReplaceAll(string(e), "_", " ")))
	}
	m := fmt.Sprintf("%s of %s changed within %v (%s): %s", plural(a.Count, "more finding"), a.Vendor.Name, within, strings.Join(words, ", "),
		strings.Join(s.hosts[:min(len(s.hosts), mostNamed)], ", "))
	if n := a.Count - mostNamed; n > 0 {
		m += fmt.Sprintf(" and %d more", n)
	}
	return line(m + ".")
}
