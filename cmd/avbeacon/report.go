package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"avbeacon/internal/report"
	"avbeacon/internal/session"
	"avbeacon/internal/store"
)

func newReport(s *streams) *cobra.Command {
	o := &analyzeOptions{}
	c := &cobra.Command{
		Use:   "report --db FILE",
		Short: "Print the report of everything in a store",
		Long: `Prints what a store of 'analyze --db' or 'monitor' holds, in the format of analyze. The findings are
the stored ones; --policy decides again which are of concern. A store can be read while another
process writes it. The report also lists what was seen before the catalogue had an entry for it.`,
		Example: `  avbeacon report --db avbeacon.db
  avbeacon report --db avbeacon.db --format json -o report.json
  avbeacon report --db avbeacon.db --explain 10.0.0.5`,
		Args: noMore,
		RunE: func(cmd *cobra.Command, _ []string) error { return reportStore(cmd.Context(), s, o) },
	}
	f := c.Flags()
	o.knowledge.flags(f)
	o.reportFlags(f)
	f.StringVar(&o.db, "db", "", "store `FILE` to report")
	o.hash = "auto"
	return c
}

// noMore is cobra.Command.Args of a command that takes none.
func noMore(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument: %q\nSee '%s --help'", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

func reportStore(ctx context.Context, s *streams, o *analyzeOptions) error {
	if err := errors.Join(o.check(), needsDB(o.db)); err != nil {
		return err
	}
	know, err := o.load(o.policy)
	if err != nil {
		return err
	}
	defer know.Close()
	db, err := openToRead(o.db)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := session.StoredReport(ctx, db, know, version())
	if err != nil {
		return o.ofDB(err)
	}
	out, err := openOutput("--output", o.output, s.out)
	if err != nil {
		return err
	}
	if err := out.finish(o.write(r, out)); err != nil {
		return err
	}
	return o.concern(r)
}

// concern is the exit code of --fail-on for a report.
func (o *analyzeOptions) concern(r *report.Report) error {
	level, _ := failLevel(o.failOn)
	for i := range r.Findings {
		if v, _ := failLevel(r.Findings[i].Verdict); level != 0 && r.Findings[i].Concern && v >= level {
			return &exitError{code: exitConcern}
		}
	}
	return nil
}

func needsDB(file string) error {
	if file == "" {
		return errors.New("--db FILE is needed: which store?")
	}
	return nil
}

// openToRead opens a store to read it. One of an older version is brought up to date first, which needs it to be writable.
func openToRead(file string) (*store.Store, error) {
	s, err := store.Open(file, store.Options{ReadOnly: true})
	if !errors.Is(err, store.ErrOlder) {
		return s, err
	}
	w, err := store.Open(file, store.Options{})
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return store.Open(file, store.Options{ReadOnly: true})
}
