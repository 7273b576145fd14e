package yamlfile

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// maxItems bounds one list or mapping.
const maxItems = 100_000

// Decoder fills structs from YAML. It continues after an error, and knows the position of every value.
//
// The tag yaml of a field is its key; embedded structs add theirs. A field with the tag in belongs only to the sections that the tag
// lists; in all others its key is unknown. An unknown key, a repeated one, a value of the wrong kind, an anchor, an alias, a
// tag or a merge is a problem. An encoding.TextUnmarshaler gets the word as it is written; an ast.Node is kept as it is.
type Decoder struct {
	Problems []Problem
	In       string // the current section, for the tag in
	Numbers  bool   // a number is taken as the text that it is written as, where a text is wanted
	// Custom decodes types of the caller's own and reports whether it did; nil for none.
	Custom func(key string, n ast.Node, v reflect.Value) bool
	// Text checks or changes every text; nil for none.
	Text func(string) (string, error)

	root   reflect.Type
	places map[string]ast.Node // of keys' values
	fields map[sectionType][]reflect.StructField
}

// sectionType is a struct as one section sees it.
type sectionType struct {
	t  reflect.Type
	in string
}

// Decode reads a file of at most so many bytes over what into points to. It returns false where there is nothing to read: the
// file holds nothing but comments, or it is not YAML, which is a problem.
func (d *Decoder) Decode(data []byte, most int, into any) bool {
	body, wrong := parse(data, most)
	if wrong != nil {
		d.Problems = append(d.Problems, *wrong)
	}
	v := reflect.ValueOf(into).Elem()
	d.root, d.places, d.fields = v.Type(), map[string]ast.Node{}, map[sectionType][]reflect.StructField{}
	if body == nil {
		return false
	}
	d.Value("", body, v)
	return true
}

// Fail notes a problem at a node.
func (d *Decoder) Fail(key string, n ast.Node, format string, args ...any) {
	line, column := Position(n)
	d.Problems = append(d.Problems, Problem{Key: key, Line: line, Column: column, Text: fmt.Sprintf(format, args...)})
}

// failOf notes a problem of the key itself.
func (d *Decoder) failOf(key string, at ast.Node, format string, args ...any) {
	d.Fail(key, at, format, args...)
	d.Problems[len(d.Problems)-1].ofKey = true
}

// FailKey notes a problem at the position of a key's value, or of the nearest key that it is in.
func (d *Decoder) FailKey(key, format string, args ...any) {
	at := key
	for at != "" && d.places[at] == nil {
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	d.Fail(key, d.places[at], format, args...)
}

// Position returns the line and column of a key's value; ok says whether the file has the key.
func (d *Decoder) Position(key string) (line, column int, ok bool) {
	n, ok := d.places[key]
	line, column = Position(n)
	return line, column, ok
}

// Reported reports whether there is a problem with the key, or with a key that it is in.
func (d *Decoder) Reported(key string) bool {
	return slices.ContainsFunc(d.Problems, func(p Problem) bool {
		rest, ok := strings.CutPrefix(key, p.Key)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// Under joins a key and one below it.
func Under(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// Value puts a node where v is, which must be addressable.
func (d *Decoder) Value(key string, n ast.Node, v reflect.Value) {
	d.places[key] = n
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.Fail(key, n, "anchors, aliases, tags and merges are not allowed")
		return
	}
	if d.Custom != nil && d.Custom(key, n, v) {
		return
	}
	if to, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		Scan(d, key, n, "a text", func(word string) error { return to.UnmarshalText([]byte(word)) })
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(key, n, v)
	case reflect.Slice:
		d.list(key, n, v)
	case reflect.Map:
		d.table(key, n, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.Value(key, n, v.Elem())
	case reflect.Interface: // ast.Node
		v.Set(reflect.ValueOf(n))
	default:
		if err := d.plain(n, v); err != nil {
			d.Fail(key, n, "%v", err)
		}
	}
}

// Scan passes the word of a node, as it is written, to read.
func Scan(d *Decoder, key string, n ast.Node, want string, read func(word string) error) {
	word, ok := Word(n)
	if !ok {
		d.Fail(key, n, "expected %s, got %s", want, kind(n))
	} else if err := read(word); err != nil {
		d.Fail(key, n, "%v", err)
	}
}

// Word returns a text or a number as it is written.
func Word(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return strings.TrimSpace(s.GetToken().Value), true
	}
	return "", false
}

// section puts a mapping into a struct. A struct may name what replaces keys that former versions had.
func (d *Decoder) section(key string, n ast.Node, v reflect.Value) {
	for _, p := range d.pairs(key, n) {
		field, ok := d.field(v.Type(), p.name)
		if ok {
			d.Value(Under(key, p.name), p.value, v.FieldByIndex(field.Index))
			continue
		}
		text := "unknown key" + d.hint(v.Type(), p.name)
		if old, has := v.Addr().Interface().(interface{ Retired(key string) string }); has && old.Retired(p.name) != "" {
			text = "was removed: " + old.Retired(p.name)
		}
		d.failOf(Under(key, p.name), p.at, "%s", text)
	}
}

// pair is a key of a mapping, once, with its value.
type pair struct {
	name      string
	at, value ast.Node
}

// pairs returns what a mapping holds; none for an empty one.
func (d *Decoder) pairs(key string, n ast.Node) (out []pair) {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode:
	default:
		d.Fail(key, n, "expected keys with values, got %s", kind(n))
	}
	if len(values) > maxItems {
		d.Fail(key, n, "there are more than %d keys", maxItems)
		return nil
	}
	lines := map[string]int{}
	for _, mv := range values {
		name, ok := mv.Key.(*ast.StringNode)
		if !ok {
			d.Fail(key, mv.Key, "a key is a plain word")
			continue
		}
		if line, twice := lines[name.Value]; twice {
			d.failOf(Under(key, name.Value), mv.Key, "the key is there twice, first in line %d", line)
			continue
		}
		lines[name.Value], _ = Position(mv.Key)
		out = append(out, pair{name.Value, mv.Key, mv.Value})
	}
	return out
}

// Items returns the elements of a list; none for an empty one.
func (d *Decoder) Items(key string, n ast.Node) []ast.Node {
	switch s := n.(type) {
	case nil, *ast.NullNode:
	case *ast.SequenceNode:
		if len(s.Values) <= maxItems {
			return s.Values
		}
		d.Fail(key, n, "the list holds more than %d", maxItems)
	default:
		d.Fail(key, n, "expected a list, got %s", kind(n))
	}
	return nil
}

// list puts a sequence into a slice, which is replaced, unless there is no value at all.
func (d *Decoder) list(key string, n ast.Node, v reflect.Value) {
	items := d.Items(key, n)
	if len(items) == 0 {
		if _, empty := n.(*ast.SequenceNode); empty {
			v.SetZero()
		}
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, e := range items {
		d.Value(fmt.Sprintf("%s[%d]", key, i), e, out.Index(i))
	}
	v.Set(out)
}

// table puts a mapping into a map.
func (d *Decoder) table(key string, n ast.Node, v reflect.Value) {
	pairs := d.pairs(key, n)
	if len(pairs) == 0 {
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, p := range pairs {
		e := reflect.New(v.Type().Elem()).Elem()
		d.Value(Under(key, p.name), p.value, e)
		out.SetMapIndex(reflect.ValueOf(p.name), e)
	}
	v.Set(out)
}

// plain puts texts, numbers, true and false. It converts none of them into another.
func (d *Decoder) plain(n ast.Node, v reflect.Value) error {
	text, ok := "", false
	switch x := n.(type) {
	case *ast.StringNode:
		text, ok = x.Value, true
	case *ast.LiteralNode:
		text, ok = x.Value.Value, true
	case *ast.BoolNode:
		if v.Kind() == reflect.Bool {
			v.SetBool(x.Value)
			return nil
		}
	case *ast.IntegerNode, *ast.FloatNode:
		word, _ := Word(n)
		if v.Kind() != reflect.String {
			return number(v, word)
		}
		if text, ok = word, d.Numbers; !ok {
			return fmt.Errorf("expected a text, got a number: write %q with its quotes", word)
		}
	}
	if !ok || v.Kind() != reflect.String {
		return fmt.Errorf("expected %s, got %s", wanted(v), kind(n))
	}
	if d.Text != nil {
		var err error
		if text, err = d.Text(text); err != nil {
			return err
		}
	}
	v.SetString(text)
	return nil
}

func number(v reflect.Value, word string) error {
	switch v.Kind() {
	case reflect.Int:
		i, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return fmt.Errorf("expected a whole number up to %d, got %s", math.MaxInt32, word)
		}
		v.SetInt(i)
	case reflect.Uint32:
		i, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return fmt.Errorf("expected a whole number from 0 to %d, got %s", uint32(math.MaxUint32), word)
		}
		v.SetUint(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return fmt.Errorf("expected a number, got %s", word)
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("expected %s, got a number", wanted(v))
	}
	return nil
}

// wanted says what a field holds.
func wanted(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Uint32:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

// kind says what a node is, for people.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	}
	return "something else"
}
