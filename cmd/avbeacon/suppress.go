package main

import (
	"cmp"
	"context"
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
	"avbeacon/internal/session"
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
	f.BoolVar(&o.dryRun, "dry-run", false, "add nothing, show what it would suppress")
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
	return o.show(ctx, s, db, rule, "would suppress")
}

func (o *suppressOptions) add(ctx context.Context, s *streams) error {
	now := time.Now()
	rule, err := o.made(now, s.err)
	if err != nil {
		return err
	}
	db, err := openToWrite(o.db, s.err)
	if err != nil {
		return err
	}
	if err := session.AddSuppression(ctx, db, rule, now); err != nil {
		return errors.Join(fmt.Errorf("--db %s: %w", o.db, err), db.Close())
	}
	return o.show(ctx, s, db, rule, "suppresses")
}

// show prints what a rule matches, and closes the store.
func (o *suppressOptions) show(ctx context.Context, s *streams, db *store.Store, rule *alert.Suppression, verb string) error {
	cat, err := o.knowledge.catalog()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	t, err := session.TrySuppression(ctx, db, cat, rule)
	if err != nil {
		err = fmt.Errorf("--db %s: %w", o.db, err)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return writeTrial(s, t, o.format, verb)
}

// writeTrial prints what a suppression matches; verb says whether it does or would.
func writeTrial(s *streams, t *session.Trial, format, verb string) error {
	if format == "json" {
		return writeJSON(s.out, t)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s) %s %d of the store's %d findings, %d of them of concern; %d alerts about them were sent so far.\n",
		report.Clean(t.Suppression.ID), report.Clean(ruleWords(&t.Suppression.SuppressionRule)), verb, t.Count, t.Findings, t.Concern, t.Alerts)
	if len(t.Silenced) > 0 {
		fmt.Fprintf(&b, "\n%s\n", triedTable(t.Silenced, false))
	}
	if len(t.Kept) > 0 {
		fmt.Fprintf(&b, "\nNot suppressed, because they have evidence that the rule does not cover:\n\n%s\n", triedTable(t.Kept, true))
	}
	_, err := fmt.Fprint(s.out, b.String())
	return err
}

// mostTried is how many findings the text lists.
const mostTried = 100

func triedTable(list []session.Tried, outside bool) string {
	head := []any{"Host", "Name", "Vendor", "Verdict", "Concern", "Alerts"}
	if outside {
		head = append(head, "Not named")
	}
	t := plainTable(head...)
	for i, x := range list {
		if i == mostTried {
			t.AppendRow(table.Row{fmt.Sprintf("and %d more", len(list)-i)})
			break
		}
		row := table.Row{x.Address, x.Name, x.Vendor, x.Verdict, yes(x.Concern), x.Alerts}
		if outside {
			row = append(row, report.Clean(strings.Join(x.Outside, ", ")))
		}
		t.AppendRow(row)
	}
	return t.Render()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// openToWrite opens an existing store. If another process writes to it, say gets a note that it must reload.
func openToWrite(file string, say io.Writer) (*store.Store, error) {
	r, err := openToRead(file)
	if err != nil {
		return nil, err
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	w, err := store.Open(file, store.Options{})
	if !errors.Is(err, store.ErrLocked) {
		return w, err
	}
	if w, err = store.OpenBeside(file); err == nil {
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
	file := ""
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			of := c.Parent().Name()
			return fmt.Errorf("%s %s needs IDs, as 'avbeacon %s list' shows them", of, c.Name(), of)
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := needsDB(file); err != nil {
			return err
		}
		db, err := openToWrite(file, s.err)
		if err != nil {
			return err
		}
		return errors.Join(act(c.Context(), s, db, args), db.Close())
	}
	c.Flags().StringVar(&file, "db", "", "store `FILE`")
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

func newSuppressList(s *streams) *cobra.Command {
	return listOf(&cobra.Command{
		Use:     "list --db FILE",
		Short:   "List the suppressions of a store, and how many of its findings each matches",
		Example: "  avbeacon suppress list --db avbeacon.db",
	}, func(c *cobra.Command, db *store.Store, format string) error {
		all, err := session.StoredSuppressions(c.Context(), db, time.Now())
		if err != nil {
			return err
		}
		if format == "json" {
			return writeJSON(s.out, all)
		}
		return listText(s.out, all)
	})
}

func listText(w io.Writer, all []session.StoredSuppression) error {
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

// ruleWords says what a rule matches.
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
