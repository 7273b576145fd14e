package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// scalar puts a single value where v is.
func (d *decoder) scalar(key string, n ast.Node, v reflect.Value) {
	var err error
	switch v.Interface().(type) {
	case time.Time:
		err = set(v, n, "a time, 2006-01-02 or 2006-01-02T15:04:05Z", parseTime)
	case time.Duration:
		err = set(v, n, "a duration, as 30s, 15m, 24h or 90d", ParseDuration)
	case Size:
		err = set(v, n, "a size, as 64MiB, 10GB or a number of bytes", ParseSize)
	case Secret:
		d.secret(key, n, v)
	default:
		err = plain(v, n)
	}
	if err != nil {
		d.fail(key, n, "%v", err)
	}
}

// secret takes the text from where the node says, and remembers where.
func (d *decoder) secret(key string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		d.fail(key, n, "want ${NAME} for an environment variable, or file:PATH")
		return
	}
	if s.Value == "" {
		return
	}
	text, err := d.from.reveal(s.Value)
	if err != nil {
		d.fail(key, n, "%v", err)
		return
	}
	d.references[key] = s.Value
	v.SetString(string(text))
}

// set parses the words of a node.
func set[V any](v reflect.Value, n ast.Node, want string, parse func(string) (V, error)) error {
	word, ok := words(n)
	if !ok {
		return fmt.Errorf("want %s, have %s", want, kind(n))
	}
	x, err := parse(word)
	if err != nil {
		return fmt.Errorf("want %s: %w", want, err)
	}
	v.Set(reflect.ValueOf(x))
	return nil
}

// words gives a node that is a text or a number, as it is written.
func words(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return strings.TrimSpace(s.GetToken().Value), true
	}
	return "", false
}

// plain puts texts, numbers and truth. None is made of another.
func plain(v reflect.Value, n ast.Node) error {
	switch x := n.(type) {
	case *ast.StringNode:
		if v.Kind() == reflect.String {
			v.SetString(x.Value)
			return nil
		}
	case *ast.LiteralNode:
		if v.Kind() == reflect.String {
			v.SetString(x.Value.Value)
			return nil
		}
	case *ast.BoolNode:
		if v.Kind() == reflect.Bool {
			v.SetBool(x.Value)
			return nil
		}
	case *ast.IntegerNode, *ast.FloatNode:
		word, _ := words(n)
		return number(v, word)
	}
	return fmt.Errorf("want %s, have %s", wanted(v), kind(n))
}

func number(v reflect.Value, word string) error {
	switch v.Kind() {
	case reflect.Int:
		i, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return fmt.Errorf("want a whole number up to %d, have %s", math.MaxInt32, word)
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return fmt.Errorf("want a number, have %s", word)
		}
		v.SetFloat(f)
	case reflect.String:
		return fmt.Errorf("want a text, have a number: write %q with its quotes", word)
	default:
		return fmt.Errorf("want %s, have a number", wanted(v))
	}
	return nil
}

// wanted says what a field holds.
func wanted(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

// ParseDuration reads a duration as time.ParseDuration does, and knows days: 90d, 1d12h. It is never negative.
func ParseDuration(word string) (time.Duration, error) {
	var days time.Duration
	rest := word
	if count, after, ok := strings.Cut(word, "d"); ok {
		n, err := strconv.ParseUint(count, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration", word)
		}
		days, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return days, nil
		}
	}
	x, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest[:1], "+-") || days+x < days {
		return 0, fmt.Errorf("%q is no duration", word)
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
		return 0, fmt.Errorf("%q is no size", word)
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

func parseTime(word string) (time.Time, error) {
	if word == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, word); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", word)
}
