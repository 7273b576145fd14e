package setting

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Print writes the struct that c points to as YAML, every key below a comment that explains it (the field's tag about).
// references are where secrets came from, as Decode returns them.
func Print(w io.Writer, title string, c any, references map[string]string) error {
	p := printer{references: references}
	p.line("# " + title)
	p.section("", reflect.ValueOf(c).Elem())
	_, err := io.WriteString(w, p.out.String())
	return err
}

// printer writes YAML.
type printer struct {
	out        strings.Builder
	references map[string]string
	indent     string
	sample     bool // what is written is an example: all of it a comment
	bare       bool // without explanations: the first element of the list has them
}

func (p *printer) line(text string) {
	if p.sample {
		p.out.WriteString("# ")
	}
	p.out.WriteString(p.indent)
	p.out.WriteString(text)
	p.out.WriteByte('\n')
}

func (p *printer) section(key string, v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); keyOf(f) != "" {
			p.field(f, Under(key, keyOf(f)), v.Field(i))
		}
	}
}

// field writes one key with all that is in it.
func (p *printer) field(f reflect.StructField, key string, v reflect.Value) {
	name := keyOf(f)
	if p.indent == "" && !p.sample {
		p.out.WriteByte('\n')
	}
	if !p.bare {
		p.line("# " + f.Tag.Get("about"))
	}
	switch {
	case isSection(v.Type()):
		p.line(name + ":")
		p.within(func() { p.section(key, v) })
	case v.Kind() == reflect.Slice && isSection(v.Type().Elem()):
		p.sections(name, key, v)
	case v.Kind() == reflect.Map && v.Len() > 0:
		p.line(name + ":")
		p.within(func() { p.table(v) })
	default:
		p.line(name + ": " + p.value(key, v))
	}
}

func (p *printer) within(write func()) {
	p.indent += "  "
	write()
	p.indent = p.indent[2:]
}

// isSection reports whether a field is a mapping of keys and not a single value.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
}

// sections writes a list of mappings; an empty list is followed by a commented one that shows the keys.
func (p *printer) sections(name, key string, v reflect.Value) {
	if v.Len() == 0 {
		p.line(name + ": []")
		was := p.sample
		p.sample = true
		p.element(key+"[0]", reflect.Zero(v.Type().Elem()))
		p.sample = was
		return
	}
	p.line(name + ":")
	was := p.bare
	for i := range v.Len() {
		p.element(fmt.Sprintf("%s[%d]", key, i), v.Index(i))
		p.bare = true
	}
	p.bare = was
}

// element writes one mapping of a list: a dash on a line of its own, so that every key can have a comment above it.
func (p *printer) element(key string, v reflect.Value) {
	p.within(func() {
		p.line("-")
		p.within(func() { p.section(key, v) })
	})
}

func (p *printer) table(v reflect.Value) {
	keys := v.MapKeys()
	sortTexts(keys)
	for _, k := range keys {
		p.line(quote(k.String()) + ": " + quote(v.MapIndex(k).String()))
	}
}

// value writes a single value, or a list of them in one line.
func (p *printer) value(key string, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Secret:
		return quote(p.references[key])
	case Size:
		return x.String()
	case time.Duration:
		return FormatDuration(x)
	case time.Time:
		if x.IsZero() {
			return `""`
		}
		return quote(x.UTC().Format(time.RFC3339Nano))
	}
	switch v.Kind() {
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, quote(v.Index(i).String()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		return "{}"
	case reflect.String:
		return quote(v.String())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

func sortTexts(list []reflect.Value) {
	slices.SortFunc(list, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}

// quote writes a text in YAML's double quotes.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
