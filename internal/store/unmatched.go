package store

import (
	"context"
	"net/netip"
	"time"
)

// Unmatched is a name or a contact of one host that matched nothing in the catalogue of its day.
type Unmatched struct {
	Host  netip.Addr
	Day   int64 // DayOf
	Kind  string
	Value string
}

// sighting says how often something was seen, and when.
type sighting struct {
	seen        int64
	first, last time.Time
}

func (a sighting) plus(b sighting) sighting {
	if b.seen == 0 {
		return a
	}
	if a.seen == 0 {
		return b
	}
	out := sighting{seen: a.seen + b.seen, first: a.first, last: a.last}
	if b.first.Before(out.first) {
		out.first = b.first
	}
	if b.last.After(out.last) {
		out.last = b.last
	}
	return out
}

// DayOf numbers the days (UTC) since 1970.
func DayOf(t time.Time) int64 { return floor(t.Unix(), 86400) }

// KeepUnmatched counts one sighting for the next Flush.
func (s *Store) KeepUnmatched(u Unmatched, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.waiting
	b.unmatched[u] = b.unmatched[u].plus(sighting{seen: 1, first: at, last: at})
}

// EachUnmatched calls do for each distinct kind and value.
func (s *Store) EachUnmatched(ctx context.Context, do func(kind, value string)) error {
	return s.each(ctx, "unmatched.values", []any{s.sensor}, func(row scanner) error {
		var kind, value string
		if err := row.Scan(&kind, &value); err != nil {
			return err
		}
		do(kind, value)
		return nil
	})
}

// Sighting is how often one host used a value on one day.
type Sighting struct {
	Host        string
	Day         time.Time
	Kind, Value string
	Seen        int64
	First, Last time.Time
}

// Sightings returns the sightings of a value.
func (s *Store) Sightings(ctx context.Context, kind, value string) ([]Sighting, error) {
	var out []Sighting
	err := s.each(ctx, "unmatched.of", []any{s.sensor, kind, value}, func(row scanner) error {
		var x Sighting
		var day, first, last int64
		err := row.Scan(&x.Host, &day, &x.Kind, &x.Value, &x.Seen, &first, &last)
		x.Day, x.First, x.Last = time.Unix(day*86400, 0).UTC(), instant(first), instant(last)
		out = append(out, x)
		return err
	})
	return out, err
}
