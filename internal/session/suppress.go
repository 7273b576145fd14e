package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"avbeacon/feeds"
	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// Trial is the effect of a suppression on a store's findings.
type Trial struct {
	Suppression *alert.Suppression `json:"suppression"`
	Findings    int                `json:"findings"`             // of the store
	Count       int                `json:"silenced"`             // those that it matches
	Concern     int                `json:"silenced_of_concern"`  // of Count
	Alerts      int                `json:"silenced_alerts_told"` // sent about them so far
	Silenced    []Tried            `json:"silenced_findings"`
	Kept        []Tried            `json:"kept_findings"` // of its hosts and vendors, but with evidence that it does not cover
}

// Tried is one finding of a Trial.
type Tried struct {
	ID      string   `json:"id"`
	Address string   `json:"host"`
	Name    string   `json:"name,omitempty"`
	Vendor  string   `json:"vendor"`
	Verdict string   `json:"verdict"`
	Concern bool     `json:"concern"`
	Alerts  int      `json:"alerts_told"`
	Outside []string `json:"outside,omitempty"` // evidence that the rule does not cover, at most mostOutside pieces
}

// mostOutside is how many pieces of evidence beyond a rule are named of one finding.
const mostOutside = 4

// TrySuppression returns what a suppression matches in a store.
func TrySuppression(ctx context.Context, db *store.Store, catalog *feeds.Catalog, rule *alert.Suppression) (*Trial, error) {
	kept, err := db.Findings(ctx, catalog)
	if err != nil {
		return nil, err
	}
	alerts, err := db.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	sent := map[string]int{} // by finding
	for i := range alerts {
		if !alerts[i].Sent.IsZero() {
			sent[alerts[i].Finding]++
		}
	}
	t := &Trial{Suppression: rule, Findings: len(kept), Silenced: []Tried{}, Kept: []Tried{}}
	for i := range kept {
		f := &kept[i]
		x := Tried{ID: f.ID, Name: report.Clean(f.Host.Name), Vendor: f.Vendor.Key, Verdict: f.Verdict.String(),
			Concern: f.Decision.Concern, Alerts: sent[f.ID], Outside: rule.Outside(f.Finding, mostOutside)}
		if f.Host.Address.IsValid() {
			x.Address = f.Host.Address.String()
		}
		switch {
		case rule.Matches(f.Finding):
			t.Silenced = append(t.Silenced, x)
			t.Count++
			t.Alerts += x.Alerts
			if x.Concern {
				t.Concern++
			}
		case len(x.Outside) > 0:
			t.Kept = append(t.Kept, x)
		}
	}
	return t, nil
}

// AddSuppression writes a suppression to a store. One with the same rule is replaced.
func AddSuppression(ctx context.Context, db *store.Store, rule *alert.Suppression, now time.Time) error {
	body, err := json.Marshal(rule)
	if err != nil {
		return err
	}
	return db.PutSuppression(ctx, store.Suppression{ID: rule.ID, Made: now, Until: rule.Expires, Body: body})
}

// StoredSuppression is a suppression of a store, and how many of the store's findings it matches.
type StoredSuppression struct {
	Suppression *alert.Suppression `json:"suppression"`
	Made        time.Time          `json:"made"`
	Live        bool               `json:"live"`
	Findings    int                `json:"findings"`
}

// StoredSuppressions returns the suppressions of a store.
func StoredSuppressions(ctx context.Context, db *store.Store, now time.Time) ([]StoredSuppression, error) {
	kept, err := db.Findings(ctx, nil)
	if err != nil {
		return nil, err
	}
	rows, err := db.Suppressions(ctx)
	if err != nil {
		return nil, err
	}
	all := []StoredSuppression{}
	for _, row := range rows {
		rule, err := alert.ReadSuppression(row.Body)
		if err != nil {
			return nil, fmt.Errorf("suppression %s: %w", row.ID, err)
		}
		x := StoredSuppression{Suppression: rule, Made: row.Made, Live: rule.Live(now)}
		for i := range kept {
			if rule.Matches(kept[i].Finding) {
				x.Findings++
			}
		}
		all = append(all, x)
	}
	return all, nil
}
