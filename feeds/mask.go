package feeds

import "strings"

// The masks that are no expressions.
const (
	MaskLabel = "label" // the first label of a name; if a suffix matched, everything before it
	MaskValue = "value" // all of the value
)

// Hide puts hide(id) in the place of each identifier that the entry's mask finds in value, and value unchanged where it
// finds none. For a header the value is the field's, for all else it is what Pattern was matched against.
// hide must not return its argument.
func (e *Entry) Hide(value string, hide func(id string) string) string {
	switch {
	case e.Mask == "" || value == "":
		return value
	case e.Mask == MaskValue:
		return hide(value)
	case e.Mask == MaskLabel:
		return e.hideLabel(value, hide)
	case e.mask == nil:
		return value
	}
	var b strings.Builder
	last := 0
	for _, m := range e.mask.regexp().FindAllStringSubmatchIndex(value, -1) {
		if m[2] < 0 || m[2] == m[3] {
			continue
		}
		b.WriteString(value[last:m[2]])
		b.WriteString(hide(value[m[2]:m[3]]))
		last = m[3]
	}
	return b.String() + value[last:]
}

func (e *Entry) hideLabel(name string, hide func(id string) string) string {
	if e.Match == Suffix {
		if own, ok := strings.CutSuffix(name, "."+e.Pattern); ok && own != "" {
			return hide(own) + "." + e.Pattern
		}
		return name
	}
	label, rest, more := strings.Cut(name, ".")
	if !more {
		return name
	}
	return hide(label) + "." + rest
}
