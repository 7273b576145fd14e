package setting

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"avbeacon/feeds/yamlfile"
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
		if f := v.Type().Field(i); yamlfile.KeyOf(f) != "" {
			p.field(f, yamlfile.Under(key, yamlfile.KeyOf(f)), v.Field(i))
		}
	}
}

// field writes one key with all that is in it.
func (p *printer) field(f reflect.StructField, key string, v reflect.Value) {
	name := yamlfile.KeyOf(f)
	if p.indent == "" && !p.sample {
		p.out.WriteByte('\n')
	}
	if !p.bare {
		p.line("# " + f.Tag.Get("about"))
	}
	switch {
	case yamlfile.IsSection(v.Type()):
		p.line(name + ":")
		p.within(func() { p.section(key, v) })
	case v.Kind() == reflect.Slice && yamlfile.IsSection(v.Type().Elem()):
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
	table, _ := v.Interface().(map[string]string)
	for _, k := range slices.Sorted(maps.Keys(table)) {
		p.line(quote(k) + ": " + quote(table[k]))
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

// quote writes a text in YAML's double quotes, which know the escapes of Go's.
func quote(text string) string { return strconv.Quote(text) }
