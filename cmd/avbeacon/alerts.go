package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"avbeacon/internal/report"
	"avbeacon/internal/session"
	"avbeacon/internal/store"
)

// newAlerts makes the command and its subcommands. A running monitor has the alerts in memory and reads acknowledgements at a reload,
// so the commands here can change the store beside it.
func newAlerts(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "alerts",
		Short: "List the alerts of a store, and acknowledge them",
		Long: `An alert is open until somebody acknowledges it, a suppression holds it back, or its finding has been
quiet for alerts.resolve. An acknowledged finding is not repeated until something new happens.`,
		Args: subcommand, RunE: showHelp,
	}
	c.AddCommand(newAlertsList(s), newAlertsAcknowledge(s))
	return c
}

func newAlertsList(s *streams) *cobra.Command {
	state := ""
	c := listOf(&cobra.Command{
		Use:     "list --db FILE",
		Short:   "List the alerts of a store, the latest last",
		Example: "  avbeacon alerts list --db avbeacon.db --state open",
	}, func(c *cobra.Command, db *store.Store, format string) error {
		if err := oneOf("state", state, "all", "open", "acknowledged", "suppressed", "resolved"); err != nil {
			return err
		}
		list, err := session.StoredAlerts(c.Context(), db, state)
		if err != nil {
			return err
		}
		return writeAlerts(s.out, list, state, format)
	})
	c.Flags().StringVar(&state, "state", "all", "open, acknowledged, suppressed, resolved or all")
	return c
}

func writeAlerts(w io.Writer, list []session.StoredAlert, state, format string) error {
	if format == "json" {
		return writeJSON(w, struct {
			Alerts []session.StoredAlert `json:"alerts"`
		}{list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(w, "The store has no alerts (--state %s).\n", state)
		return err
	}
	t := plainTable("Alert", "Finding", "Changed (UTC)", "Event", "State", "Severity", "Message")
	for _, x := range list {
		t.AppendRow(table.Row{x.ID, x.Finding, x.Changed.Format("2006-01-02 15:04"), x.Event, x.State, x.Severity, report.Clean(x.Message)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func newAlertsAcknowledge(s *streams) *cobra.Command {
	return changesOf(s, acknowledge, &cobra.Command{
		Use:   "ack --db FILE ID...",
		Short: "Acknowledge alerts: somebody is handling them",
		Long: `Marks the last alert of a finding as acknowledged; an ID is an alert's or a finding's. The finding is
not repeated until something new happens. A running monitor applies this at SIGHUP.`,
		Example: "  avbeacon alerts ack --db avbeacon.db 7b3cf0ea310e3af4a61d8388e38e9737",
	})
}

func acknowledge(ctx context.Context, s *streams, db *store.Store, ids []string) error {
	list, err := session.Acknowledge(ctx, db, ids)
	for i := range list {
		fmt.Fprintf(s.out, "%s is acknowledged: %s\n", list[i].ID, report.Clean(list[i].Message))
	}
	return err
}
