package config

import (
	_ "embed"
	"fmt"
	"reflect"
	"strings"
)

// keysText says what every key is: a line a key, "sinks.syslog.address  sentence". Keys of a list's elements stand under the list.
//
//go:embed keys.txt
var keysText string

// sentences gives what every key is, by key.
func sentences() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(keysText) {
		if key, sentence, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			out[key] = strings.TrimSpace(sentence)
		}
	}
	return out
}

// keyOf gives the key of a field, "" for one that is not in the file.
func keyOf(f reflect.StructField) string {
	if !f.IsExported() {
		return ""
	}
	return f.Tag.Get("yaml")
}

// fieldOf finds the field of a key.
func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); key != "" && keyOf(f) == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// hint suggests what may have been meant by an unknown key: a key of this section that is written alike, else one of
// another section that has just this name.
func hint(t reflect.Type, name string) string {
	var names []string
	for i := range t.NumField() {
		names = append(names, keyOf(t.Field(i)))
	}
	if n := alike(name, names); n != "" {
		return fmt.Sprintf("; is %s meant?", n)
	}
	for line := range strings.Lines(keysText) {
		key, _, _ := strings.Cut(line, " ")
		if strings.HasSuffix(key, "."+name) && !strings.HasPrefix(line, "#") {
			return fmt.Sprintf("; is %s meant?", key)
		}
	}
	return ""
}

// alike gives the word of a list that is written nearly as this one, "" for none.
func alike(word string, list []string) string {
	best, most := "", 1+len(word)/4
	word = strings.ToLower(strings.ReplaceAll(word, "_", "-"))
	for _, w := range list {
		if n := distance(word, w); w != "" && n <= most {
			best, most = w, n-1
		}
	}
	return best
}

// distance counts the letters that have to be put in, taken out, changed or swapped with their neighbour (optimal string
// alignment). Words longer than any key are far from all.
func distance(a, b string) int {
	const longest = 40
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var rows [longest + 1][longest + 1]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + rows[i-1][j-1]
			}
			rows[i][j] = min(rows[i][j], 1+rows[i-1][j], 1+rows[i][j-1])
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
			}
		}
	}
	return rows[len(a)][len(b)]
}
