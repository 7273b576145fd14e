// Package yamlfile is what all YAML files of the program need before they are decoded: checks that a file is safe to parse
// (Unfit), and the position of a node (Position).
package yamlfile

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// MaxNesting is how many brackets or dashes may be open at once; quotes are ignored in the count.
const MaxNesting = 50

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

// First returns the node that a mapping begins with, because the mapping's own token is the colon of its first pair.
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

// Position returns line and column of a node, from 1; zeros if they are unknown or there is no node.
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
