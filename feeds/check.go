package feeds

import (
	"fmt"
	"io/fs"
	"net/netip"
	"time"
)

// staleAfter is how much older than the newest entry an entry may be without a warning.
const staleAfter = 2 * 365 * 24 * time.Hour

// Check returns every error and, where there is none, every warning in a catalogue's files, by file and line. An entry whose
// source was read before oldest has a warning; the zero time stands for two years before the newest entry.
func Check(fsys fs.FS, oldest time.Time) []Problem {
	var out problems
	files := readAll(fsys, &out)
	checkAcross(files, &out)
	if out.err() != nil {
		return out.sorted()
	}
	k := checker{out: &out, catalog: build(files)}
	for _, f := range files {
		k.entries = append(k.entries, f.entries...)
	}
	k.stale(oldest)
	k.samples()
	k.contradictions()
	k.prefixes()
	return out.sorted()
}

// checker warns about what is allowed but is probably a mistake.
type checker struct {
	out     *problems
	catalog *Catalog
	entries []*located
}

func (k *checker) warn(e *located, format string, args ...any) {
	k.out.add(Problem{File: e.File, Line: e.Line, Col: e.col, Warning: true, Text: fmt.Sprintf(format, args...)})
}

// stale: without a given time, dates are compared with the newest one, so that a check does not depend on the day it runs.
func (k *checker) stale(oldest time.Time) {
	than := oldest.Format(dateLayout)
	if oldest.IsZero() {
		newest, err := time.Parse(dateLayout, k.catalog.Date())
		if err != nil {
			return
		}
		oldest, than = newest.Add(-staleAfter), fmt.Sprintf("two years before the newest entry (%s)", k.catalog.Date())
	}
	for _, e := range k.entries {
		if at, err := time.Parse(dateLayout, e.Date); err == nil && at.Before(oldest) {
			k.warn(e, "the source was read on %s, earlier than %s", e.Date, than)
		}
	}
}

// samples: a sample that another entry decides shows that its own expression is never used for it.
func (k *checker) samples() {
	for _, e := range k.entries {
		if e.Signal != SignalName || e.Sample == "" {
			continue
		}
		for _, d := range k.catalog.MatchName(e.Sample) {
			if d.Vendor == e.Vendor && (d.File != e.File || d.Line != e.Line) && different(d, &e.Entry) {
				k.warn(e, "the sample %s is decided by %s:%d (%s, %s), not by this (%s, %s)", e.Sample, d.File, d.Line,
					d.Role, d.Strength, e.Role, e.Strength)
			}
		}
	}
}

func different(a, b *Entry) bool { return a.Strength != b.Strength || a.Role != b.Role }

// contradictions: one pattern that means one thing for one vendor, or mark, and another for the next.
func (k *checker) contradictions() {
	type key struct {
		signal  Signal
		match   Match
		pattern string
	}
	first := map[key]*located{}
	for _, e := range k.entries {
		id := key{e.Signal, e.Match, e.Pattern}
		o, seen := first[id]
		if !seen {
			first[id] = e
			continue
		}
		if different(&o.Entry, &e.Entry) && e.Signal != SignalASN {
			k.warn(e, "%s %q is %s, %s here, and %s, %s in %s:%d", e.Signal, e.Pattern, e.Role, e.Strength, o.Role, o.Strength,
				o.File, o.Line)
		}
	}
	for _, e := range k.entries {
		if e.Signal == SignalName && e.Match == Exact {
			k.exactAndExpression(e)
		}
	}
}

// exactAndExpression: an exact name that an expression of the same vendor rates otherwise may be meant, or forgotten. It is
// remarked on only where the name says less than the expression, and no note says why.
func (k *checker) exactAndExpression(e *located) {
	for _, o := range k.catalog.names.expressions(e.Pattern) {
		if o.Vendor == e.Vendor && o.Strength != e.Strength && e.Note == "" {
			k.warn(e, "name %q is %s here; the expression of %s:%d makes it %s", e.Pattern, e.Strength, o.File, o.Line, o.Strength)
		}
	}
}

// prefixes: one prefix of two systems, or of two ranges.
func (k *checker) prefixes() {
	type key struct {
		signal Signal
		prefix netip.Prefix
	}
	first := map[key]*located{}
	for _, e := range k.entries {
		for _, p := range e.Prefixes {
			o, seen := first[key{e.Signal, p}]
			if !seen {
				first[key{e.Signal, p}] = e
				continue
			}
			k.warn(e, "prefix %s is of %s too (%s:%d)", p, o.Pattern, o.File, o.Line)
		}
	}
}
