package policy

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"avbeacon/internal/yamlfile"
)

// source is a policy file as it stands, for finding where in it something is.
type source struct {
	file string
	text []rune
	tree *ast.File
}

// problem makes an error that begins with file, line and column; without line where that is unknown.
func (s *source) problem(line, col int, text string) error {
	text = strings.TrimSpace(text)
	if line == 0 {
		return fmt.Errorf("%s: %s", s.file, text)
	}
	return fmt.Errorf("%s:%d:%d: %s", s.file, line, col, text)
}

// at gives line and column where the value of a YAML path begins; of the nearest parent that has a place.
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

// node gives the value of a path, nil where there is none.
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

// inside gives line and column of a rune of a text value, whichever way the value is quoted or folded.
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

// follow gives where the rune of a value stands in the file, from at on. White space of the value is white space of any
// kind in the file.
func (s *source) follow(at int, want, quote rune) int {
	for ; at < len(s.text); at++ {
		have := s.text[at]
		switch {
		case have == want, unicode.IsSpace(want) && unicode.IsSpace(have):
			return at
		case unicode.IsSpace(have), have == '\\' && quote == '"':
		default:
			return len(s.text) // an escape that spells the rune: the value's beginning must do
		}
	}
	return at
}

// index gives the place in the file of a line and column, -1 where there is none.
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
