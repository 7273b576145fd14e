package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// TextOptions is how a text report looks.
type TextOptions struct {
	Color bool
	Width int // columns of the terminal; 0 for no terminal: lines of 120 columns
}

// Widths of lines, in columns.
const (
	pipedWidth = 120
	leastWidth = 60
)

// WriteText writes the report for a person: the hosts, the evidence, and what the capture could not show.
func (r *Report) WriteText(w io.Writer, opt TextOptions) error {
	t := newWriter(w, opt)
	t.summary(r)
	order := r.order()
	if len(order) > 0 {
		t.line("")
		t.tables(r, order)
		t.line("")
		t.title("Evidence")
		for _, i := range order {
			t.finding(r, &r.Findings[i])
		}
	}
	t.remarks(r, nil)
	t.coverage(r)
	t.sources(r)
	return t.err
}

// order returns the findings' indexes in the order of the text: of concern first, then by verdict, strongest first.
func (r *Report) order() []int {
	rank := []string{"installed", "likely", "possible", "visit"}
	idx := make([]int, len(r.Findings))
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int {
		x, y := &r.Findings[a], &r.Findings[b]
		switch {
		case x.Concern && !y.Concern:
			return -1
		case y.Concern && !x.Concern:
			return 1
		}
		return slices.Index(rank, x.Verdict) - slices.Index(rank, y.Verdict)
	})
	return idx
}

// writer writes lines. After the first error it writes nothing more and keeps that error, so that only the exported functions have to
// look at it.
type writer struct {
	w   io.Writer
	opt TextOptions
	err error
}

func newWriter(w io.Writer, opt TextOptions) writer {
	if opt.Width <= 0 {
		opt.Width = pipedWidth
	}
	opt.Width = max(opt.Width, leastWidth)
	return writer{w: w, opt: opt}
}

func (t *writer) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// para writes an indented sentence, folded to the width; further lines are indented by two more columns.
func (t *writer) para(indent int, format string, args ...any) {
	before := strings.Repeat(" ", indent)
	for _, s := range fold(fmt.Sprintf(format, args...), t.opt.Width-indent, 2) {
		t.line("%s%s", before, s)
		before = strings.Repeat(" ", indent+2)
	}
}

func (t *writer) title(s string) { t.line("%s", t.paint(s, text.Bold)) }

// paint colours a text for a terminal. The escape codes have no width for go-pretty, but they have bytes: measure painted text with
// text.LongestLineLen, never with len.
func (t *writer) paint(s string, c ...text.Color) string {
	if !t.opt.Color {
		return s
	}
	codes := make([]string, len(c))
	for i := range c {
		codes[i] = fmt.Sprint(int(c[i]))
	}
	return "\x1b[" + strings.Join(codes, ";") + "m" + s + "\x1b[0m"
}

// summary writes the head: what was read, and the result in one line. "Nothing was found" is never said of a capture that could not
// have shown anything.
func (t *writer) summary(r *Report) {
	failed := 0
	var from, to Time
	for i := range r.Inputs {
		in := &r.Inputs[i]
		if in.Error != "" {
			failed++
		}
		if !in.First.IsZero() && (from.IsZero() || in.First.Before(from.Time)) {
			from = in.First
		}
		if in.Last.After(to.Time) {
			to = in.Last
		}
	}
	s := fmt.Sprintf("%s in %s", plural(r.Coverage.Packets, "packet"), plural(uint64(len(r.Inputs)), "input"))
	if failed > 0 {
		s += fmt.Sprintf(" (%d not read to the end)", failed)
	}
	if !from.IsZero() {
		s += fmt.Sprintf(", %s to %s", stamp(from), stamp(to))
	}
	t.para(0, "%s", s)
	switch {
	case r.Coverage.Packets == 0:
		t.para(0, "Nothing to judge: no packets were read.")
	case r.Coverage.Flows == 0 && len(r.Findings) == 0:
		t.para(0, "Nothing to judge: no packet could be decoded to a flow. The limitations below say why.")
	case len(r.Findings) == 0:
		t.para(0, "No known antivirus was seen calling home. Check the limitations below before you conclude that there is none.")
	default:
		t.para(0, "%s", r.headline())
	}
}

// headline counts the hosts that run a product of concern, surely or likely, each once.
func (r *Report) headline() string {
	strongest, hosts, concern := map[string]string{}, map[string]int{}, 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if host := fmt.Sprint(f.Host.Address, f.Host.MAC, f.Host.VLAN); f.Concern {
			concern++
			strongest[host] = min(cmp.Or(strongest[host], f.Verdict), f.Verdict) // the order of the words is that of the verdicts
		}
	}
	for _, verdict := range strongest {
		hosts[verdict]++
	}
	head, sure, likely := "No host was seen to run", hosts["installed"], hosts["likely"]
	n, verb := sure, " run"
	if sure == 0 {
		n, verb = likely, " likely run"
	}
	if n > 0 {
		head = plural(uint64(n), "host") + verb + map[bool]string{true: "s"}[n == 1]
	}
	head += " a product of concern (policy " + Clean(r.Policy) + ")"
	if sure > 0 && likely > 0 {
		head += fmt.Sprintf(", %d more likely", likely)
	}
	return fmt.Sprintf("%s; %s in all, %d of concern", head, plural(uint64(len(r.Findings)), "finding"), concern)
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func stamp(t Time) string { return t.Format("2006-01-02 15:04:05Z") }

// coverage writes what the capture could not show. It is there in every report: without it, "no findings" would read as "no antivirus".
func (t *writer) coverage(r *Report) {
	t.line("")
	t.title("Limitations: what the capture could not show")
	c := &r.Coverage
	missing := slices.DeleteFunc(slices.Clone(c.Words), func(s string) bool { return slices.Contains(r.Notes, s) }) // sources() writes the notes
	if len(missing) == 0 {
		t.para(2, "Nothing is known to be missing: no drops noted, no cut packets, no one-sided flows, no hidden names.")
	}
	for _, s := range missing {
		t.para(2, "%s", Clean(s))
	}
	for _, m := range []map[string]uint64{c.Undecoded, c.Lost} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			t.line("    %10d  %s", m[k], Clean(k))
		}
	}
}

// sources writes what the judgement rests on. Attribution of the place data is a condition of its licence.
func (t *writer) sources(r *Report) {
	t.line("")
	t.para(0, "Catalogue of %s, %d entries. Policy %s.", r.Catalog.Date, r.Catalog.Entries, Clean(r.Policy))
	for _, d := range r.PlaceData {
		t.para(0, "Places by %s of %s. %s", Clean(d.Database), cmp.Or(d.Date, "an unknown date"), Clean(d.Attribution))
	}
	for _, n := range r.Notes {
		t.para(0, "%s", Clean(n))
	}
}

func queries(n uint64) string {
	if n == 1 {
		return "1 DNS query"
	}
	return fmt.Sprintf("%d DNS queries", n)
}
