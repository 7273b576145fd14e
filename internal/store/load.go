package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/policy"
)

// Kept is a finding as last kept, with the policy's decision of that time.
type Kept struct {
	*classify.Finding
	Decision policy.Decision
}

// Memory returns the state that the classifier continues from, most recently seen hosts first. Give it to classify.Classifier.Restore.
func (s *Store) Memory(ctx context.Context) ([]classify.Saved, error) {
	return s.states(ctx, "state.all", s.sensor)
}

// MemoryOf returns Memory for a limited number of hosts: those with evidence first, then the most recently seen.
func (s *Store) MemoryOf(ctx context.Context, hosts int) ([]classify.Saved, error) {
	return s.states(ctx, "state.of", s.sensor, hosts)
}

func (s *Store) states(ctx context.Context, query string, args ...any) (out []classify.Saved, err error) {
	err = s.each(ctx, query, args, func(row scanner) error {
		var p classify.Saved
		err := row.Scan(&p.Host, &p.Vendor, &p.Data)
		out = append(out, p)
		return err
	})
	return out, err
}

// Findings returns every finding with all that was kept, sorted as a classifier sorts them. A vendor that is no longer in the catalogue
// has only key, name and country; catalog may be nil. The tables are read one after the other, and the writer may go on in between:
// rows of a finding that was not yet there when findings were read are left out.
func (s *Store) Findings(ctx context.Context, catalog *feeds.Catalog) ([]Kept, error) {
	l := loader{catalog: catalog, byID: map[string]*classify.Finding{}}
	one := []any{s.sensor}
	for _, step := range []struct {
		query string
		row   func(scanner) error
	}{{"finding.all", l.finding}, {"evidence.all", l.evidence}, {"destination.all", l.destination}, {"beat.all", l.beat}} {
		if err := s.each(ctx, step.query, one, step.row); err != nil {
			return nil, err
		}
	}
	for _, k := range l.out {
		slices.SortFunc(k.Destinations, func(a, b classify.Destination) int {
			return cmp.Or(cmp.Compare(b.Contacts, a.Contacts), a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
		})
		sortEvidence(k.Evidence)
	}
	slices.SortFunc(l.out, func(a, b Kept) int {
		return cmp.Or(a.Host.Address.Compare(b.Host.Address), cmp.Compare(a.Vendor.Key, b.Vendor.Key), cmp.Compare(a.ID, b.ID))
	})
	return l.out, nil
}

// sortEvidence puts evidence in the classifier's order. Evidence against the product stays at the end.
func sortEvidence(list []classify.Evidence) {
	slices.SortStableFunc(list, func(a, b classify.Evidence) int {
		if last := cmp.Compare(whole(a.Kind == classify.KindAgainst), whole(b.Kind == classify.KindAgainst)); last != 0 {
			return last
		}
		if a.Kind == classify.KindAgainst {
			return 0
		}
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Role, b.Role))
	})
}

// loader joins the rows of several tables to findings. byID is filled by the first query, which reads the findings.
type loader struct {
	catalog *feeds.Catalog // may be nil
	byID    map[string]*classify.Finding
	out     []Kept
}

func (l *loader) vendor(key, name, country string) *feeds.Vendor {
	if l.catalog != nil {
		if v := l.catalog.Vendor(key); v != nil {
			return v
		}
	}
	return &feeds.Vendor{Key: key, Name: name, Country: country}
}

func (l *loader) finding(row scanner) error {
	f, d := &classify.Finding{}, policy.Decision{}
	var key, name, country, who, roles, behind, oem, reasons string
	var first, last int64
	err := row.Scan(&f.ID, &key, &name, &country, &f.Product, &f.ProductVersion, &who, &f.HostRole, &roles, &behind, &oem, &f.Verdict,
		&f.State, &d.Concern, &d.Rule, &d.Severity, &d.Why, &first, &last, &f.Contacts, &f.Lookups, &f.Dropped, &reasons)
	if err != nil {
		return err
	}
	f.Vendor, f.FirstSeen, f.LastSeen = l.vendor(key, name, country), instant(first), instant(last)
	var numbers []int
	if err := said(who, &f.Host, roles, &numbers, behind, &f.Behind, oem, &f.OEM, reasons, &f.Reasons); err != nil {
		return err
	}
	for _, n := range numbers { // stored as ints: JSON would write a slice of bytes as base64
		f.HostRoles = append(f.HostRoles, classify.HostRole(n))
	}
	l.byID[f.ID] = f
	l.out = append(l.out, Kept{Finding: f, Decision: d})
	return nil
}

// said decodes pairs: a JSON text and a pointer to its value.
func said(pairs ...any) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := json.Unmarshal([]byte(pairs[i].(string)), pairs[i+1]); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return nil
}

func (l *loader) evidence(row scanner) error {
	var e classify.Evidence
	var id, frames string
	var first, last int64
	err := row.Scan(&id, &e.Kind, &e.Value, &e.Role, &e.Strength, &e.Supports, &e.Weight, &e.Count, &first, &last, &frames, &e.Source,
		&e.Date, &e.Pattern, &e.File, &e.Line, &e.Note, &e.Why)
	if err != nil {
		return err
	}
	e.First, e.Last = instant(first), instant(last)
	if err := said(frames, &e.Frames); err != nil {
		return err
	}
	if f := l.byID[id]; f != nil {
		f.Evidence = append(f.Evidence, e)
	}
	return nil
}

func (l *loader) destination(row scanner) error {
	var d classify.Destination
	var id, address, names, place string
	var rtt int64
	err := row.Scan(&id, &address, &d.Port, &names, &d.ASN, &d.Owner, &rtt, &d.Contacts, &d.Failed, &d.Proxy, &place)
	if err != nil {
		return err
	}
	if d.Address, err = netip.ParseAddr(address); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	d.RTT = time.Duration(rtt)
	if err := said(names, &d.Names, place, &d.Place); err != nil {
		return err
	}
	if f := l.byID[id]; f != nil {
		f.Destinations = append(f.Destinations, d)
	}
	return nil
}

func (l *loader) beat(row scanner) error {
	var b classify.Beacon
	var id string
	var period int64
	err := row.Scan(&id, &b.Role, &b.Score, &b.Scored, &period, &b.Sessions, &b.Words)
	if err != nil {
		return err
	}
	b.Period = time.Duration(period)
	if f := l.byID[id]; f != nil {
		f.Beacons = append(f.Beacons, b)
	}
	return nil
}

// Starts returns when a finding's sessions began, by role.
func (s *Store) Starts(ctx context.Context, finding string) ([]classify.Starts, error) {
	var out []classify.Starts
	err := s.each(ctx, "beat.starts", []any{finding}, func(row scanner) error {
		var x classify.Starts
		var text string
		if err := row.Scan(&x.Role, &text); err != nil {
			return err
		}
		if err := said(text, &x.Times); err != nil {
			return err
		}
		for i := 1; i < len(x.Times); i++ { // stored as distances, see distances
			x.Times[i] += x.Times[i-1]
		}
		out = append(out, x)
		return nil
	})
	return out, err
}

// Hour counts a finding's traffic in one hour.
type Hour struct {
	Start             time.Time
	Contacts, Lookups uint64
}

// Hours returns a finding's hours with contact since a time, in order. A contact counts in the hour in which it was recorded,
// which may be the hour after it was made.
func (s *Store) Hours(ctx context.Context, finding string, from time.Time) ([]Hour, error) {
	var out []Hour
	err := s.each(ctx, "hour.all", []any{finding, hourOf(from)}, func(row scanner) error {
		var h Hour
		var at int64
		err := row.Scan(&at, &h.Contacts, &h.Lookups)
		h.Start = time.Unix(at*3600, 0).UTC()
		out = append(out, h)
		return err
	})
	return out, err
}
