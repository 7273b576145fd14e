package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// trial is the effect of a suppression on a store's findings.
type trial struct {
	Suppression *alert.Suppression `json:"suppression"`
	Findings    int                `json:"findings"`             // of the store
	Count       int                `json:"silenced"`             // those that it matches
	Concern     int                `json:"silenced_of_concern"`  //
	Alerts      int                `json:"silenced_alerts_told"` // sent about them so far
	Silenced    []tried            `json:"silenced_findings"`
	Kept        []tried            `json:"kept_findings"` // of its hosts and vendors, but with evidence that it does not cover
}

// tried is one finding in a trial.
type tried struct {
	ID      string   `json:"id"`
	Address string   `json:"host"`
	Name    string   `json:"name,omitempty"`
	Vendor  string   `json:"vendor"`
	Verdict string   `json:"verdict"`
	Concern bool     `json:"concern"`
	Alerts  int      `json:"alerts_told"`
	Outside []string `json:"outside,omitempty"` // what the rule does not name
}

// mostOutside is how many signs beyond a rule are named of one finding.
const mostOutside = 4

func (o *suppressOptions) trial(ctx context.Context, db *store.Store, rule *alert.Suppression) (*trial, error) {
	cat, err := o.knowledge.catalog()
	if err != nil {
		return nil, err
	}
	kept, err := db.Findings(ctx, cat)
	if err != nil {
		return nil, fmt.Errorf("--db %s: %w", o.db, err)
	}
	told, err := toldOf(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("--db %s: %w", o.db, err)
	}
	t := &trial{Suppression: rule, Findings: len(kept), Silenced: []tried{}, Kept: []tried{}}
	for i := range kept {
		f := &kept[i]
		x := tried{ID: f.ID, Address: addressOf(f.Host.Address), Name: report.Clean(f.Host.Name), Vendor: f.Vendor.Key, Verdict: f.Verdict.String(),
			Concern: f.Decision.Concern, Alerts: told[f.ID], Outside: rule.Outside(f.Finding, mostOutside)}
		switch {
		case rule.Matches(f.Finding):
			t.silence(x)
		case len(x.Outside) > 0:
			t.Kept = append(t.Kept, x)
		}
	}
	return t, nil
}

func (t *trial) silence(x tried) {
	t.Count++
	t.Alerts += x.Alerts
	if x.Concern {
		t.Concern++
	}
	t.Silenced = append(t.Silenced, x)
}

// toldOf returns the number of alerts sent about each finding.
func toldOf(ctx context.Context, db *store.Store) (map[string]int, error) {
	all, err := db.Alerts(ctx)
	told := map[string]int{}
	for i := range all {
		if !all[i].Told.IsZero() {
			told[all[i].Finding]++
		}
	}
	return told, err
}

func (t *trial) write(s *streams, format, verb string) error {
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

func triedTable(list []tried, outside bool) string {
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

// addressOf is the address, "" where there is none.
func addressOf(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
