package main

import (
	"fmt"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"avbeacon/feeds"
	"avbeacon/internal/report"
)

func newFeedsCoverage(s *streams) *cobra.Command {
	return withCatalog(&cobra.Command{
		Use:   "coverage FILE",
		Short: "Count by vendor which documented names the catalogue knows",
		Long: "Reads lines of a vendor's key, a tab and a host name, and counts which names have an entry of their own, which only the\n" +
			"vendor's whole domain matches, and which nothing matches. Names without a vendor are those that the catalogue marks.",
		Example: "  avbeacon feeds coverage feeds/testdata/documented-names.tsv",
		Args:    cobra.ExactArgs(1),
		Hidden:  true, // of use to those who write the catalogue: `make catalog-coverage`
	}, func(cat *feeds.Catalog, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		rows, err := feeds.ReadDocumented(f)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		t := plainTable("Vendor", "Documented", "Own entry", "Catch-all", "Nothing", "Share")
		for _, v := range cat.Covers(rows) {
			key := v.Vendor
			if key == "" {
				key = "(marked)"
			}
			t.AppendRow(table.Row{report.Clean(key), v.Names, v.Own, v.CatchAll, v.Missing, fmt.Sprintf("%.1f %%", 100*v.Share())})
		}
		_, err = fmt.Fprintln(s.out, t.Render())
		return err
	})
}
