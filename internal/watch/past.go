package watch

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"avbeacon/feeds"
	"avbeacon/internal/store"
)

// Past is something that matched nothing when it was seen, and matches today's catalogue. Its Value has identifiers of persons
// hidden, by the rule of the entry that it matches.
type Past struct {
	store.Sighting
	Entries []*feeds.Entry // that match; those of vendors only
}

// PastOf applies a catalogue to what matched nothing when it was seen.
func PastOf(ctx context.Context, db *store.Store, c *feeds.Catalog) ([]Past, error) {
	type candidate struct {
		kind, value string
		entries     []*feeds.Entry
	}
	var match []candidate
	err := db.EachUnmatched(ctx, func(kind, value string) {
		if es := matches(c, kind, value); len(es) > 0 {
			match = append(match, candidate{kind, value, es})
		}
	})
	if err != nil {
		return nil, err
	}
	hide := func(id string) string { // as the classifier hides it
		h := hmac.New(sha256.New, db.IDKey())
		h.Write([]byte(id))
		return "~" + hex.EncodeToString(h.Sum(nil)[:6])
	}
	var out []Past
	for _, x := range match {
		list, err := db.Sightings(ctx, x.kind, x.value)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			one.Value = x.entries[0].Hide(one.Value, hide)
			out = append(out, Past{one, x.entries})
		}
	}
	slices.SortStableFunc(out, func(a, b Past) int { return cmp.Or(a.Day.Compare(b.Day), strings.Compare(a.Host, b.Host)) })
	return out, nil
}

func matches(c *feeds.Catalog, kind, value string) []*feeds.Entry {
	var all []*feeds.Entry
	if kind == kindName {
		all = c.MatchName(value)
	} else if _, to, ok := strings.Cut(value, " "); ok {
		if at, err := netip.ParseAddrPort(to); err == nil {
			all = c.MatchAddr(at.Addr())
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(e *feeds.Entry) bool { return e.Vendor == nil })
}

// String is a sentence for a report.
func (p *Past) String() string {
	e := p.Entries[0]
	return p.Host + " used " + p.Value + " on " + p.Day.Format(time.DateOnly) + " (" + strconv.FormatInt(p.Seen, 10) + " times), before the catalogue had it: " +
		e.Vendor.Name + ", " + e.Pattern + "; it is in no finding."
}
