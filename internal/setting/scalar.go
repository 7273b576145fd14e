package setting

import (
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
		err = set(v, n, "a time, 2006-01-02 or 2006-01-02T15:04:05Z", ParseTime)
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
	text, err := d.from.Fetch(s.Value)
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

// words returns a text or a number as it is written.
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
