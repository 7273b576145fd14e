package session

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
	"avbeacon/internal/watch"
)

// Facts returns the facts for a report of the run with the given findings.
func (s *Session) Facts(st capture.Stats, findings []*classify.Finding) *report.Facts {
	p := s.Pipeline
	st.Panics += p.Panics
	f := s.Know.facts(s.opt.Version)
	f.Inputs, f.Findings, f.Remarks, f.Stats, f.Judged, f.HiddenDoH = s.opt.Source.Inputs(), findings, p.Classifier.Remarks(), st, p.Classifier.Stats(), p.FlowsDoH
	return f
}

// facts returns what a report takes from the knowledge; Facts and storedReport add what was seen.
func (k *Knowledge) facts(version string) *report.Facts {
	return &report.Facts{Version: version, Generated: time.Now(), Catalog: k.Catalog, Places: k.Places.Databases(), Policy: k.Policy.Name, Judge: k.Policy.Judge}
}

// NoteSuppressed adds to a report which findings the suppressions in force keep from becoming alerts. A run without alerts has none.
func (s *Session) NoteSuppressed(r *report.Report, findings []*classify.Finding) {
	if s.Alerter.Book == nil {
		return
	}
	r.NoteSilenced(s.Alerter.Book.Suppressions(), findings, s.Alerter.Now())
}

// StoredReport returns a report of everything in a store, judged by the current knowledge.
func StoredReport(ctx context.Context, db *store.Store, know *Knowledge, version string) (*report.Report, error) {
	return storedReport(ctx, db, know.facts(version))
}

// StoredReport returns a report of everything in the store, including this run's counters. Call PutRun first.
func (s *Session) StoredReport(ctx context.Context, f *report.Facts) (*report.Report, error) {
	return storedReport(ctx, s.opt.Store, f)
}

// storedReport takes inputs, findings and coverage from the store, everything else from run.
func storedReport(ctx context.Context, db *store.Store, run *report.Facts) (*report.Report, error) {
	inputs, err := db.Inputs(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := db.Findings(ctx, run.Catalog)
	if err != nil {
		return nil, err
	}
	pieces, err := db.Memory(ctx)
	if err != nil {
		return nil, err
	}
	past, err := watch.PastOf(ctx, db, run.Catalog)
	if err != nil {
		return nil, err
	}
	facts := *run
	f := &facts
	f.Inputs, f.Findings = nil, nil
	for i := range inputs {
		f.Inputs = append(f.Inputs, inputs[i].Input)
	}
	for i := range kept {
		f.Findings = append(f.Findings, kept[i].Finding)
	}
	// Remarks are not rows of the store but part of the classifier's memory: a classifier that restores it returns them.
	c := classify.New(classify.Options{Catalog: f.Catalog, Sensor: db.Sensor(), IDKey: db.IDKey()})
	restored := c.Restore(pieces)
	f.Remarks = c.Remarks()
	r := report.New(f)
	if r.Coverage, err = db.RunCoverage(ctx); err != nil {
		return nil, err
	}
	hours, err := db.CoverageHours(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	r.Coverage.Watched(reportHours(hours))
	if restored.Unread > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d pieces of the classifier's memory cannot be read: %v.", restored.Unread, restored.Err))
	}
	notePast(r, past)
	rules, err := AllRules(ctx, nil, db, zap.NewNop())
	if err != nil {
		return nil, err
	}
	return r, noteElsewhere(ctx, r, db, r.NoteSilenced(rules, f.Findings, f.Generated))
}

func reportHours(list []store.CoverageHour) (out []report.Hour) {
	for i := range list {
		h := &list[i]
		out = append(out, report.NewHour(h.Start, h.Seen, h.Packets, h.Bytes, h.KernelDrops, h.OwnDrops))
	}
	return out
}

// mostPast is the most sightings from before the catalogue had an entry that are reported individually.
const mostPast = 50

// notePast adds what a later catalogue says of earlier traffic. The values come from the network, so they pass Clean.
func notePast(r *report.Report, past []watch.Past) {
	for i := range past {
		if i == mostPast {
			r.Notes = append(r.Notes, fmt.Sprintf("And %d more sightings from before the catalogue had an entry.", len(past)-i))
			return
		}
		r.Notes = append(r.Notes, report.Clean(past[i].String()))
	}
}

// noteElsewhere adds findings whose alerts the suppressions and maintenance windows of monitor's configuration withhold: the
// store has those alerts and the name of the rule. findings are those that no suppression of the store matches.
func noteElsewhere(ctx context.Context, r *report.Report, db *store.Store, findings []*classify.Finding) error {
	rows, err := db.Alerts(ctx)
	if err != nil {
		return err
	}
	last := map[string]*alert.Alert{} // by finding
	for i := range rows {
		var a alert.Alert
		if json.Unmarshal(rows[i].Body, &a) == nil && (last[a.Finding] == nil || last[a.Finding].Sequence < a.Sequence) {
			last[a.Finding] = &a
		}
	}
	counts := map[string]int{}
	for _, f := range findings {
		if a := last[f.ID]; a != nil && (a.Unsaid == alert.Silenced || a.Unsaid == alert.Maintenance) {
			counts[a.By]++
		}
	}
	for _, by := range slices.Sorted(maps.Keys(counts)) {
		r.Notes = append(r.Notes, report.Clean(fmt.Sprintf("Suppressed: %s, by %s, as of monitor's last decision.", report.Findings(counts[by]), by)))
	}
	return nil
}
