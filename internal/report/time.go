package report

import "time"

// Time is a moment as every output writes it: RFC 3339 in UTC with all nine digits of nanoseconds, so that the
// texts sort as the times do. The zero Time is left out of JSON.
type Time struct{ time.Time }

// at returns the Time of t.
func at(t time.Time) Time { return Time{t.UTC()} }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 32), '"')
	return append(appendTime(b, t.Time), '"'), nil
}

// String returns the same text without quotes.
func (t Time) String() string { return string(appendTime(nil, t.Time)) }

// appendTime appends t. time.AppendFormat has a fast path for whole seconds only, so the fraction is written here.
func appendTime(dst []byte, t time.Time) []byte {
	dst = t.UTC().AppendFormat(dst, time.RFC3339)
	dst[len(dst)-1] = '.' // was Z
	n := t.Nanosecond()
	for unit := 100_000_000; unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(n/unit%10))
	}
	return append(dst, 'Z')
}
