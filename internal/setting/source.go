package setting

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"avbeacon/internal/yamlfile"
)

// Bounds of a configuration file.
const (
	MaxFile     = 1 << 20 // bytes
	maxItems    = 10000   // of one list or mapping
	maxProblems = 20      // errors that are reported
)

// place is a position in the file, both numbers from 1; the zero place is unknown.
type place struct{ line, column int }

// problem is one thing that is wrong.
type problem struct {
	key   string // sinks[0].syslog.address; "" for the whole file
	text  string
	place place
}

// tree reads the YAML; nil, without a problem, where there is nothing but comments. A panic of the library, which strange
// input can cause, becomes a problem.
func tree(data []byte) (body ast.Node, wrong *problem) {
	defer func() {
		if p := recover(); p != nil {
			body, wrong = nil, &problem{text: "the YAML cannot be read"}
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey()) // decoder reports those, in more detail
	if err != nil {
		return nil, syntax(err)
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType:
		case body != nil:
			return nil, &problem{text: "want one YAML document, have several", place: placeOf(doc.Body)}
		default:
			body = doc.Body
		}
	}
	return body, nil
}

// syntax takes place and text from the library's error.
func syntax(err error) *problem {
	var e yaml.Error
	if !errors.As(err, &e) {
		return &problem{text: err.Error()}
	}
	p := &problem{text: e.GetMessage()}
	if t := e.GetToken(); t != nil && t.Position != nil {
		p.place = place{t.Position.Line, t.Position.Column}
	}
	return p
}

func placeOf(n ast.Node) place {
	line, column := yamlfile.Position(n)
	return place{line, column}
}

// report makes one error of problems, one a line, at most maxProblems, in the order of the file where their places are
// known. Each begins with file:line:column where there is a file.
func report(file string, problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b problem) int {
		if a.place.line != b.place.line {
			return a.place.line - b.place.line
		}
		return a.place.column - b.place.column
	})
	var errs []error
	for _, p := range problems[:min(len(problems), maxProblems)] {
		errs = append(errs, p.in(file))
	}
	if more := len(problems) - maxProblems; more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

func (p *problem) in(file string) error {
	text := strings.TrimSpace(p.text)
	if p.key != "" {
		text = p.key + ": " + text
	}
	switch {
	case file == "":
		return errors.New(text)
	case p.place.line == 0:
		return fmt.Errorf("%s: %s", file, text)
	}
	return fmt.Errorf("%s:%d:%d: %s", file, p.place.line, p.place.column, text)
}
