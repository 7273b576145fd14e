package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newShare makes the command that prints the files that ship with the program.
func newShare(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "share [NAME]",
		Short: "Print a file that ships with avbeacon: systemd unit, Grafana dashboard, alert rules",
		Long: `Without a name, lists the files: avbeacon.service is a hardened systemd unit, dashboard.json a Grafana
dashboard, rules.yaml a set of Prometheus alert rules.`,
		Example: "  avbeacon share avbeacon.service > /etc/systemd/system/avbeacon.service",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := share.ReadDir("share")
			if err != nil {
				return err
			}
			var names []string
			for _, f := range list {
				if !f.IsDir() {
					names = append(names, f.Name())
				}
			}
			if len(args) == 0 {
				_, err := fmt.Fprintln(s.out, strings.Join(names, "\n"))
				return err
			}
			if err := oneOf("share", args[0], names...); err != nil {
				return fmt.Errorf("there is no file %q; there are %s", args[0], join(names))
			}
			b, err := share.ReadFile("share/" + args[0])
			if err != nil {
				return err
			}
			_, err = s.out.Write(b)
			return err
		},
	}
}
