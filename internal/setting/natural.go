package setting

import (
	"reflect"
	"strings"
	"unicode"

	"avbeacon/feeds/yamlfile"
)

// natural checks what holds for all values: no number is negative, no text has control characters, and no entry of a list
// is empty or listed twice. A field with the tag lines holds a text of several lines.
func natural(k Check, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if !yamlfile.IsSection(v.Type()) {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if name := yamlfile.KeyOf(f); name != "" && f.Tag.Get("lines") == "" {
				natural(k.At(name), v.Field(i))
			}
		}
	case reflect.Slice:
		seen := map[string]bool{}
		for i := range v.Len() {
			natural(k.Index(i), v.Index(i))
			if v.Index(i).Kind() != reflect.String {
				continue
			}
			text := v.Index(i).String()
			switch {
			case text == "":
				k.Index(i).Fail("is empty")
			case seen[text]:
				k.Index(i).Fail("%q is listed twice", text)
			}
			seen[text] = true
		}
	case reflect.Int, reflect.Int64:
		if v.Int() < 0 {
			k.Fail("must not be negative")
		}
	case reflect.String:
		if strings.ContainsFunc(v.String(), unicode.IsControl) {
			k.Fail("contains control characters")
		}
	}
}
