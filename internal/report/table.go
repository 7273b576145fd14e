package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// TextOptions say how a text report looks.
type TextOptions struct {
	Color bool
	Width int // columns of the terminal; 0: do not fit lines to any width
}

// WriteText writes the report for a person: the hosts, the evidence, and what the capture could not show.
func (r *Report) WriteText(w io.Writer, opt TextOptions) error {
	t := writer{w: w, opt: opt}
	t.summary(r)
	order := r.order()
	if len(order) > 0 {
		t.hosts(r, order)
		t.line("")
		t.title("Evidence")
		for _, i := range order {
			t.finding(r, &r.Findings[i])
		}
	}
	t.coverage(r)
	t.sources(r)
	return t.err
}

// order lists the findings as a reader wants them: those of concern first, the surest first.
func (r *Report) order() []int {
	rank := map[string]int{"installed": 0, "likely": 1, "possible": 2, "visit": 3}
	idx := make([]int, len(r.Findings))
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int {
		x, y := &r.Findings[a], &r.Findings[b]
		if x.Concern != y.Concern {
			if x.Concern {
				return -1
			}
			return 1
		}
		return rank[x.Verdict] - rank[y.Verdict]
	})
	return idx
}

// writer writes lines and keeps the first error.
type writer struct {
	w   io.Writer
	opt TextOptions
	err error
}

func (t *writer) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

func (t *writer) title(s string) {
	t.line("%s", t.paint(s, text.Bold))
}

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

func (t *writer) verdict(f *Finding) string {
	switch {
	case f.Concern && f.Verdict == "installed":
		return t.paint(f.Verdict, text.FgRed, text.Bold)
	case f.Concern && f.Verdict == "likely":
		return t.paint(f.Verdict, text.FgRed)
	case f.Concern && f.Verdict == "possible":
		return t.paint(f.Verdict, text.FgYellow)
	}
	return f.Verdict
}

func (t *writer) summary(r *Report) {
	concern := 0
	for i := range r.Findings {
		if r.Findings[i].Concern {
			concern++
		}
	}
	var from, to *time.Time
	for i := range r.Inputs {
		in := &r.Inputs[i]
		if in.First != nil && (from == nil || in.First.Before(*from)) {
			from = in.First
		}
		if in.Last != nil && (to == nil || in.Last.After(*to)) {
			to = in.Last
		}
	}
	span := ""
	if from != nil {
		span = fmt.Sprintf(", %s to %s", stamp(*from), stamp(*to))
	}
	t.line("%s in %s%s", plural(r.Coverage.Packets, "packet"), plural(uint64(len(r.Inputs)), "input"), span)
	switch {
	case len(r.Findings) == 0:
		t.line("No antivirus of the catalogue was seen to call home. Read what the capture could not show before you conclude.")
	default:
		t.line("%s, %d of concern to policy %q", plural(uint64(len(r.Findings)), "finding"), concern, r.Policy)
	}
	t.line("")
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func (t *writer) hosts(r *Report, order []int) {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	w.Style().Options.DrawBorder = false
	w.Style().Options.SeparateColumns = false
	w.AppendHeader(table.Row{"Host", "Vendor", "Verdict", "Concern", "Role", "State", "First seen", "Last seen", "Contacts", "Where to"})
	for _, i := range order {
		f := &r.Findings[i]
		concern := ""
		if f.Concern {
			concern = "yes"
		}
		w.AppendRow(table.Row{hostText(f), vendorText(f), t.verdict(f), concern, f.HostRole, f.State, stamp(f.FirstSeen), stamp(f.LastSeen),
			contactText(f), whereText(f)})
	}
	w.SetColumnConfigs([]table.ColumnConfig{
		{Name: "Host", WidthMax: 40}, {Name: "Where to", WidthMax: max(30, t.opt.Width-130)},
		{Name: "First seen", WidthMax: 12, WidthMaxEnforcer: text.WrapSoft}, {Name: "Last seen", WidthMax: 12, WidthMaxEnforcer: text.WrapSoft},
	})
	t.line("%s", w.Render())
}

func hostText(f *Finding) string {
	s := f.Host.Address
	if s == "" {
		s = f.Host.MAC
	}
	if f.Host.Name != "" {
		s += "\n" + Clean(f.Host.Name)
	}
	for _, v := range f.Host.VLAN {
		s += fmt.Sprintf("\nVLAN %d", v)
	}
	return s
}

func vendorText(f *Finding) string {
	s := f.VendorName
	if f.Product != "" {
		s += "\n" + Clean(f.Product)
		if f.ProductVersion != "" {
			s += " " + Clean(f.ProductVersion)
		}
	}
	return s
}

func contactText(f *Finding) string {
	if f.Contacts == 0 {
		return fmt.Sprintf("0 (%s)", plural(f.Lookups, "look-up"))
	}
	return fmt.Sprint(f.Contacts)
}

// whereText sums up the places of a finding's destinations, the gravest first.
func whereText(f *Finding) string {
	type group struct {
		level, place string
		n            int
	}
	var groups []group
	for i := range f.Destinations {
		p := f.Destinations[i].Place
		if p == nil {
			continue
		}
		at := group{level: p.Level, place: placeText(p)}
		k := slices.IndexFunc(groups, func(g group) bool { return g.level == at.level && g.place == at.place })
		if k < 0 {
			groups, k = append(groups, at), len(groups)
		}
		groups[k].n++
	}
	slices.SortStableFunc(groups, func(a, b group) int { return grave(b.level) - grave(a.level) })
	var lines []string
	for _, g := range groups {
		s := g.place
		if g.n > 1 {
			s += fmt.Sprintf(" (%d addresses)", g.n)
		}
		lines = append(lines, s)
	}
	if len(lines) == 0 {
		return "names alone, no flow"
	}
	return strings.Join(lines, "\n")
}

func placeText(p *Place) string {
	switch p.Level {
	case "M3", "M2":
		return p.Level + " Moscow"
	case "M1":
		return "M1 Moscow, disputed"
	case "R2", "R1":
		return p.Level + " Russia"
	case "N":
		return strings.TrimSpace("N not Russia " + p.Country)
	}
	return "X no place"
}

func grave(level string) int {
	return slices.Index([]string{"X", "N", "R1", "R2", "M1", "M2", "M3"}, level)
}

func (t *writer) finding(r *Report, f *Finding) {
	t.line("")
	head := fmt.Sprintf("%s: %s %s", strings.ReplaceAll(hostText(f), "\n", " "), f.VendorName, t.verdict(f))
	if f.ConcernWhy != "" {
		head += " - of concern: " + Clean(f.ConcernWhy)
	}
	t.line("%s", head)
	for _, s := range f.Reasons {
		t.line("  %s", Clean(s))
	}
	if f.Behind != nil {
		t.line("  Behind it: %s", Clean(f.Behind.Words))
	}
	for i := range f.Evidence {
		t.evidence(r, &f.Evidence[i])
	}
	if f.Dropped > 0 {
		t.line("  (%d more pieces of evidence or destinations were not kept)", f.Dropped)
	}
	for i := range f.Destinations {
		t.destination(&f.Destinations[i])
	}
	for i := range f.Beacon {
		t.line("  beat, %s: %s", f.Beacon[i].Role, Clean(f.Beacon[i].Words))
	}
}

func (t *writer) evidence(r *Report, e *Evidence) {
	mark := "+"
	if !e.Supports {
		mark = "-"
	}
	t.line("  %s %s %s  [%s, %s, x%d]%s", mark, strings.ReplaceAll(e.Kind, "_", " "), Clean(e.Value), e.Role, e.Strength, e.Count, framesText(r, e.Frames))
	t.line("      %s%s", Clean(e.Why), sourceText(e))
}

func sourceText(e *Evidence) string {
	if e.Source == "" {
		return ""
	}
	s := "; source: " + Clean(e.Source)
	if e.Date != "" {
		s += " (" + e.Date + ")"
	}
	return s
}

// framesText names packet records, with their file where there are several.
func framesText(r *Report, frames []Frame) string {
	if len(frames) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("  packet ")
	for i, f := range frames {
		if i > 0 {
			b.WriteString(", ")
		}
		if len(r.Inputs) > 1 && int(f.Input) < len(r.Inputs) {
			b.WriteString(Clean(r.Inputs[f.Input].File) + ":")
		}
		fmt.Fprint(&b, f.Frame)
	}
	return b.String()
}

func (t *writer) destination(d *Destination) {
	at := d.Address
	if d.Port != 0 {
		at = fmt.Sprintf("%s port %d", d.Address, d.Port)
	}
	s := fmt.Sprintf("  > %s, %s", at, plural(d.Contacts, "contact"))
	if d.Failed > 0 {
		s += fmt.Sprintf(" (%d failed)", d.Failed)
	}
	if len(d.Names) > 0 {
		s += ": " + Clean(strings.Join(d.Names, ", "))
	}
	t.line("%s", s)
	if d.Place != nil {
		t.line("      %s: %s", d.Place.Level, Clean(d.Place.Words))
	}
}

func (t *writer) coverage(r *Report) {
	t.line("")
	t.title("What the capture could not show")
	if len(r.Coverage.Words) == 0 {
		t.line("  Nothing is known to be missing: no drops, no cut packets, no one-sided flows, no hidden names.")
	}
	for _, s := range r.Coverage.Words {
		t.line("  %s", Clean(s))
	}
	for _, m := range []map[string]uint64{r.Coverage.Undecoded, r.Coverage.Lost} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			t.line("    %10d  %s", m[k], Clean(k))
		}
	}
}

func (t *writer) sources(r *Report) {
	t.line("")
	t.line("Catalogue of %s, %d entries. Policy %s.", r.Catalog.Date, r.Catalog.Entries, r.Policy)
	for _, d := range r.PlaceData {
		t.line("Places by %s of %s. %s", Clean(d.Database), d.Date, Clean(d.Attribution))
	}
	for _, n := range r.Notes {
		t.line("%s", Clean(n))
	}
}

// Clean makes text from the wire fit for a terminal: control characters, and what is no UTF-8, become \DDD or \u{X}.
func Clean(s string) string {
	if !strings.ContainsFunc(s, unprintable) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, n == 1 && unprintable(r):
			fmt.Fprintf(&b, `\%03d`, s[i])
		case unprintable(r):
			fmt.Fprintf(&b, `\u{%X}`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
