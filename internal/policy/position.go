package policy

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"avbeacon/internal/yamlfile"
)

// source is the text and syntax tree of a policy file, to find the line and column of a value.
type source struct {
	file string
	text []rune
	tree *ast.File
}

// problem returns an error that begins with file, line and column; without line and column if line is 0.
func (s *source) problem(line, col int, text string) error {
	text = strings.TrimSpace(text)
	if line == 0 {
		return fmt.Errorf("%s: %s", s.file, text)
	}
	return fmt.Errorf("%s:%d:%d: %s", s.file, line, col, text)
}

// at returns the line and column of a YAML path's value, or of the nearest parent that has a position.
func (s *source) at(path string) (line, col int) {
	for path != "" && path != "$" {
		if n := s.node(path); n != nil {
			if t := yamlfile.First(n).GetToken(); t != nil && t.Position != nil {
				return t.Position.Line, t.Position.Column
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0, 0
}

// node returns the value of a path, nil if there is none.
func (s *source) node(path string) ast.Node {
	p, err := yaml.PathString(path)
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(s.tree)
	if err != nil {
		return nil
	}
	return n
}

// inside returns the line and column of a rune in a text value, however the value is quoted or folded.
func (s *source) inside(path, value string, offset int) (line, col int) {
	line, col = s.at(path)
	at := s.index(line, col)
	if at < 0 {
		return line, col
	}
	var quote rune
	switch s.text[at] {
	case '|', '>':
		at = s.nextLine(at)
	case '"', '\'':
		quote = s.text[at]
		at++
	}
	for i, want := range []rune(value) {
		at = s.follow(at, want, quote)
		if at >= len(s.text) {
			return line, col
		}
		if i == offset {
			return s.lineAndColumn(at)
		}
		at++
		if quote == '\'' && want == '\'' {
			at++
		}
	}
	return line, col
}

// follow returns the index in the file of the value's next rune, from at on. White space in the value matches any white space in the
// file.
func (s *source) follow(at int, want, quote rune) int {
	for ; at < len(s.text); at++ {
		have := s.text[at]
		switch {
		case have == want, unicode.IsSpace(want) && unicode.IsSpace(have):
			return at
		case unicode.IsSpace(have), have == '\\' && quote == '"':
		default:
			return len(s.text) // an escape: report the beginning of the value
		}
	}
	return at
}

// index returns the place in the file of a line and column, -1 if there is none.
func (s *source) index(line, col int) int {
	l, c := 1, 1
	for i, r := range s.text {
		if l == line && c == col {
			return i
		}
		c++
		if r == '\n' {
			l, c = l+1, 1
		}
	}
	return -1
}

func (s *source) nextLine(at int) int {
	for at < len(s.text) && s.text[at] != '\n' {
		at++
	}
	return at
}

func (s *source) lineAndColumn(at int) (line, col int) {
	line, col = 1, 1
	for _, r := range s.text[:at] {
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return line, col
}
