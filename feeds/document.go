package feeds

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds on one catalogue file, so that a wrong file costs little.
const (
	maxFileBytes = 1 << 20
	maxLineBytes = 4096
	maxNesting   = 200 // open brackets, counted without regard to quotes
	maxText      = 600
)

// reader walks the syntax tree of one file and records where it does not have the right form.
type reader struct {
	file string
	out  *problems
}

// document parses one YAML file. It returns nil where there is nothing to walk; the reason has been noted.
func (r *reader) document(data []byte) ast.Node {
	if reason := unfit(data); reason != "" {
		r.out.add(Problem{File: r.file, Text: reason})
		return nil
	}
	file, err := parseYAML(data)
	if err != nil {
		r.syntax(err)
		return nil
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.out.add(Problem{File: r.file, Text: fmt.Sprintf("want exactly one YAML document, have %d", len(file.Docs))})
		return nil
	}
	return file.Docs[0].Body
}

// parseYAML turns a panic of the YAML library, should a strange file find one, into an error.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the YAML cannot be parsed")
		}
	}()
	return parser.ParseBytes(data, 0)
}

// unfit returns why a file is rejected before it is parsed, or "".
func unfit(data []byte) string {
	if len(data) > maxFileBytes {
		return fmt.Sprintf("larger than %d bytes", maxFileBytes)
	}
	if !utf8.Valid(data) {
		return "not UTF-8"
	}
	open := 0
	for n := 1; len(data) > 0; n++ {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		if len(line) > maxLineBytes {
			return fmt.Sprintf("line %d is longer than %d bytes", n, maxLineBytes)
		}
		open += bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{"))
		open -= bytes.Count(line, []byte("]")) + bytes.Count(line, []byte("}"))
		if open = max(open, 0); open > maxNesting {
			return fmt.Sprintf("line %d: more than %d brackets are open", n, maxNesting)
		}
		data = rest
	}
	return ""
}

func (r *reader) syntax(err error) {
	p := Problem{File: r.file, Text: err.Error()}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		p.Text = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Col = t.Position.Line, t.Position.Column
		}
	}
	r.out.add(p)
}

// fail notes an error at a node.
func (r *reader) fail(n ast.Node, format string, args ...any) {
	line, col := position(n)
	r.out.add(Problem{File: r.file, Line: line, Col: col, Text: fmt.Sprintf(format, args...)})
}

// position returns where a node begins: a mapping's own token is the colon of its first pair.
func position(n ast.Node) (line, col int) {
	switch v := n.(type) {
	case nil:
		return 0, 0
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			n = v.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = v.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line, t.Position.Column
	}
	return 0, 0
}

// field is one key of a mapping with its value.
type field struct {
	name  string
	key   ast.Node
	value ast.Node
}

// fields returns the pairs of a mapping in order. Keys outside allowed and repeated keys are errors.
func (r *reader) fields(n ast.Node, allowed ...string) []field {
	var pairs []*ast.MappingValueNode
	switch v := n.(type) {
	case *ast.MappingNode:
		pairs = v.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{v}
	default:
		r.fail(n, "want a mapping (key: value), have %s", kindOf(n))
		return nil
	}
	var out []field
	seen := map[string]bool{}
	for _, p := range pairs {
		key, ok := p.Key.(*ast.StringNode)
		switch {
		case !ok:
			r.fail(p.Key, "want a plain key, have %s", kindOf(p.Key))
		case !slices.Contains(allowed, key.Value):
			r.fail(p.Key, "unknown key %q (known here: %s)", key.Value, strings.Join(allowed, ", "))
		case seen[key.Value]:
			r.fail(p.Key, "key %q is listed twice", key.Value)
		default:
			seen[key.Value] = true
			out = append(out, field{key.Value, p.Key, p.Value})
		}
	}
	return out
}

// items returns the elements of a sequence.
func (r *reader) items(n ast.Node) []ast.Node {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(n, "want a list, have %s", kindOf(n))
		return nil
	}
	return s.Values
}

// text returns a scalar as text, "" if it is empty or not a scalar; the latter is recorded as an error.
func (r *reader) text(n ast.Node) string {
	var s string
	switch v := n.(type) {
	case *ast.StringNode:
		s = v.Value
	case *ast.LiteralNode:
		s = strings.TrimSpace(v.Value.Value)
	case *ast.IntegerNode:
		s = v.Token.Value
	case *ast.FloatNode:
		s = v.Token.Value
	default:
		r.fail(n, "want text, have %s", kindOf(n))
		return ""
	}
	if reason := badText(s); reason != "" {
		r.fail(n, "%s", reason)
		return ""
	}
	return s
}

func badText(s string) string {
	if len(s) > maxText {
		return fmt.Sprintf("text is longer than %d bytes", maxText)
	}
	for _, c := range s {
		if unicode.IsControl(c) || c == utf8.RuneError || unicode.Is(unicode.Bidi_Control, c) {
			return fmt.Sprintf("text holds the control character %U", c)
		}
	}
	return ""
}

func (r *reader) flag(n ast.Node) bool {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		r.fail(n, "want true or false, have %s", kindOf(n))
		return false
	}
	return b.Value
}

// choice returns the number of a word out of a closed list.
func (r *reader) choice(n ast.Node, what string, words []string) uint8 {
	s := r.text(n)
	i, ok := constant(words, s)
	if !ok {
		r.fail(n, "%q is not a %s (one of: %s)", s, what, strings.Join(words, ", "))
	}
	return i
}

// kindOf names a node's kind for messages.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case *ast.BoolNode:
		return "true or false"
	}
	return strings.ToLower(n.Type().String())
}
