package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/classify"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// memory is a store that a run of analyze goes on from and adds to. nil is a run without one.
type memory struct {
	store *store.Store
	known []store.Input // captures that are in it already
	rules *policy.Policy
	saver *classify.Saver
	began time.Time
}

// remember opens the store that --db names; nil where it names none. key is nil where the user gave none.
func (o *analyzeOptions) remember(ctx context.Context, rules *policy.Policy) (*memory, error) {
	if o.db == "" {
		return nil, nil
	}
	var key []byte
	if o.idKey != "" {
		var err error
		if key, err = readKey(o.idKey); err != nil {
			return nil, err
		}
	}
	s, err := store.Open(o.db, store.Options{Sensor: o.sensor, IDKey: key})
	if err != nil {
		return nil, fmt.Errorf("--db: %w", err)
	}
	m := &memory{store: s, rules: rules, began: time.Now()}
	if m.known, err = s.Inputs(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("--db %s: %w", o.db, err), s.Close())
	}
	o.sensor = s.Sensor()
	return m, nil
}

func (m *memory) close() error {
	if m == nil {
		return nil
	}
	return m.store.Close()
}

// fresh leaves out the captures that the store has, by their hashes, and says so. Only a file that is as long as one of
// those is hashed beforehand.
func (m *memory) fresh(inputs []string, warn func(string, ...any)) []string {
	if m == nil {
		return inputs
	}
	return slices.DeleteFunc(inputs, func(name string) bool {
		old := m.has(name)
		if old != nil {
			warn("%s: the store has it already (as %s); it is not counted again", name, old.Name)
		}
		return old != nil
	})
}

// has gives the input of the store that a file is; nil where it is none, or cannot be read: that is told later.
func (m *memory) has(name string) *store.Input {
	st, err := os.Stat(name)
	if name == files.StdinName || err != nil || !st.Mode().IsRegular() {
		return nil
	}
	sum := ""
	for i := range m.known {
		in := &m.known[i]
		if in.SHA256 == "" || in.Size != st.Size() {
			continue
		}
		if sum == "" {
			if sum, err = hashOf(name); err != nil {
				return nil
			}
		}
		if in.SHA256 == sum {
			return in
		}
	}
	return nil
}

func hashOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// attach makes a pipeline go on from the store: its classifier, its frames' inputs, and what it keeps.
func (m *memory) attach(ctx context.Context, p *pipeline.Pipeline, home []netip.Prefix) error {
	if m == nil {
		return nil
	}
	pieces, err := m.store.Memory(ctx)
	if err != nil {
		return err
	}
	if r := p.Classifier.Restore(pieces); r.Err != nil {
		return fmt.Errorf("%d pieces of the store cannot be read, so that the run would not go on from all of it: %w", r.Unread, r.Err)
	}
	m.saver = p.Classifier.NewSaver()
	m.saver.Fresh()
	w := store.NewWatch(m.store, p.Catalog, within(home))
	p.Watch, p.Capture.Observer.Interest = w, w
	p.Source = &capture.Numbered{Source: p.Source, First: int32(len(m.known))}
	p.Changed = func(f *classify.Finding) error {
		m.store.Keep(f, m.rules.Decide(f))
		return nil
	}
	return m.store.UseCatalog(ctx, p.Catalog, m.began)
}

// within says whether an address is in one of the networks, the default ones where there are none.
func within(home []netip.Prefix) func(netip.Addr) bool {
	if home == nil {
		home = classify.DefaultHome()
	}
	return func(a netip.Addr) bool {
		return slices.ContainsFunc(home, func(p netip.Prefix) bool { return p.Contains(a) })
	}
}

// keep writes the run into the store, all of it or nothing, and gives the report of all that the store has. Without a store
// it gives the run's own.
func (m *memory) keep(ctx context.Context, f *report.Facts) (*report.Report, error) {
	if m == nil {
		return report.New(f), nil
	}
	for i := range f.Inputs {
		for j := range m.known {
			if sum := f.Inputs[i].SHA256; sum != "" && sum == m.known[j].SHA256 {
				return nil, fmt.Errorf("%s: the store has it already (as %s); nothing of this run was kept", f.Inputs[i].Name, m.known[j].Name)
			}
		}
	}
	m.store.KeepMemory(m.saver.Changed(true), m.rules.Decide)
	if len(f.Inputs) > 0 {
		run := &store.Run{Began: m.began, Version: f.Version, Inputs: f.Inputs, Coverage: report.New(f).Coverage}
		if err := m.store.AddRun(ctx, run, time.Now()); err != nil {
			return nil, err
		}
	}
	return storedReport(ctx, m.store, f)
}

// storedReport is the report of all that a store has. f gives what is no store's: who reports, by which catalogue, places
// and policy.
func storedReport(ctx context.Context, s *store.Store, f *report.Facts) (*report.Report, error) {
	inputs, err := s.Inputs(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := s.Findings(ctx, f.Catalog)
	if err != nil {
		return nil, err
	}
	pieces, err := s.Memory(ctx)
	if err != nil {
		return nil, err
	}
	past, err := s.Past(ctx, f.Catalog)
	if err != nil {
		return nil, err
	}
	all := *f
	all.Inputs, all.Findings = nil, nil
	for i := range inputs {
		all.Inputs = append(all.Inputs, inputs[i].Input)
	}
	for i := range kept {
		all.Findings = append(all.Findings, kept[i].Finding)
	}
	c := classify.New(classify.Options{Catalog: f.Catalog, Sensor: s.Sensor(), IDKey: s.IDKey()})
	restored := c.Restore(pieces)
	all.Remarks = c.Remarks()
	r := report.New(&all)
	if r.Coverage, err = s.RunCoverage(ctx); err != nil {
		return nil, err
	}
	hours, err := s.CoverageHours(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	r.Coverage.Watched(reportHours(hours))
	if restored.Unread > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d pieces of the classifier's memory cannot be read: %v.", restored.Unread, restored.Err))
	}
	notePast(r, past)
	return r, noteSilenced(ctx, r, s, kept, f.Generated)
}

func reportHours(list []store.CoverageHour) (out []report.Hour) {
	for i := range list {
		h := &list[i]
		out = append(out, report.NewHour(h.Start, h.Seen, h.Packets, h.Bytes, h.KernelDrops, h.OwnDrops))
	}
	return out
}

// mostPast is how many finds in the past are told one by one.
const mostPast = 50

func notePast(r *report.Report, past []store.Past) {
	for i := range past {
		if i == mostPast {
			r.Notes = append(r.Notes, fmt.Sprintf("And %d more of what was seen before the catalogue had it.", len(past)-i))
			return
		}
		r.Notes = append(r.Notes, report.Clean(past[i].String()))
	}
}
