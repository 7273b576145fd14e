package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"avbeacon/feeds"
	"avbeacon/internal/report"
)

func newFeeds(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "feeds",
		Short: "Check, list and search the vendor catalogue",
		Args:  subcommand,
		RunE:  showHelp,
	}
	c.AddCommand(newFeedsCheck(s), newFeedsList(s), newFeedsExplain(s), newFeedsCoverage(s))
	return c
}

// newFeedsCheck prints the problems on standard output, because they are the result; only a failure to look is an error message.
func newFeedsCheck(s *streams) *cobra.Command {
	stale := ""
	c := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check catalogue files: every error and warning with file and line",
		Long:  "Checks the catalogue files in DIR, or the embedded ones. Exit codes: 0 no errors (warnings are allowed); 2 errors.",
		Example: "  avbeacon feeds check ./my-vendors\n" +
			"  avbeacon feeds check --stale 18m",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			oldest, err := monthsAgo(stale)
			if err != nil {
				return err
			}
			fsys, err := feeds.EmbeddedFiles()
			if len(args) == 1 {
				if _, err := os.Stat(args[0]); err != nil {
					return err
				}
				fsys = os.DirFS(args[0])
			} else if err != nil {
				return err
			}
			failed := false
			problems := feeds.Check(fsys, oldest)
			for _, p := range problems {
				failed = failed || !p.Warning
				fmt.Fprintln(s.out, report.Clean(p.String()))
			}
			if failed {
				return &exitError{code: exitIncomplete}
			}
			fmt.Fprintf(s.out, "no errors, %d warnings\n", len(problems))
			return nil
		},
	}
	c.Flags().StringVar(&stale, "stale", "", "warn about entries older than this many months (18m) or years (2y); default: two years before the newest")
	return c
}

// monthsAgo returns the day that lies an age (18m, 2y) before today; the zero time for none.
func monthsAgo(age string) (time.Time, error) {
	if age == "" {
		return time.Time{}, nil
	}
	n, err := strconv.Atoi(age[:len(age)-1])
	months := n * map[byte]int{'m': 1, 'y': 12}[age[len(age)-1]]
	if err != nil || n > 1200 || months < 1 {
		return time.Time{}, fmt.Errorf("--stale %q: want a number of months or years, like 18m or 2y", age)
	}
	return time.Now().UTC().AddDate(0, -months, 0).Truncate(24 * time.Hour), nil
}

func newFeedsList(s *streams) *cobra.Command {
	format := ""
	c := withCatalog(&cobra.Command{
		Use:   "list [VENDOR]",
		Short: "List the vendors, or one vendor's entries",
		Long: "Lists the vendors; or the entries of those whose key or name is VENDOR or contains it, in any case; or else the entries\n" +
			"that explain finds for it: a part of a name, a port, a network, an autonomous system.",
		Example: `  avbeacon feeds list 'dr.web'
  avbeacon feeds list 77.74.176.0/20`,
		Args: cobra.MaximumNArgs(1),
	}, func(cat *feeds.Catalog, args []string) error {
		if err := oneOf("format", format, "text", "json"); err != nil {
			return err
		}
		if len(args) == 0 {
			return listVendors(s.out, cat, format)
		}
		list := entriesOf(cat, args[0])
		if len(list) == 0 {
			return fmt.Errorf("no vendor %q in the catalogue, and no entry of that name; 'avbeacon feeds list' names the vendors", args[0])
		}
		return listEntries(s.out, list, format)
	})
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}

// vendorLine is one vendor of the list.
type vendorLine struct {
	Key     string `json:"key"`
	Name    string `json:"name"`
	Country string `json:"country"`
	Group   string `json:"group,omitempty"`
	Entries int    `json:"entries"`
	Strong  int    `json:"strong"`
}

func listVendors(w io.Writer, cat *feeds.Catalog, format string) error {
	lines := []vendorLine{}
	at := map[*feeds.Vendor]int{}
	for i, v := range cat.Vendors() {
		at[v] = i
		lines = append(lines, vendorLine{Key: v.Key, Name: v.Name, Country: v.Country, Group: v.Group})
	}
	for e := range cat.Entries() {
		if e.Vendor == nil {
			continue
		}
		l := &lines[at[e.Vendor]]
		l.Entries++
		if e.Strength == feeds.Strong {
			l.Strong++
		}
	}
	if format == "json" {
		return writeJSON(w, lines)
	}
	t := plainTable("Key", "Name", "Country", "Entries", "Strong")
	for _, l := range lines {
		t.AppendRow(table.Row{l.Key, report.Clean(l.Name), l.Country, l.Entries, l.Strong})
	}
	_, err := fmt.Fprintf(w, "%s\n\nCatalogue of %s, %d entries, SHA-256 %s\n", t.Render(), cat.Date(), cat.Len(), cat.SHA256())
	return err
}

// entriesOf returns the entries of the vendors that a text names, or else those that explain finds for it.
func entriesOf(cat *feeds.Catalog, text string) (list []*feeds.Entry) {
	for _, v := range cat.FindVendors(text) {
		for e := range cat.Entries() {
			if e.Vendor == v {
				list = append(list, e)
			}
		}
	}
	if list == nil {
		for _, m := range cat.Explain(text).Matches {
			list = append(list, m.Entry)
		}
	}
	return list
}

// entryLine is one entry of the list.
type entryLine struct {
	Signal   string `json:"signal"`
	Pattern  string `json:"pattern"`
	Match    string `json:"match"`
	Role     string `json:"role"`
	Strength string `json:"strength"`
	Product  string `json:"product,omitempty"`
	Source   string `json:"source"`
	Date     string `json:"date"`
	At       string `json:"at"`
}

func listEntries(w io.Writer, list []*feeds.Entry, format string) error {
	lines := []entryLine{}
	var owners []string
	for _, e := range list {
		lines = append(lines, entryLine{
			Signal: e.Signal.String(), Pattern: e.Pattern, Match: e.Match.String(), Role: e.Role.String(), Strength: e.Strength.String(),
			Product: e.Product, Source: e.Source, Date: e.Date, At: fmt.Sprintf("%s:%d", e.File, e.Line),
		})
		owner := "mark: " + e.Mark
		if v := e.Vendor; v != nil {
			owner = fmt.Sprintf("%s (%s, %s)", v.Name, v.Key, v.Country)
		}
		if !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	if format == "json" {
		return writeJSON(w, lines)
	}
	t := plainTable("Signal", "Pattern", "Match", "Role", "Strength", "At")
	for _, l := range lines {
		t.AppendRow(table.Row{l.Signal, report.Clean(l.Pattern), l.Match, l.Role, l.Strength, l.At})
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", report.Clean(strings.Join(owners, "; ")), t.Render())
	return err
}

func newFeedsExplain(s *streams) *cobra.Command {
	format := ""
	c := withCatalog(&cobra.Command{
		Use:   "explain NAME-OR-ADDRESS",
		Short: "Show the catalogue entries that match a name, address, URL, port or User-Agent",
		Long: "Shows the catalogue entries that match a name, address, network, autonomous system, URL, port or User-Agent, in any case.\n" +
			"If nothing matches: the vendors that the text names, or the names that it is a part of.",
		Example: `  avbeacon feeds explain dnl-01.geo.kaspersky.com
  avbeacon feeds explain 77.74.178.40
  avbeacon feeds explain tcp/13000
  avbeacon feeds explain 'DrWebUpdate-12.0.56.02100 (windows: 6.1.7601)'`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && strings.TrimSpace(args[0]) != "" {
				return nil
			}
			return fmt.Errorf("explain needs one value (quote it if it has spaces)\n\nExamples:\n%s", c.Example)
		},
	}, func(cat *feeds.Catalog, args []string) error {
		if err := oneOf("format", format, "text", "json"); err != nil {
			return err
		}
		x := cat.Explain(args[0])
		if format == "json" {
			return writeJSON(s.out, x)
		}
		return explainText(s.out, &x)
	})
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}

func explainText(w io.Writer, x *feeds.Explanation) error {
	var b strings.Builder
	for _, key := range x.Vendors {
		fmt.Fprintf(&b, "%s: a vendor of the catalogue; 'avbeacon feeds list %s' lists its entries\n", report.Clean(x.Query), key)
	}
	if len(x.Matches)+len(x.Vendors) == 0 {
		fmt.Fprintf(&b, "%s: nothing in the catalogue matches\n", report.Clean(x.Query))
	}
	for i := range x.Matches {
		m := &x.Matches[i]
		who := m.Name
		if m.Vendor == "" {
			who = "mark: " + m.Mark
		}
		fmt.Fprintf(&b, "%s: %s, %s %s (%s)\n", who, m.Role, m.Strength, m.Signal, m.Match)
		fmt.Fprintf(&b, "  pattern  %s  (%s:%d)\n", m.Pattern, m.File, m.Line)
		fmt.Fprintf(&b, "  why      %s\n", report.Clean(m.Why))
		fmt.Fprintf(&b, "  source   %s (%s), confidence %s\n", m.Source, m.Date, m.Confidence)
		if m.Note != "" {
			fmt.Fprintf(&b, "  note     %s\n", m.Note)
		}
		if !m.Decides && !m.Part {
			b.WriteString("  overridden by a more specific entry, or needs more context (e.g. a path)\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plainTable is the table of all lists: without a frame, so that it can be cut and searched like other output.
func plainTable(head ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	t.SuppressTrailingSpaces()
	t.AppendHeader(head)
	return t
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(v)
}
