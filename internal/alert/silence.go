package alert

import (
	"fmt"
	"slices"
	"time"

	"avbeacon/classify"
)

// Suppress puts a list of suppressions in the place of those before: those of the configuration and those of the store. What
// one that is gone kept back is told with the next Tick, or when its finding is judged next.
func (b *Book) Suppress(list []*Suppression) error {
	if len(list) > MaxSuppressions {
		return fmt.Errorf("there are %d suppressions; at most %d are possible", len(list), MaxSuppressions)
	}
	byID := make(map[string]*Suppression, len(list))
	for _, s := range list {
		if byID[s.ID] != nil {
			return fmt.Errorf("the id %q stands twice; give each suppression its own", s.ID)
		}
		byID[s.ID] = s
	}
	b.suppressions, b.byID = slices.Clone(list), byID
	b.deep = slices.DeleteFunc(slices.Clone(list), func(s *Suppression) bool { return !s.deep() })
	for r := b.order.first; r != nil; r = r.next {
		if o := r.owed; o != nil && o.silence == Silenced {
			o.until = b.expiry(o.by)
			b.schedule(r)
		}
	}
	return nil
}

// expiry is when a suppression ends; one that is not there ended.
func (b *Book) expiry(id string) time.Time {
	if s := b.byID[id]; s != nil {
		return s.Expires
	}
	return b.now
}

// Suppressed says whether a suppression fits a finding at a time, and which. It is for reports: they count what is not told.
func (b *Book) Suppressed(f *classify.Finding, now time.Time) (rule string, ok bool) {
	for _, s := range b.suppressions {
		if s.Live(now) && s.Fits(f) {
			return s.ID, true
		}
	}
	return "", false
}

// suppression gives the first that fits at a time; nil where none does.
func (b *Book) suppression(r *record, t time.Time) *Suppression {
	for _, s := range b.suppressions {
		if b.silences(s, r, t) {
			return s
		}
	}
	return nil
}

func (b *Book) silences(s *Suppression, r *record, t time.Time) bool {
	return s.Live(t) && s.who(&r.last.Host, r.last.Vendor.Key) && (!s.deep() || slices.Contains(r.fits, s.ID))
}

// fit notes which suppressions' roles and names fit the finding.
func (b *Book) fit(r *record, f *classify.Finding) {
	if r.state == "" {
		r.last.Vendor.Key = f.Vendor.Key
	}
	r.fits = r.fits[:0]
	for _, s := range b.deep {
		if s.who(&r.last.Host, f.Vendor.Key) && s.what(f) {
			r.fits = append(r.fits, s.ID)
		}
	}
}
