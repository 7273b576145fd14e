package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

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

// alertFilter says which alerts are meant.
type alertFilter struct{ db, format, state string }

func newAlertsList(s *streams) *cobra.Command {
	o := &alertFilter{}
	c := &cobra.Command{
		Use:     "list --db FILE",
		Short:   "List the alerts of a store, the latest last",
		Example: "  avbeacon alerts list --db avbeacon.db --state open",
		Args:    noMore,
		RunE: func(c *cobra.Command, _ []string) error {
			err := errors.Join(needsDB(o.db), oneOf("format", o.format, "text", "json"), oneOf("state", o.state, "all", "open", "acknowledged", "suppressed", "resolved"))
			if err != nil {
				return err
			}
			db, err := openToRead(o.db)
			if err != nil {
				return err
			}
			list, err := alertsIn(c.Context(), db, o.state)
			if err := errors.Join(err, db.Close()); err != nil {
				return err
			}
			return writeAlerts(s.out, list, o.format)
		},
	}
	c.Flags().StringVar(&o.db, "db", "", "store `FILE`")
	c.Flags().StringVar(&o.format, "format", "text", "text or json")
	c.Flags().StringVar(&o.state, "state", "all", "open, acknowledged, suppressed, resolved or all")
	return c
}

// alertRow is an alert as a list shows it.
type alertRow struct {
	ID       string      `json:"id"`
	Finding  string      `json:"finding"`
	Changed  time.Time   `json:"changed"`
	Event    alert.Event `json:"event"`
	State    string      `json:"state"`
	Severity string      `json:"severity"`
	Told     *time.Time  `json:"told,omitempty"`
	Unsaid   string      `json:"unsaid,omitempty"`
	Message  string      `json:"message"`
	kept     store.Alert
	whole    alert.Alert
}

// alertsIn returns the store's alerts in order of change.
func alertsIn(ctx context.Context, db *store.Store, state string) (list []alertRow, err error) {
	all, err := db.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		var a alert.Alert
		if err := json.Unmarshal(k.Body, &a); err != nil {
			return nil, fmt.Errorf("alert %s of the store: %w", k.ID, err)
		}
		if state != "all" && k.State != state {
			continue
		}
		x := alertRow{ID: k.ID, Finding: k.Finding, Changed: k.Changed.UTC(), Event: a.Event, State: k.State, Severity: k.Severity.String(), Message: a.Message,
			kept: k, whole: a}
		if !k.Told.IsZero() {
			told := k.Told.UTC()
			x.Told = &told
		} else if a.Unsaid != alert.Told {
			x.Unsaid = string(a.Unsaid)
		}
		list = append(list, x)
	}
	return list, nil
}

func writeAlerts(w io.Writer, list []alertRow, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(struct {
			Alerts []alertRow `json:"alerts"`
		}{append([]alertRow{}, list...)})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are no such alerts.")
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

// acknowledge marks all of the alerts, or none where one cannot be.
func acknowledge(ctx context.Context, s *streams, db *store.Store, ids []string) error {
	all, err := alertsIn(ctx, db, "all")
	if err != nil {
		return err
	}
	var list []alertRow
	for _, id := range ids {
		x, err := lastOf(all, id)
		if err != nil {
			return err
		}
		list = append(list, x)
	}
	for _, x := range list {
		x.whole.State = alert.Acknowledged
		x.kept.State = string(alert.Acknowledged)
		if x.kept.Body, err = json.Marshal(&x.whole); err != nil {
			return err
		}
		if err := db.PutAlert(ctx, x.kept); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s is acknowledged: %s\n", x.ID, report.Clean(x.Message)); err != nil {
			return err
		}
	}
	return nil
}

// lastOf returns the last alert that was sent about a finding. id is the finding's, or that of any of its alerts.
func lastOf(all []alertRow, id string) (x alertRow, err error) {
	at := slices.IndexFunc(all, func(x alertRow) bool { return x.ID == id || x.Finding == id })
	if at < 0 {
		return x, fmt.Errorf("the store has no alert and no finding with alerts %q; 'avbeacon alerts list' shows those it has", id)
	}
	finding := all[at].Finding
	for _, a := range all {
		if a.Finding == finding && a.Unsaid == "" {
			x = a
		}
	}
	switch x.State {
	case string(alert.Open), string(alert.Acknowledged):
		return x, nil
	case "":
		return x, fmt.Errorf("%s: no alert was sent about its finding", id)
	}
	return x, fmt.Errorf("%s: its finding is %s, not open", id, x.State)
}
