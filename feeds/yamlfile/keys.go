package yamlfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// KeyOf returns the key of a field, "" for a field that a file cannot set.
func KeyOf(f reflect.StructField) string {
	if !f.IsExported() {
		return ""
	}
	return f.Tag.Get("yaml") // "" for what the program sets itself
}

// IsSection reports whether a type is a mapping of keys and not a single value.
func IsSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
}

// keys returns the fields of a struct that the current section can set.
func (d *Decoder) keys(t reflect.Type) []reflect.StructField {
	id := sectionType{t, d.In}
	if d.fields[id] == nil {
		d.fields[id] = slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
			in := f.Tag.Get("in")
			return KeyOf(f) == "" || in != "" && !slices.Contains(strings.Fields(in), d.In)
		})
	}
	return d.fields[id]
}

// field finds the field of a key.
func (d *Decoder) field(t reflect.Type, key string) (reflect.StructField, bool) {
	list := d.keys(t)
	if i := slices.IndexFunc(list, func(f reflect.StructField) bool { return KeyOf(f) == key }); i >= 0 {
		return list[i], true
	}
	return reflect.StructField{}, false
}

// hint suggests what may have been meant by an unknown key: a key of this section that is spelled alike, else one of another
// section that has just this name.
func (d *Decoder) hint(t reflect.Type, name string) string {
	var names []string
	for _, f := range d.keys(t) {
		names = append(names, KeyOf(f))
	}
	near := Alike(name, names)
	if near == "" {
		near = d.elsewhere(d.root, "", name)
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", near)
}

// elsewhere finds the first key of that name below a section, with its path.
func (d *Decoder) elsewhere(t reflect.Type, key, name string) string {
	for _, f := range d.keys(t) {
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		own := Under(key, KeyOf(f))
		if KeyOf(f) == name && key != "" {
			return own
		}
		if IsSection(inner) {
			if found := d.elsewhere(inner, own, name); found != "" {
				return found
			}
		}
	}
	return ""
}

// Alike returns the word of a list that is spelled nearly like this one, "" if none is.
func Alike(word string, list []string) string {
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
