package setting

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"avbeacon/internal/yamlfile"
)

// Decode reads a file in YAML over the defaults in into, a pointer to a struct with yaml tags, and checks the result:
// check gets what is between and in the sections to look at. An unknown key, one that is there twice, a value of the wrong
// kind, an anchor, alias, tag or merge, negative numbers and control characters are errors. The error has one problem a
// line, at most 20, each beginning with name:line:column. The map says where each secret came from, by key; nil for none.
func Decode(name string, data []byte, into any, from Sources, check func(Check)) (references map[string]string, err error) {
	if why := yamlfile.Unfit(data, MaxFile); why != "" {
		return nil, report(name, []problem{{text: why}})
	}
	body, wrong := tree(data)
	if wrong != nil {
		return nil, report(name, []problem{*wrong})
	}
	v := reflect.ValueOf(into).Elem()
	d := decoder{root: v.Type(), from: from, places: map[string]place{}, references: map[string]string{}}
	if body != nil {
		d.value("", body, v)
	}
	problems := d.problems
	for _, p := range checked(v, check) {
		if !d.reported(p.key) {
			p.place = d.near(p.key)
			problems = append(problems, p)
		}
	}
	if len(d.references) > 0 {
		references = d.references
	}
	return references, report(name, problems)
}

// Validate checks a configuration that is in memory as Decode does. The error has one problem a line, each with its key.
func Validate(c any, check func(Check)) error {
	return report("", checked(reflect.ValueOf(c).Elem(), check))
}

// checked returns what natural and check report, the first problem of each key: others would follow from it.
func checked(v reflect.Value, check func(Check)) (out []problem) {
	k := NewCheck()
	natural(k, v)
	check(k)
	seen := map[string]bool{}
	for _, p := range k.Problems() {
		if !seen[p.Key] {
			out = append(out, problem{key: p.Key, text: p.Text})
		}
		seen[p.Key] = true
	}
	return out
}

// decoder fills a struct from a YAML tree. It continues after an error, and knows the position of every value.
type decoder struct {
	root       reflect.Type
	from       Sources
	places     map[string]place  // of keys' values
	references map[string]string // of secrets, by key
	problems   []problem
}

func (d *decoder) fail(key string, n ast.Node, format string, args ...any) {
	d.problems = append(d.problems, problem{key: key, text: fmt.Sprintf(format, args...), place: placeOf(yamlfile.First(n))})
}

// reported reports whether there is a problem with the key, or with a key that it is in.
func (d *decoder) reported(key string) bool {
	for _, p := range d.problems {
		rest, ok := strings.CutPrefix(key, p.key)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// near returns the place of a key, or of the nearest key that it is in.
func (d *decoder) near(key string) place {
	for key != "" {
		if p, ok := d.places[key]; ok {
			return p
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return d.places[""]
}

// value puts a node where v is.
func (d *decoder) value(key string, n ast.Node, v reflect.Value) {
	d.places[key] = placeOf(yamlfile.First(n))
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.fail(key, n, "anchors, aliases, tags and merges are not part of a configuration")
		return
	}
	switch v.Interface().(type) {
	case time.Time, time.Duration, Size, Secret:
		d.scalar(key, n, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(key, n, v)
	case reflect.Slice:
		d.list(key, n, v)
	case reflect.Map:
		d.table(key, n, v)
	default:
		d.scalar(key, n, v)
	}
}

// section puts a mapping into a struct.
func (d *decoder) section(key string, n ast.Node, v reflect.Value) {
	for _, p := range d.pairs(key, n) {
		field, ok := fieldOf(v.Type(), p.name)
		if old, has := v.Addr().Interface().(interface{ Retired(key string) string }); has && !ok && old.Retired(p.name) != "" {
			d.fail(Under(key, p.name), p.at, "is gone: %s", old.Retired(p.name))
			continue
		}
		if !ok {
			d.fail(Under(key, p.name), p.at, "unknown key%s", hint(d.root, v.Type(), p.name))
			continue
		}
		d.value(Under(key, p.name), p.value, v.FieldByIndex(field.Index))
	}
}

// pair is a key of a mapping, once, with its value.
type pair struct {
	name      string
	at, value ast.Node
}

// pairs returns what a mapping holds; none for an empty one.
func (d *decoder) pairs(key string, n ast.Node) []pair {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode:
	default:
		d.fail(key, n, "want keys with values, have %s", kind(n))
	}
	if len(values) > maxItems {
		d.fail(key, n, "there are more than %d keys", maxItems)
		return nil
	}
	var out []pair
	lines := map[string]int{}
	for _, mv := range values {
		name, ok := nameOf(mv.Key)
		switch line, twice := lines[name]; {
		case !ok:
			d.fail(key, mv.Key, "a key is a plain word")
		case twice:
			d.fail(Under(key, name), mv.Key, "the key is there twice, first in line %d", line)
		default:
			lines[name] = placeOf(mv.Key).line
			out = append(out, pair{name, mv.Key, mv.Value})
		}
	}
	return out
}

// nameOf returns the text of a key; false for a number, a merge or anything else.
func nameOf(k ast.MapKeyNode) (string, bool) {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value, true
	}
	return "", false
}

// list puts a sequence into a slice, which is replaced.
func (d *decoder) list(key string, n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if _, empty := n.(*ast.NullNode); empty {
		return
	}
	switch {
	case !ok:
		d.fail(key, n, "want a list, have %s", kind(n))
		return
	case len(s.Values) > maxItems:
		d.fail(key, n, "the list holds more than %d", maxItems)
		return
	case len(s.Values) == 0:
		v.SetZero()
		return
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, e := range s.Values {
		d.value(fmt.Sprintf("%s[%d]", key, i), e, out.Index(i))
	}
	v.Set(out)
}

// table puts a mapping into a map of texts.
func (d *decoder) table(key string, n ast.Node, v reflect.Value) {
	pairs := d.pairs(key, n)
	if len(pairs) == 0 {
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, p := range pairs {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(Under(key, p.name), p.value, e)
		out.SetMapIndex(reflect.ValueOf(p.name), e)
	}
	v.Set(out)
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
