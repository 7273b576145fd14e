package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// limits is how much of a finding the text report shows; --explain shows all of it.
type limits struct{ groups, against, values, frames, destinations int }

// limitsOf gives a finding that somebody has to act on more room than the others: a reader must be able to check it.
func limitsOf(f *Finding) limits {
	if f.Concern && f.Verdict != "visit" {
		return limits{groups: 8, against: 3, values: 3, frames: 6, destinations: 8}
	}
	return limits{groups: 3, against: 2, values: 2, frames: 4, destinations: 3}
}

// finding writes one finding with as much of its evidence as a reader needs to believe it.
func (t *writer) finding(r *Report, f *Finding) {
	t.line("")
	t.para(0, "%s: %s %s", hostText(f, " "), f.VendorName, t.verdict(f))
	if f.ConcernWhy != "" {
		t.para(2, "Of concern: %s", Clean(f.ConcernWhy))
	}
	for _, s := range f.Reasons {
		t.para(2, "%s", Clean(s))
	}
	l := limitsOf(f)
	left := t.evidence(r, f, &l) + t.destinations(f, l.destinations)
	if left > 0 || f.Dropped > 0 {
		t.para(2, "... and %d more (--explain %s shows all)", left+int(f.Dropped), Clean(hostKey(f)))
	}
	if words := beatText(f); words != "" {
		t.para(2, "Rhythm: %s", words)
	}
}

// beatText leaves out services with one session: one time has no rhythm.
func beatText(f *Finding) string {
	var out []string
	for i := range f.Beacon {
		if b := &f.Beacon[i]; b.Sessions > 1 {
			out = append(out, b.Role+" "+Clean(b.Words))
		}
	}
	return strings.Join(out, "; ")
}

// evidence writes the groups of evidence, strongest first, and returns how many pieces it left out.
func (t *writer) evidence(r *Report, f *Finding, l *limits) (left int) {
	supports, against := 0, 0
	for _, g := range groupEvidence(f.Evidence) {
		n, limit := &supports, l.groups
		if !g.Supports {
			n, limit = &against, l.against
		}
		if *n++; *n > limit {
			left += len(g.values)
			continue
		}
		t.group(r, &g, l)
	}
	return left
}

func (t *writer) group(r *Report, g *group, l *limits) {
	mark, kind := "+", strings.ReplaceAll(g.Kind, "_", " ")
	if !g.Supports {
		mark = "-"
	}
	var values []string
	for _, v := range g.values[:min(len(g.values), l.values)] {
		values = append(values, short(Clean(v), 80))
	}
	s := fmt.Sprintf("%s %s %s", mark, kind, strings.Join(values, ", "))
	if n := len(g.values) - len(values); n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	s += fmt.Sprintf("  [%s, %s, x%d]", g.Role, g.Strength, g.count)
	if frames := framesText(r, g.frames, l.frames); frames != "" {
		s += "  " + frames
	}
	if g.needsWhy() {
		s += ": " + Clean(g.Why)
	}
	t.para(2, "%s", s)
}

// group is evidence of one kind and weight, with all its values.
type group struct {
	*Evidence          // the first
	values    []string // of all, in their order
	count     uint64
	frames    []Frame // of all, in their order
}

// groupEvidence joins pieces that differ in their value only. It leaves out kind "against": the finding's reasons already say it.
func groupEvidence(list []Evidence) []group {
	var out []group
	for i := range list {
		e := &list[i]
		if e.Kind == "against" {
			continue
		}
		k := slices.IndexFunc(out, func(g group) bool { return g.like(e) })
		if k < 0 {
			out, k = append(out, group{Evidence: e}), len(out)
		}
		g := &out[k]
		g.values, g.count, g.frames = append(g.values, e.Value), g.count+e.Count, append(g.frames, e.Frames...)
	}
	return out
}

// like reports whether a piece belongs to the group. Evidence that counts needs no explanation of its own (needsWhy), so its sentences
// may differ; evidence that does not count is explained, so they may not.
func (g *group) like(e *Evidence) bool {
	return g.Kind == e.Kind && g.Role == e.Role && g.Strength == e.Strength && g.Supports == e.Supports &&
		(g.Supports || g.Why == e.Why)
}

// needsWhy reports whether the line needs an explanation to be understood.
func (g *group) needsWhy() bool {
	return !g.Supports || g.Kind == "other_host_name"
}

// framesText lists at most so many packet numbers, each with its file if there are several inputs.
func framesText(r *Report, list []Frame, most int) string {
	frames := slices.Clone(list)
	slices.SortFunc(frames, func(a, b Frame) int {
		return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Frame, b.Frame))
	})
	frames = slices.Compact(frames)
	if len(frames) == 0 {
		return ""
	}
	var out []string
	for _, f := range frames[:min(len(frames), most)] {
		out = append(out, inputPrefix(r, int(f.Input))+fmt.Sprint(f.Frame))
	}
	s := strings.Join(out, ", ")
	if len(frames) > most {
		s += " ..."
	}
	if len(frames) == 1 {
		return "packet " + s
	}
	return "packets " + s
}

// inputPrefix returns the file's name and a colon, or "" if there is only one input.
func inputPrefix(r *Report, i int) string {
	if len(r.Inputs) < 2 || i >= len(r.Inputs) {
		return ""
	}
	base := filepath.Base(r.Inputs[i].File)
	for j := range r.Inputs {
		if j != i && filepath.Base(r.Inputs[j].File) == base {
			base = r.Inputs[i].File
			break
		}
	}
	return Clean(base) + ":"
}

// destinations writes the destinations by place, gravest first, and returns how many it left out.
func (t *writer) destinations(f *Finding, most int) (left int) {
	shown, place := 0, ""
	for _, d := range byPlace(f.Destinations) {
		if shown++; shown > most {
			left++
			continue
		}
		// byPlace has put destinations with the same line together, so each line is written once.
		if at := placeLine(d); shown == 1 || at != place {
			place = at
			t.para(2, "> %s", at)
		}
		t.para(6, "%s", destinationText(d, 3))
	}
	return left
}

// byPlace returns the destinations grouped by place, gravest first.
func byPlace(list []Destination) []*Destination {
	rank, first := map[string]int{}, map[string]int{}
	out := make([]*Destination, len(list))
	for i := range list {
		d := &list[i]
		out[i] = d
		at := placeLine(d)
		if _, ok := first[at]; !ok {
			first[at] = i
		}
		if d.Place != nil {
			rank[at] = grave(d.Place.Level)
		}
	}
	slices.SortStableFunc(out, func(a, b *Destination) int {
		x, y := placeLine(a), placeLine(b)
		return cmp.Or(rank[y]-rank[x], first[x]-first[y])
	})
	return out
}

func placeLine(d *Destination) string {
	if d.Place == nil {
		return "location unknown"
	}
	return d.Place.Level + ": " + Clean(d.Place.Words)
}

// destinationText describes one destination with at most so many of its names; 0 for all.
func destinationText(d *Destination, most int) string {
	s := d.Address
	if d.Port != 0 {
		s = fmt.Sprintf("%s port %d", d.Address, d.Port)
	}
	if d.Proxy {
		s += " (a proxy)"
	}
	s += ", " + plural(d.Contacts, "connection")
	if d.Failed > 0 {
		s += fmt.Sprintf(" (%d failed)", d.Failed)
	}
	names, more := d.Names, 0
	if most > 0 && len(names) > most {
		names, more = names[:most], len(names)-most
	}
	if len(names) > 0 {
		s += ": " + Clean(strings.Join(names, ", "))
	}
	if more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}
