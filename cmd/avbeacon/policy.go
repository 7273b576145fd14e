package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"avbeacon/feeds"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
)

func newPolicy(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "List, show and check policies: what is of concern",
		Long: `A policy says which findings are of concern: by vendor, by the vendor's country, by where a
destination is, by its network, or by an expression over all of these. Some policies are built in.
To write your own, start with 'avbeacon policy show moscow > ours.yaml' and use it with
'avbeacon analyze --policy ours.yaml'.`,
		Args: subcommand,
		RunE: showHelp,
	}
	c.AddCommand(newPolicyList(s), newPolicyShow(s), newPolicyCheck(s))
	return c
}

func newPolicyList(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the built-in policies",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t := plainTable("Policy", "Rules", "About")
			for _, name := range policy.Names() {
				p, err := policy.Load(name)
				if err != nil {
					return err
				}
				about := p.About
				if name == policy.Default {
					about += " (the default)"
				}
				t.AppendRow(table.Row{name, len(p.Rules), about})
			}
			_, err := fmt.Fprintln(s.out, t.Render())
			return err
		},
	}
}

func newPolicyShow(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:       "show NAME",
		Short:     "Print a built-in policy",
		Example:   "  avbeacon policy show moscow > ours.yaml",
		ValidArgs: policy.Names(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("policy show needs one name, one of %s", join(policy.Names()))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text, ok := policy.Text(args[0])
			if !ok {
				return fmt.Errorf("there is no built-in policy %q; there are %s", args[0], join(policy.Names()))
			}
			_, err := s.out.Write(text)
			return err
		},
	}
}

func newPolicyCheck(s *streams) *cobra.Command {
	return withCatalog(&cobra.Command{
		Use:     "check FILE...",
		Short:   "Check policy files for errors and likely mistakes",
		Example: "  avbeacon policy check ours.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("policy check needs policy files")
			}
			return nil
		},
	}, func(cat *feeds.Catalog, args []string) error {
		var bad []error
		for _, file := range args {
			p, err := policy.LoadFile(file)
			if err != nil {
				bad = append(bad, err)
				continue
			}
			if err := checkText(s.out, file, p, cat); err != nil {
				return err
			}
		}
		return errors.Join(bad...)
	})
}

// checkText lists the rules of a valid policy, and notes about likely mistakes.
func checkText(w io.Writer, file string, p *policy.Policy, cat *feeds.Catalog) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: policy %s is valid\n", report.Clean(file), report.Clean(p.Name))
	for i := range p.Rules {
		r := &p.Rules[i]
		what := r.Severity.String()
		if r.Passes {
			what = "not of concern"
		}
		fmt.Fprintf(&b, "  %d. %s (%s)\n", i+1, report.Clean(r.Name), what)
	}
	for _, note := range slices.Concat(p.Warnings(), unknownKeys(p, cat)) {
		fmt.Fprintf(&b, "  note: %s\n", report.Clean(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// unknownKeys returns a note for each vendor and group of a policy that the catalogue does not have.
func unknownKeys(p *policy.Policy, cat *feeds.Catalog) (notes []string) {
	groups := map[string]bool{}
	for _, v := range cat.Vendors() {
		groups[v.Group] = true
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, key := range r.VendorKeys() {
			if cat.Vendor(key) == nil {
				notes = append(notes, fmt.Sprintf("rule %s: the catalogue has no vendor %q ('avbeacon feeds list' names them)", r.Name, key))
			}
		}
		for _, g := range r.Groups {
			if !groups[g] {
				notes = append(notes, fmt.Sprintf("rule %s: the catalogue has no group %q", r.Name, g))
			}
		}
	}
	return notes
}
