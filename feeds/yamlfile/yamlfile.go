// Package yamlfile reads the YAML files of the program: configuration, policy and catalogue. Bytes go in; a filled struct comes out,
// and a Problem with line, column and key for each thing that is wrong. Start at Decoder.
package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of what is parsed and reported.
const (
	// MaxNesting is how many brackets or dashes may be open at once; quotes are ignored in the count.
	MaxNesting  = 50
	maxProblems = 20 // that Report writes
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	Key          string // sinks[0].syslog.address; "" for the whole file
	Line, Column int    // from 1; 0 where the whole file is meant
	Text         string
	ofKey        bool // Text is about the key, not about its value
}

// String returns key and text.
func (p Problem) String() string {
	if p.Key != "" {
		return p.Key + ": " + strings.TrimSpace(p.Text)
	}
	return strings.TrimSpace(p.Text)
}

// Bare returns the text, with the key's name where it is about the key.
func (p Problem) Bare() string {
	if p.ofKey {
		p.Key = p.Key[strings.LastIndexByte(p.Key, '.')+1:]
		return p.String()
	}
	return strings.TrimSpace(p.Text)
}

// Report makes one error of problems, one a line, at most 20, in the order of the file where their places are known. Each line
// begins with file:line:column where there is a file; words says what else a problem is (Problem.String or Problem.Bare).
func Report(file string, problems []Problem, words func(Problem) string) error {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var errs []error
	for _, p := range problems[:min(len(problems), maxProblems)] {
		where := ""
		switch {
		case p.Line > 0 && file != "":
			where = fmt.Sprintf("%s:%d:%d: ", file, p.Line, p.Column)
		case file != "":
			where = file + ": "
		}
		errs = append(errs, errors.New(where+words(p)))
	}
	if more := len(problems) - maxProblems; more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// Unfit returns why a file is rejected before it is parsed, "" if it is accepted; most is the largest size in bytes. The
// library's time and memory grow with the square of the nesting, so deeply nested files must not reach it.
func Unfit(data []byte, most int) string {
	switch {
	case len(data) > most:
		return fmt.Sprintf("the file is larger than %d bytes", most)
	case !utf8.Valid(data):
		return "the file is not UTF-8"
	}
	open := 0
	for line := range bytes.Lines(data) {
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		deep := bytes.Count(line, []byte("- "))+bytes.Count(line, []byte("? ")) > 4*MaxNesting || indent > 4*MaxNesting
		for _, c := range line {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
			deep = deep || open > MaxNesting
		}
		if deep {
			return fmt.Sprintf("more than %d levels are open", MaxNesting)
		}
	}
	return ""
}

// parse returns the file's one document, nil where there is nothing but comments. A panic of the library, which strange input
// can cause, becomes a problem.
func parse(data []byte, most int) (body ast.Node, wrong *Problem) {
	if why := Unfit(data, most); why != "" {
		return nil, &Problem{Text: why}
	}
	defer func() {
		if p := recover(); p != nil {
			body, wrong = nil, &Problem{Text: "the YAML cannot be read"}
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey()) // Decoder reports those, in more detail
	if err != nil {
		return nil, syntax(err)
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType:
		case body != nil:
			line, column := Position(doc.Body)
			return nil, &Problem{Line: line, Column: column, Text: "expected exactly one YAML document, got several"}
		default:
			body = doc.Body
		}
	}
	return body, nil
}

// syntax takes position and text from the library's error.
func syntax(err error) *Problem {
	e, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return &Problem{Text: err.Error()}
	}
	p := &Problem{Text: e.GetMessage()}
	if t := e.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	return p
}

// Position returns where a node begins, from 1; zeros if that is unknown or there is no node. A mapping's own token is the colon
// of its first pair, so its first key counts.
func Position(n ast.Node) (line, column int) {
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
