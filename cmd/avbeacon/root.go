package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"avbeacon/capture/files"
)

func newRoot(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "avbeacon",
		Short: "Find the hosts whose antivirus calls home",
		Long: `avbeacon reads packet captures taken at a network's Internet edge and reports which hosts run an
antivirus that calls home, to whom, how regularly, and whether home is in a place of concern (first
of all Moscow). Every verdict comes with its evidence, down to packet numbers, and with what the
capture could not show.`,
		Example: `  avbeacon analyze office.pcap                     who runs what, and where it calls
  avbeacon analyze office.pcap --explain 10.0.0.5  everything about one host
  avbeacon observe office.pcap | jq .sni           everything that was seen, as JSON lines`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.SetIn(s.in)
	c.SetOut(s.out)
	c.SetErr(s.err)
	c.SetFlagErrorFunc(flagError)
	c.AddCommand(newAnalyze(s), newMonitor(s), newObserve(s), newFeeds(s), newPolicy(s), newReport(s), newDB(s), newAlerts(s), newSIEM(s), newSchema(s), newShare(s), newVersion(s))
	c.AddCommand(newSuppress(s))
	c.Args, c.RunE = subcommand, showHelp
	return c
}

// subcommand is cobra.Command.Args of a command that only holds others.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	c.SuggestionsMinimumDistance = 2 // letters
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", near[0])
	} else if _, err := os.Stat(args[0]); err == nil && !c.HasParent() {
		hint = fmt.Sprintf("; to look into that file: avbeacon analyze %s", args[0])
	}
	return fmt.Errorf("%s has no command %q%s\nSee '%s --help'", c.CommandPath(), args[0], hint, c.CommandPath())
}

func showHelp(c *cobra.Command, _ []string) error { return c.Help() }

// flagError says which flag may have been meant, and where they are listed.
func flagError(c *cobra.Command, err error) error {
	hint := ""
	if _, name, ok := strings.Cut(err.Error(), "unknown flag: --"); ok {
		if near := nearFlag(c.Flags(), name); near != "" {
			hint = fmt.Sprintf(" (did you mean --%s?)", near)
		}
	}
	return fmt.Errorf("%w%s\nSee '%s --help'", err, hint, c.CommandPath())
}

// nearFlag returns a flag with a similar name, "" if there is none. It asks cobra, which compares the names of commands.
func nearFlag(flags *pflag.FlagSet, name string) string {
	all := &cobra.Command{SuggestionsMinimumDistance: 2} // letters
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	return cmp.Or(append(all.SuggestionsFor(name), "")...)
}

// someInputs is cobra.Command.Args of a command that reads captures: without one, it shows how it is used.
func someInputs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return fmt.Errorf("%s needs captures: files, folders or - for standard input\n\nUsage:\n  %s\n\nExamples:\n%s\n\nSee '%s --help'",
		c.Name(), c.UseLine(), c.Example, c.CommandPath())
}

// inputs makes the list of captures that the arguments stand for.
func (s *streams) inputs(args []string) ([]string, error) {
	names, err := files.Expand(args)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, ok := s.in.(*os.File)
		if name == files.StdinName && ok && term.IsTerminal(int(f.Fd())) {
			return nil, errors.New("standard input (-) is a terminal: pipe a capture into it, as in 'tcpdump -w - | avbeacon analyze -'")
		}
	}
	return names, nil
}

// oneOf rejects a flag's value that is none of the words.
func oneOf(flag, value string, words ...string) error {
	for _, w := range words {
		if w == value {
			return nil
		}
	}
	return fmt.Errorf("--%s %q: must be one of %s", flag, value, join(words))
}
