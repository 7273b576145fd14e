// Package setting holds what the sections of the configuration are made of: sizes, durations and secrets as a person
// writes them, and Check, with which the owner of a section reports what is wrong, by key. The sections themselves belong to
// the packages that act on them (alert.Config, siem.Sink, logs.Config); package config composes them.
package setting

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes; in the file with a unit: 64MiB, 10GB.
type Size int64

// ParseDuration reads a duration as time.ParseDuration does, and knows days: 90d, 1d12h. It is never negative.
func ParseDuration(word string) (time.Duration, error) {
	var days time.Duration
	rest := word
	if count, after, ok := strings.Cut(word, "d"); ok {
		n, err := strconv.ParseUint(count, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", word)
		}
		days, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return days, nil
		}
	}
	x, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest[:1], "+-") || days+x < days {
		return 0, fmt.Errorf("%q is not a duration", word)
	}
	return days + x, nil
}

// FormatDuration writes what ParseDuration reads, in the largest unit that does.
func FormatDuration(x time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case x == 0:
		return "0s"
	case x%day == 0 && x >= 2*day:
		return fmt.Sprintf("%dd", x/day)
	case x%time.Hour == 0:
		return fmt.Sprintf("%dh", x/time.Hour)
	case x%time.Minute == 0:
		return fmt.Sprintf("%dm", x/time.Minute)
	}
	return x.String()
}

// unit is what a size is counted in.
type unit struct {
	name  string
	bytes int64
}

// units in the order in which a size is written in them; the longer name first where one ends with another.
func units() []unit {
	return []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1}}
}

// ParseSize reads a number of bytes, with or without a unit: 64MiB, 10GB, 4096. It is never negative.
func ParseSize(word string) (Size, error) {
	count, factor := word, int64(1)
	for _, u := range units() {
		if before, ok := strings.CutSuffix(word, u.name); ok {
			count, factor = strings.TrimSuffix(before, " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(count, 10, 63)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && int64(n) > math.MaxInt64/factor:
		return 0, fmt.Errorf("%q is too large", word)
	case err != nil:
		return 0, fmt.Errorf("%q is not a size", word)
	}
	return Size(int64(n) * factor), nil
}

// String writes what ParseSize reads, in the largest unit that does.
func (s Size) String() string {
	for _, u := range units() {
		if s != 0 && int64(s)%u.bytes == 0 && u.bytes > 1 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// ParseTime reads a day, 2006-01-02, or a time in RFC 3339; "" is the zero time.
func ParseTime(word string) (time.Time, error) {
	if word == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, word); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", word)
}
