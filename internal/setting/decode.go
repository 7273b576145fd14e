package setting

import (
	"fmt"
	"reflect"
	"time"

	"github.com/goccy/go-yaml/ast"

	"avbeacon/feeds/yamlfile"
)

// MaxFile is the largest configuration file, in bytes.
const MaxFile = 1 << 20

// Decode reads a file in YAML over the defaults in into, a pointer to a struct with yaml tags, and checks the result:
// check gets what is between and in the sections to look at. What yamlfile.Decoder rejects, negative numbers and control
// characters are errors. The error has one problem a line, at most 20, each beginning with name:line:column. The map says
// where each secret came from, by key; nil for none.
func Decode(name string, data []byte, into any, from Sources, check func(Check)) (references map[string]string, err error) {
	var d yamlfile.Decoder
	references = map[string]string{}
	d.Custom = func(key string, n ast.Node, v reflect.Value) bool {
		switch to := v.Addr().Interface().(type) {
		case *time.Time:
			scan(&d, key, n, "a time, 2006-01-02 or 2006-01-02T15:04:05Z", to, ParseTime)
		case *time.Duration:
			scan(&d, key, n, "a duration, as 30s, 15m, 24h or 90d", to, ParseDuration)
		case *Size:
			scan(&d, key, n, "a size, as 64MiB, 10GB or a number of bytes", to, ParseSize)
		case *Secret:
			reference, ok := n.(*ast.StringNode)
			if !ok {
				d.Fail(key, n, "expected ${NAME} for an environment variable, or file:PATH")
			} else if reference.Value != "" {
				var err error
				if *to, err = from.Fetch(reference.Value); err != nil {
					d.Fail(key, n, "%v", err)
				}
				references[key] = reference.Value
			}
		default:
			return false
		}
		return true
	}
	if !d.Decode(data, MaxFile, into) && len(d.Problems) > 0 {
		return nil, yamlfile.Report(name, d.Problems, yamlfile.Problem.String)
	}
	for _, p := range checked(reflect.ValueOf(into).Elem(), check) {
		if !d.Reported(p.Key) {
			d.FailKey(p.Key, "%s", p.Text)
		}
	}
	if len(references) == 0 {
		references = nil
	}
	return references, yamlfile.Report(name, d.Problems, yamlfile.Problem.String)
}

// scan reads a single value that is written as a word.
func scan[V any](d *yamlfile.Decoder, key string, n ast.Node, want string, to *V, parse func(string) (V, error)) {
	yamlfile.Scan(d, key, n, want, func(word string) error {
		x, err := parse(word)
		if err != nil {
			return fmt.Errorf("expected %s: %w", want, err)
		}
		*to = x
		return nil
	})
}

// Validate checks a configuration that is in memory as Decode does. The error has one problem a line, each with its key.
func Validate(c any, check func(Check)) error {
	return yamlfile.Report("", checked(reflect.ValueOf(c).Elem(), check), yamlfile.Problem.String)
}

// checked returns what natural and check report, the first problem of each key: others would follow from it.
func checked(v reflect.Value, check func(Check)) (out []yamlfile.Problem) {
	k := NewCheck()
	natural(k, v)
	check(k)
	seen := map[string]bool{}
	for _, p := range k.Problems() {
		if !seen[p.Key] {
			out = append(out, p)
		}
		seen[p.Key] = true
	}
	return out
}
