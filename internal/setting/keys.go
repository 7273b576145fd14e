package setting

import (
	"fmt"
	"reflect"
)

// keyOf returns the key of a field, "" for a field that the file cannot set.
func keyOf(f reflect.StructField) string {
	if !f.IsExported() {
		return ""
	}
	return f.Tag.Get("yaml") // "" for what the program sets itself
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

// hint suggests what may have been meant by an unknown key: a key of this section that is spelled alike, else one of
// another section that has just this name.
func hint(root, t reflect.Type, name string) string {
	var names []string
	for i := range t.NumField() {
		names = append(names, keyOf(t.Field(i)))
	}
	near := Alike(name, names)
	if near == "" {
		near = elsewhere(root, "", name)
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", near)
}

// elsewhere finds the first key of that name below a section, with its path.
func elsewhere(t reflect.Type, key, name string) string {
	for i := range t.NumField() {
		f := t.Field(i)
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		own := Under(key, keyOf(f))
		switch {
		case keyOf(f) == "":
		case keyOf(f) == name && key != "":
			return own
		case isSection(inner):
			if found := elsewhere(inner, own, name); found != "" {
				return found
			}
		}
	}
	return ""
}
