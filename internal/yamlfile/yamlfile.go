// Package yamlfile is what the program's YAML files have in common before they are understood: what makes one unfit to be
// parsed, and where in it something stands.
package yamlfile

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// MaxNesting is how many brackets, or dashes, may stand open, counted without regard to quotes.
const MaxNesting = 50

// Unfit says why a file is refused before it is parsed, "" where it is fit: most is how many bytes it may have. The library
// needs time and memory that grow with the square of the nesting, so that what is nested beyond sense never gets there.
func Unfit(data []byte, most int) string {
	switch {
	case len(data) > most:
		return fmt.Sprintf("the file is larger than %d bytes", most)
	case !utf8.Valid(data):
		return "the file is no UTF-8"
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

// First gives the node that a mapping begins with: its own token is the colon of its first pair.
func First(n ast.Node) ast.Node {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return v.Values[0].Key
		}
	case *ast.MappingValueNode:
		return v.Key
	}
	return n
}

// Position gives line and column of a node, from 1; zeros where they are not known, or there is no node.
func Position(n ast.Node) (line, column int) {
	if n == nil {
		return 0, 0
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}
