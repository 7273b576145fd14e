package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

func newSuppress(s *streams) *cobra.Command {
	o := &suppressOptions{}
	c := &cobra.Command{
		Use:   "suppress",
		Short: "List, try, add and remove suppressions: which alerts are not sent, and why",
		Long: `A suppression holds back the alerts of the findings that it matches, by host, vendor, role and domain.
It has a reason, an author and, preferably, an end. Held-back alerts are counted, and sent when the
suppression ends. All given conditions must match; --role and --domain must cover every piece of
evidence for the product, so that a rule for one domain hides nothing else.

'suppress --dry-run' with a rule is the same as 'suppress try'.`,
		Args: subcommand,
		RunE: func(c *cobra.Command, args []string) error {
			if !o.dryRun {
				return showHelp(c, args)
			}
			o.rule.Reason, o.rule.Author = "a trial", "nobody"
			return o.try(c.Context(), s)
		},
	}
	o.base(c.Flags())
	o.what(c.Flags())
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what a rule would suppress")
	c.AddCommand(newSuppressList(s), newSuppressTry(s), newSuppressAdd(s), newSuppressRemove(s))
	return c
}

// suppressOptions are the flags of the subcommands, each of which has some.
type suppressOptions struct {
	db, format, expires string
	dryRun              bool
	rule                alert.SuppressionRule
	knowledge           knowledge
}

func (o *suppressOptions) base(f *pflag.FlagSet) {
	f.StringVar(&o.db, "db", "", "store `FILE`")
	f.StringVar(&o.format, "format", "text", "text or json")
}

func (o *suppressOptions) what(f *pflag.FlagSet) {
	f.StringSliceVar(&o.rule.Hosts, "host", nil, "address, network, MAC or name of hosts (repeatable)")
	f.StringSliceVar(&o.rule.Vendors, "vendor", nil, "key of a vendor, as 'avbeacon feeds list' shows it (repeatable)")
	f.StringSliceVar(&o.rule.Roles, "role", nil, "role of names (update, telemetry, ...) or of hosts (resolver, proxy, ...) (repeatable)")
	f.StringSliceVar(&o.rule.Domains, "domain", nil, "domain with everything below it; . is every name (repeatable)")
	o.knowledge.feedsFlag(f)
}

// check is for every subcommand, before the store is opened.
func (o *suppressOptions) check() error {
	return errors.Join(needsDB(o.db), oneOf("format", o.format, "text", "json"))
}

func newSuppressTry(s *streams) *cobra.Command {
	o := &suppressOptions{}
	c := &cobra.Command{
		Use:   "try --db FILE",
		Short: "Show which findings of a store a suppression would match",
		Example: `  avbeacon suppress try --db avbeacon.db --host 10.20.0.0/16 --vendor kaspersky
  avbeacon suppress try --db avbeacon.db --domain update.example.com --format json`,
		Args: noMore,
		RunE: func(c *cobra.Command, _ []string) error {
			o.rule.Reason, o.rule.Author = "a trial", "nobody"
			return o.try(c.Context(), s)
		},
	}
	o.base(c.Flags())
	o.what(c.Flags())
	return c
}

func newSuppressAdd(s *streams) *cobra.Command {
	o := &suppressOptions{}
	c := &cobra.Command{
		Use:   "add --db FILE --reason TEXT --author NAME",
		Short: "Add a suppression to a store, or change its reason, author and end",
		Long: `Adds a suppression to a store and shows which of its findings the suppression matches. Adding the same
rule again changes its reason, author and end.`,
		Example: `  avbeacon suppress add --db avbeacon.db --host 10.20.0.0/16 --reason "lab" --author ann --expires 90d
  avbeacon suppress add --db avbeacon.db --vendor eset --reason "licensed" --author ann --dry-run`,
		Args: noMore,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.dryRun {
				return o.try(c.Context(), s)
			}
			return o.add(c.Context(), s)
		},
	}
	f := c.Flags()
	o.base(f)
	o.what(f)
	f.StringVar(&o.rule.Reason, "reason", "", "why these alerts are not to be sent")
	f.StringVar(&o.rule.Author, "author", "", "who decided this")
	f.StringVar(&o.expires, "expires", "", "when it ends: 2026-12-31 (00:00 UTC), 2026-12-31T18:00:00Z, 90d or 36h (default: never)")
	f.BoolVar(&o.dryRun, "dry-run", false, "add nothing, show what it would silence")
	return c
}

// made checks the flags and makes the rule of them.
func (o *suppressOptions) made(now time.Time, warn io.Writer) (*alert.Suppression, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var err error
	if o.rule.Expires, err = expiry(o.expires, now); err != nil {
		return nil, err
	}
	rule, err := alert.NewSuppression(o.rule)
	if err != nil {
		return nil, flagWords(err)
	}
	cat, err := o.knowledge.catalog()
	if err != nil {
		return nil, err
	}
	for _, key := range rule.Vendors {
		if cat.Vendor(key) == nil {
			fmt.Fprintf(warn, "note: the catalogue has no vendor %q ('avbeacon feeds list' names them)\n", key)
		}
	}
	return rule, nil
}

// flagWords says in flags what the rule's own errors say in keys.
func flagWords(err error) error {
	words := err.Error()
	for _, r := range [][2]string{{"hosts", "--host"}, {"vendors", "--vendor"}, {"roles", "--role"}, {"domains", "--domain"}} {
		words = strings.ReplaceAll("\n"+words, "\n"+r[0]+"[", "\n"+r[1]+" [")[1:]
	}
	switch {
	case strings.HasPrefix(words, "reason:"):
		return errors.New("--reason TEXT is needed: why are these alerts not to be sent?")
	case strings.HasPrefix(words, "author:"):
		return errors.New("--author NAME is needed: who decided so?")
	case strings.HasPrefix(words, "it names no"):
		return errors.New("--host, --vendor, --role or --domain is needed: what is to be suppressed? (--domain . for everything)")
	}
	return errors.New(words)
}

// expiry reads a date, a time or a span from now on.
func expiry(word string, now time.Time) (time.Time, error) {
	if word == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, word)
	if err != nil {
		at, err = time.Parse(time.DateOnly, word)
	}
	if span, e := span(word); e == nil {
		at, err = now.Add(span), nil
	}
	switch {
	case err != nil:
		return at, fmt.Errorf("--expires %q: write a date as 2026-12-31, a time as 2026-12-31T18:00:00Z, or a span as 90d or 36h", word)
	case !at.After(now):
		return at, fmt.Errorf("--expires %q: that time has already passed", word)
	}
	return at.UTC().Truncate(time.Second), nil
}

func span(word string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(word, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(word)
}

func (o *suppressOptions) try(ctx context.Context, s *streams) error {
	rule, err := o.made(time.Now(), s.err)
	if err != nil {
		return err
	}
	db, err := openToRead(o.db)
	if err != nil {
		return err
	}
	t, err := o.trial(ctx, db, rule)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return t.write(s, o.format, "would silence")
}

func (o *suppressOptions) add(ctx context.Context, s *streams) error {
	now := time.Now()
	rule, err := o.made(now, s.err)
	if err != nil {
		return err
	}
	db, err := o.openToWrite(s.err)
	if err != nil {
		return err
	}
	t, err := o.put(ctx, db, rule, now)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return t.write(s, o.format, "silences")
}

func (o *suppressOptions) put(ctx context.Context, db *store.Store, rule *alert.Suppression, now time.Time) (*trial, error) {
	body, err := json.Marshal(rule)
	if err != nil {
		return nil, err
	}
	if err := db.PutSuppression(ctx, store.Suppression{ID: rule.ID, Made: now, Until: rule.Expires, Body: body}); err != nil {
		return nil, fmt.Errorf("--db %s: %w", o.db, err)
	}
	return o.trial(ctx, db, rule)
}

// openToWrite opens an existing store. If another process writes to it, say gets a note that it must reload.
func (o *suppressOptions) openToWrite(say io.Writer) (*store.Store, error) {
	r, err := openToRead(o.db)
	if err != nil {
		return nil, err
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	w, err := store.Open(o.db, store.Options{})
	if !errors.Is(err, store.ErrLocked) {
		return w, err
	}
	if w, err = store.OpenBeside(o.db); err == nil {
		_, err = fmt.Fprintln(say, "note: a running monitor writes this store; it applies the change at SIGHUP (systemctl reload)")
	}
	return w, err
}

func newSuppressRemove(s *streams) *cobra.Command {
	return changesOf(s, removeAll, &cobra.Command{
		Use:     "remove --db FILE ID...",
		Short:   "Remove suppressions from a store",
		Example: "  avbeacon suppress remove --db avbeacon.db s-0a1b2c3d4e",
	})
}

// changesOf completes a command that changes rows of a store, which its arguments name by their IDs.
func changesOf(s *streams, act func(context.Context, *streams, *store.Store, []string) error, c *cobra.Command) *cobra.Command {
	o := &suppressOptions{}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			of := c.Parent().Name()
			return fmt.Errorf("%s %s needs IDs, as 'avbeacon %s list' shows them", of, c.Name(), of)
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := needsDB(o.db); err != nil {
			return err
		}
		db, err := o.openToWrite(s.err)
		if err != nil {
			return err
		}
		return errors.Join(act(c.Context(), s, db, args), db.Close())
	}
	c.Flags().StringVar(&o.db, "db", "", "store `FILE`")
	return c
}

// removeAll takes away all of the suppressions, or none where one is not there.
func removeAll(ctx context.Context, s *streams, db *store.Store, ids []string) error {
	all, err := db.Suppressions(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(x store.Suppression) bool { return x.ID == id }) {
			return fmt.Errorf("the store has no suppression %q; 'avbeacon suppress list' shows those it has", id)
		}
	}
	for _, id := range ids {
		if err := db.DropSuppression(ctx, id); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s removed: alerts that it withheld are sent again.\n", report.Clean(id))
	}
	return nil
}

// listed is a suppression of a store, and how much of it it fits now.
type listed struct {
	Suppression *alert.Suppression `json:"suppression"`
	Made        time.Time          `json:"made"`
	Live        bool               `json:"live"`
	Findings    int                `json:"findings"`
}

func newSuppressList(s *streams) *cobra.Command {
	o := &suppressOptions{}
	c := &cobra.Command{
		Use:     "list --db FILE",
		Short:   "List the suppressions of a store, and how many of its findings each matches",
		Example: "  avbeacon suppress list --db avbeacon.db",
		Args:    noMore,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			db, err := openToRead(o.db)
			if err != nil {
				return err
			}
			all, err := suppressionsOf(c.Context(), db, time.Now())
			if err := errors.Join(err, db.Close()); err != nil {
				return fmt.Errorf("--db %s: %w", o.db, err)
			}
			if o.format == "json" {
				return writeJSON(s.out, all)
			}
			return listText(s.out, all)
		},
	}
	o.base(c.Flags())
	return c
}

func suppressionsOf(ctx context.Context, db *store.Store, now time.Time) ([]listed, error) {
	kept, err := db.Findings(ctx, nil)
	if err != nil {
		return nil, err
	}
	rows, err := db.Suppressions(ctx)
	if err != nil {
		return nil, err
	}
	all := []listed{}
	for _, row := range rows {
		rule, err := alert.ReadSuppression(row.Body)
		if err != nil {
			return nil, fmt.Errorf("suppression %s: %w", row.ID, err)
		}
		x := listed{Suppression: rule, Made: row.Made, Live: rule.Live(now)}
		for i := range kept {
			if rule.Matches(kept[i].Finding) {
				x.Findings++
			}
		}
		all = append(all, x)
	}
	return all, nil
}

func listText(w io.Writer, all []listed) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "The store has no suppressions.")
		return err
	}
	t := plainTable("ID", "Fits", "Findings", "Ends", "Author", "Reason")
	for _, x := range all {
		rule, end := x.Suppression, "never"
		switch {
		case !x.Live:
			end = "it ended " + rule.Expires.Format(time.DateOnly)
		case !rule.Expires.IsZero():
			end = rule.Expires.Format("2006-01-02 15:04")
		}
		t.AppendRow(table.Row{report.Clean(rule.ID), report.Clean(ruleWords(&rule.SuppressionRule)), x.Findings, end, report.Clean(rule.Author), report.Clean(rule.Reason)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// ruleWords says what a rule fits.
func ruleWords(c *alert.SuppressionRule) string {
	var words []string
	for _, l := range []struct {
		noun string
		of   []string
	}{{"host", c.Hosts}, {"vendor", c.Vendors}, {"role", c.Roles}, {"domain", c.Domains}} {
		if len(l.of) > 0 {
			words = append(words, l.noun+" "+strings.Join(l.of, " or "))
		}
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}
