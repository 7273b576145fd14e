package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// column is one column of the table of hosts.
type column struct {
	head string
	max  int // greatest width; 0 for the rest of the line
	cell func(*writer, *Finding) string
}

// layouts are the tables to choose from, the richest first; the last is narrow enough for any terminal.
func layouts() [][]column {
	host, vendor, where := (*writer).hostCell, (*writer).vendorCell, column{"Destinations", 0, whereCell}
	role, state := column{"Role", 10, roleCell}, column{"State", 8, stateCell}
	seen, calls := column{"Seen (UTC)", 16, (*writer).seenCell}, column{"Destinations", 0, (*writer).callCell}
	verdict, notes := column{"Verdict", 10, (*writer).verdict}, column{"Verdict", 10, (*writer).verdictNotes}
	return [][]column{
		{{"Host", 40, host}, {"Vendor", 32, vendor}, verdict, role, state, {"First seen", 20, firstCell}, {"Last seen", 20, lastCell},
			{"Connections", 16, contactCell}, where},
		{{"Host", 26, host}, {"Vendor", 20, vendor}, verdict, role, state, seen, {"Connections", 12, contactCell}, where},
		{{"Host", 17, host}, {"Vendor", 14, vendor}, notes, seen, calls},
		{{"Host", 17, host}, {"Vendor", 12, vendor}, notes, calls},
	}
}

// leastWhere is the width that lets most places have one line each.
const leastWhere = 16

// tables lists the hosts: those of concern, then the others.
func (t *writer) tables(r *Report, order []int) {
	n := slices.IndexFunc(order, func(i int) bool { return !r.Findings[i].Concern })
	if n < 0 {
		n = len(order)
	}
	if n > 0 {
		t.title(fmt.Sprintf("Of concern (policy %s)", Clean(r.Policy)))
		t.hosts(r, order[:n])
	}
	if n > 0 && n < len(order) {
		t.line("")
	}
	if n < len(order) {
		t.title(fmt.Sprintf("Not of concern (policy %s)", Clean(r.Policy)))
		t.hosts(r, order[n:])
	}
}

// gap is the space after each column.
const gap = 2

// hosts writes the richest table that has room for the places.
func (t *writer) hosts(r *Report, order []int) {
	all := layouts()
	for i, cols := range all {
		rows, left := t.cells(r, order, cols)
		if left >= leastWhere || i == len(all)-1 {
			t.table(cols, rows, max(left, 10))
			return
		}
	}
}

// cells returns the table's cells and the width left for the last column; all other columns are folded.
func (t *writer) cells(r *Report, order []int, cols []column) (rows [][]string, left int) {
	used := make([]int, len(cols))
	for _, f := range order {
		row := make([]string, len(cols))
		for j, c := range cols {
			row[j] = c.cell(t, &r.Findings[f])
			if c.max > 0 {
				row[j] = foldCell(row[j], c.max)
				used[j] = max(used[j], text.LongestLineLen(row[j]), len(c.head))
			}
		}
		rows = append(rows, row)
	}
	left = t.opt.Width - gap
	for j := range len(cols) - 1 {
		left -= used[j] + gap
	}
	return rows, left
}

// table writes the rows. Cells of the last column, which gets the rest of the line, are folded only here, where its width is known.
func (t *writer) table(cols []column, rows [][]string, last int) {
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
				s = foldCell(s, last)
			}
			row = append(row, s)
		}
		w.AppendRow(row)
	}
	t.line("%s", w.Render())
}

// plain returns a table writer without a frame.
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

// hostKey returns what --explain takes for the host.
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

// verdict colours only what is of concern: on an all-clear report nothing should look like an alarm.
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

// verdictNotes adds role and state if they are unusual.
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

// seenCell writes the span of time in at most two lines.
func (t *writer) seenCell(f *Finding) string {
	from, to := f.FirstSeen, f.LastSeen
	if to.Sub(from.Time) < time.Minute {
		return from.Format("2006-01-02 15:04")
	}
	if from.Format("2006-01-02") == to.Format("2006-01-02") {
		return from.Format("2006-01-02") + "\n" + from.Format("15:04") + " to " + to.Format("15:04")
	}
	return from.Format("2006-01-02 15:04") + "\n" + to.Format("2006-01-02 15:04")
}

// contactCell shows DNS queries where there was no connection: a finding from queries only must not look like one from connections.
func contactCell(_ *writer, f *Finding) string {
	if f.Contacts == 0 {
		return "0\n" + queries(f.Lookups)
	}
	return fmt.Sprint(f.Contacts)
}

// callCell writes connections and places in one cell.
func (t *writer) callCell(f *Finding) string {
	if f.Contacts == 0 {
		return queries(f.Lookups) + ", no connection"
	}
	return plural(f.Contacts, "connection") + "\n" + whereCell(t, f)
}

// whereCell sums up the places of a finding's destinations, gravest first.
func whereCell(_ *writer, f *Finding) string {
	type group struct {
		level, place string
		n            int
	}
	var groups []group
	for i := range f.Destinations {
		at := group{level: "X", place: "location unknown"}
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
		return "DNS queries only, no connection seen"
	}
	return strings.Join(lines, "\n")
}

// placeText is the short form of a place for the table. M1 says that databases disagree, because its name does not show that.
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
	return "X location unknown"
}

// grave ranks levels for the order of the text, Moscow highest. Unknown places come after all that are known.
func grave(level string) int {
	return slices.Index([]string{"X", "N", "R1", "R2", "M1", "M2", "M3"}, level)
}
