package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Widths in columns from which the table of hosts gets more columns.
const (
	seenTable   = 76
	mediumTable = 110
	wideTable   = 150
)

// column is one column of the table of hosts.
type column struct {
	head string
	max  int // columns at most; 0: what is left of the line
	cell func(*writer, *Finding) string
}

// columns gives those that fit in a line of so many columns.
func columns(width int) []column {
	switch {
	case width < seenTable:
		return []column{
			{"Host", 17, (*writer).hostCell}, {"Vendor", 12, (*writer).vendorCell}, {"Verdict", 10, (*writer).verdictNotes},
			{"Where to", 0, (*writer).callCell},
		}
	case width < mediumTable:
		return []column{
			{"Host", 17, (*writer).hostCell}, {"Vendor", 14, (*writer).vendorCell}, {"Verdict", 10, (*writer).verdictNotes},
			{"Seen (UTC)", 16, (*writer).seenCell}, {"Where to", 0, (*writer).callCell},
		}
	case width < wideTable:
		return []column{
			{"Host", 26, (*writer).hostCell}, {"Vendor", 20, (*writer).vendorCell}, {"Verdict", 10, (*writer).verdict},
			{"Role", 10, roleCell}, {"State", 8, stateCell}, {"Seen (UTC)", 16, (*writer).seenCell},
			{"Contacts", 12, contactCell}, {"Where to", 0, whereCell},
		}
	}
	return []column{
		{"Host", 40, (*writer).hostCell}, {"Vendor", 32, (*writer).vendorCell}, {"Verdict", 10, (*writer).verdict},
		{"Role", 10, roleCell}, {"State", 8, stateCell}, {"First seen", 20, firstCell}, {"Last seen", 20, lastCell},
		{"Contacts", 16, contactCell}, {"Where to", 0, whereCell},
	}
}

// tables lists the hosts: those of concern, then the others.
func (t *writer) tables(r *Report, order []int) {
	n := slices.IndexFunc(order, func(i int) bool { return !r.Findings[i].Concern })
	if n < 0 {
		n = len(order)
	}
	if n > 0 {
		t.title(fmt.Sprintf("Of concern to policy %s", Clean(r.Policy)))
		t.hosts(r, order[:n])
	}
	if n > 0 && n < len(order) {
		t.line("")
	}
	if n < len(order) {
		t.title(fmt.Sprintf("Not of concern to policy %s", Clean(r.Policy)))
		t.hosts(r, order[n:])
	}
}

// gap is the space between two columns.
const gap = 2

func (t *writer) hosts(r *Report, order []int) {
	cols := columns(t.opt.Width)
	rows := make([][]string, len(order))
	used := make([]int, len(cols))
	for i, f := range order {
		for j, c := range cols {
			s := c.cell(t, &r.Findings[f])
			if c.max > 0 {
				s = foldCell(s, c.max)
			}
			used[j] = max(used[j], text.LongestLineLen(s), text.LongestLineLen(c.head))
			rows[i] = append(rows[i], s)
		}
	}
	left := t.opt.Width - gap // what follows the last column
	for j := range len(cols) - 1 {
		left -= used[j] + gap
	}
	w := plain()
	head := table.Row{}
	for _, c := range cols {
		head = append(head, c.head)
	}
	w.AppendHeader(head)
	for _, cells := range rows {
		row := table.Row{}
		for j, s := range cells {
			if cols[j].max == 0 {
				s = foldCell(s, max(left, 12))
			}
			row = append(row, s)
		}
		w.AppendRow(row)
	}
	t.line("%s", w.Render())
}

// plain gives a table without a frame.
func plain() table.Writer {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	s := w.Style()
	s.Format.Header = text.FormatDefault
	s.Options.DrawBorder, s.Options.SeparateColumns = false, false
	s.Box.PaddingLeft, s.Box.PaddingRight = "", strings.Repeat(" ", gap)
	w.SuppressTrailingSpaces()
	return w
}

func (t *writer) hostCell(f *Finding) string { return hostText(f, "\n") }

// hostText names a host: address (or MAC), name, VLANs.
func hostText(f *Finding, between string) string {
	parts := []string{hostKey(f)}
	if f.Host.Name != "" {
		parts = append(parts, Clean(f.Host.Name))
	}
	for _, v := range f.Host.VLAN {
		parts = append(parts, fmt.Sprintf("VLAN %d", v))
	}
	return strings.Join(parts, between)
}

// hostKey is what --explain finds the host by.
func hostKey(f *Finding) string {
	if f.Host.Address != "" {
		return f.Host.Address
	}
	return f.Host.MAC
}

func (t *writer) vendorCell(f *Finding) string {
	s := f.VendorName
	if f.Product != "" {
		s += "\n" + strings.TrimSpace(Clean(f.Product)+" "+Clean(f.ProductVersion))
	}
	return s
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

// verdictNotes adds role and state where they are not what one expects.
func (t *writer) verdictNotes(f *Finding) string {
	s := t.verdict(f)
	if f.HostRole != "endpoint" && f.HostRole != "unknown" {
		s += "\n" + f.HostRole
	}
	if f.State != "active" {
		s += "\n" + f.State
	}
	return s
}

func roleCell(_ *writer, f *Finding) string  { return f.HostRole }
func stateCell(_ *writer, f *Finding) string { return f.State }
func firstCell(_ *writer, f *Finding) string { return stamp(f.FirstSeen) }
func lastCell(_ *writer, f *Finding) string  { return stamp(f.LastSeen) }

// seenCell tells the span of time in two lines.
func (t *writer) seenCell(f *Finding) string {
	from, to := f.FirstSeen, f.LastSeen
	if from.Format("2006-01-02") == to.Format("2006-01-02") {
		return from.Format("2006-01-02") + "\n" + from.Format("15:04") + " to " + to.Format("15:04")
	}
	return from.Format("2006-01-02 15:04") + "\n" + to.Format("2006-01-02 15:04")
}

func contactCell(_ *writer, f *Finding) string {
	if f.Contacts == 0 {
		return "0\n" + plural(f.Lookups, "look-up")
	}
	return fmt.Sprint(f.Contacts)
}

// callCell is contacts and places in one.
func (t *writer) callCell(f *Finding) string {
	if f.Contacts == 0 {
		return plural(f.Lookups, "look-up") + ", no contact"
	}
	return plural(f.Contacts, "contact") + "\n" + whereCell(t, f)
}

// whereCell sums up the places of a finding's destinations, the gravest first.
func whereCell(_ *writer, f *Finding) string {
	type group struct {
		level, place string
		n            int
	}
	var groups []group
	for i := range f.Destinations {
		at := group{level: "X", place: "no place known"}
		if p := f.Destinations[i].Place; p != nil {
			at = group{level: p.Level, place: placeText(p)}
		}
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
		if p.Country == "" {
			return "N not Russia"
		}
		return "N not Russia, " + Clean(p.Country)
	}
	return "X no place known"
}

func grave(level string) int {
	return slices.Index([]string{"X", "N", "R1", "R2", "M1", "M2", "M3"}, level)
}
