package store

import (
	"context"
	"encoding/json"
	"time"

	"avbeacon/feeds"
	"avbeacon/internal/policy"
)

// Alert is an alert as the store sees it: id, finding and state. Body is encoded by the package alert.
type Alert struct {
	ID       string
	Finding  string // id
	Rule     string
	Severity policy.Severity
	State    string    // an alert.State; alerts in state "resolved" expire
	Changed  time.Time // packet time of the change
	Sent     time.Time // when it was put into the outbox, or sent in another way; zero: not yet
	Body     json.RawMessage
	Send     bool // put it into the outbox, not only remember it; not read back
	Value    any  // handed on in Outgoing while the alert is in memory; not stored
}

// KeepAlert keeps an alert for the next Flush, replacing one with the same id. One with Send goes into the outbox, but only
// once.
func (s *Store) KeepAlert(a Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepAlert(a)
}

func (s *Store) keepAlert(a Alert) {
	s.waiting.alerts.put(a)
	if a.Send {
		select {
		case s.ripe <- struct{}{}:
		default:
		}
	}
}

// Alerts returns every alert, ordered by Changed.
func (s *Store) Alerts(ctx context.Context) ([]Alert, error) { return s.alerts(ctx, "alert.all") }

// AlertsOf returns a finding's alerts, among them those that wait to be written.
func (s *Store) AlertsOf(ctx context.Context, finding string) ([]Alert, error) {
	s.mu.Lock()
	var waiting []Alert
	for _, b := range []*batch{s.flying, s.waiting} { // first: what is written meanwhile may then be returned twice, but is not missed
		if b != nil {
			waiting = append(waiting, b.alerts.of(finding)...)
		}
	}
	s.mu.Unlock()
	stored, err := s.alerts(ctx, "alert.of", finding)
	return append(stored, waiting...), err
}

func (s *Store) alerts(ctx context.Context, query string, args ...any) ([]Alert, error) {
	var out []Alert
	err := s.each(ctx, query, args, func(row scanner) error {
		var a Alert
		var changed, sent int64
		var body []byte
		err := row.Scan(&a.ID, &a.Finding, &a.Rule, &a.Severity, &a.State, &changed, &sent, &body)
		a.Changed, a.Sent, a.Body = instant(changed), instant(sent), unpack(body)
		out = append(out, a)
		return err
	})
	return out, err
}

// Suppression is a stored suppression rule. Body is encoded by the package alert.
type Suppression struct {
	ID    string
	Made  time.Time
	Until time.Time // zero: no expiry
	Body  json.RawMessage
}

// PutSuppression writes a suppression at once.
func (s *Store) PutSuppression(ctx context.Context, x Suppression) error {
	return s.now(ctx, "suppression.put", x.ID, nanos(x.Made), nanos(x.Until), string(x.Body))
}

// DropSuppression removes a suppression at once; a missing one is not an error.
func (s *Store) DropSuppression(ctx context.Context, id string) error {
	return s.now(ctx, "suppression.drop", id)
}

func (s *Store) now(ctx context.Context, query string, args ...any) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.begin(ctx, func(t *tx) error { return t.do(query, args...) })
}

// Suppressions returns every suppression, oldest first, expired ones included.
func (s *Store) Suppressions(ctx context.Context) ([]Suppression, error) {
	var out []Suppression
	err := s.each(ctx, "suppression.all", nil, func(row scanner) error {
		var x Suppression
		var made, until int64
		var body string
		err := row.Scan(&x.ID, &made, &until, &body)
		x.Made, x.Until, x.Body = instant(made), instant(until), json.RawMessage(body)
		out = append(out, x)
		return err
	})
	return out, err
}

// Coverage is how much of one hour a tap saw.
type Coverage struct {
	Seen           time.Duration // time in which the tap was read, to the second
	Packets, Bytes uint64
	KernelDrops    uint64
	OwnDrops       uint64
}

func (c Coverage) plus(d Coverage) Coverage {
	return Coverage{Seen: c.Seen + d.Seen, Packets: c.Packets + d.Packets, Bytes: c.Bytes + d.Bytes,
		KernelDrops: c.KernelDrops + d.KernelDrops, OwnDrops: c.OwnDrops + d.OwnDrops}
}

// AddCoverage adds to the hour that contains a time.
func (s *Store) AddCoverage(at time.Time, c Coverage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hour := hourOf(at)
	s.waiting.coverage[hour] = s.waiting.coverage[hour].plus(c)
}

// CoverageHour is the coverage of the hour that began at Start.
type CoverageHour struct {
	Start time.Time
	Coverage
}

// CoverageHours returns the coverage since a time, in order.
func (s *Store) CoverageHours(ctx context.Context, from time.Time) ([]CoverageHour, error) {
	var out []CoverageHour
	err := s.each(ctx, "coverage.all", []any{s.sensor, hourOf(from)}, func(row scanner) error {
		var c CoverageHour
		var at, seconds int64
		err := row.Scan(&at, &seconds, &c.Packets, &c.Bytes, &c.KernelDrops, &c.OwnDrops)
		c.Start, c.Seen = time.Unix(at*3600, 0).UTC(), time.Duration(seconds)*time.Second
		out = append(out, c)
		return err
	})
	return out, err
}

// UseCatalog records at once which catalogue is used from now on.
func (s *Store) UseCatalog(ctx context.Context, c *feeds.Catalog, now time.Time) error {
	return s.now(ctx, "catalog.put", c.SHA256(), c.Date(), c.Len(), nanos(now), nanos(now))
}

// CatalogUse is a catalogue that was used, and when.
type CatalogUse struct {
	SHA256, Date    string
	Entries         int
	FirstUsed, Last time.Time
}

// Catalogs returns the catalogues that were used, in order.
func (s *Store) Catalogs(ctx context.Context) ([]CatalogUse, error) {
	var out []CatalogUse
	err := s.each(ctx, "catalog.all", nil, func(row scanner) error {
		var c CatalogUse
		var first, last int64
		err := row.Scan(&c.SHA256, &c.Date, &c.Entries, &first, &last)
		c.FirstUsed, c.Last = instant(first), instant(last)
		out = append(out, c)
		return err
	})
	return out, err
}

// HostName is a name or an address that a host had, and from when to when.
type HostName struct {
	Kind        string // name, address
	Value       string
	First, Last time.Time
}

// HostNames returns the names and addresses of a host by the classifier's key.
func (s *Store) HostNames(ctx context.Context, host string) ([]HostName, error) {
	var out []HostName
	err := s.each(ctx, "host.names", []any{s.sensor, host}, func(row scanner) error {
		var n HostName
		var first, last int64
		err := row.Scan(&n.Kind, &n.Value, &first, &last)
		n.First, n.Last = instant(first), instant(last)
		out = append(out, n)
		return err
	})
	return out, err
}
