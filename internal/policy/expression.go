package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// Limits of one expression.
const (
	maxExpression = 4096    // bytes
	maxNodes      = 500     // of its syntax tree
	maxMemory     = 100_000 // elements that one evaluation may allocate
)

// Expression is a checked and compiled condition on a finding. It is immutable and safe for concurrent use.
type Expression struct {
	text    string
	program *vm.Program
	vendors []string // vendor keys in comparisons, for `policy check`
	warn    []string
}

// mistake is an error in an expression, and its place.
type mistake struct {
	offset int // in runes from the expression's start
	text   string
}

func (m *mistake) Error() string { return m.text }

// compile checks and compiles an expression. Its error is a *mistake.
func compile(text string) (x *Expression, err error) {
	defer func() {
		if p := recover(); p != nil { // a bug in the library that a strange expression may reach
			x, err = nil, &mistake{text: "the expression cannot be compiled"}
		}
	}()
	if len(text) > maxExpression {
		return nil, &mistake{text: fmt.Sprintf("an expression has at most %d bytes, this one has %d", maxExpression, len(text))}
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, mistakeOf(err)
	}
	g := &grammar{}
	g.check(tree.Node, 0)
	if g.err != nil {
		return nil, g.err
	}
	options := append(functions(), expr.Env(environment{}), expr.AsBool(), expr.MaxNodes(maxNodes))
	// Compile once to check the types: after a visitor has run, the library does not check the arguments of calls again.
	if _, err := expr.Compile(text, options...); err != nil {
		return nil, mistakeOf(err)
	}
	r := &ranker{}
	program, err := expr.Compile(text, append(options, expr.Patch(r))...)
	if r.err != nil {
		return nil, r.err
	}
	if err != nil {
		return nil, mistakeOf(err)
	}
	return &Expression{text: text, program: program, vendors: g.vendors, warn: g.warn}, nil
}

// mistakeOf converts the library's error.
func mistakeOf(err error) *mistake {
	var at *file.Error
	if errors.As(err, &at) {
		return &mistake{offset: at.From, text: at.Message}
	}
	return &mistake{text: err.Error()}
}

// eval reports whether the expression is true for the finding. The only error is that the evaluation ran out of memory budget.
func (x *Expression) eval(c *subject) (bool, error) {
	if c.env == nil {
		c.env = newEnvironment(c.Finding)
	}
	machine := vm.VM{MemoryBudget: maxMemory}
	is, err := machine.Run(x.program, *c.env)
	if err != nil {
		return false, mistakeOf(err)
	}
	return is == true, nil
}

// String returns the text of the expression.
func (x *Expression) String() string { return x.text }

// maxShown is how many runes of an expression a report shows.
const maxShown = 160

func (x *Expression) short() string {
	one := []rune(strings.Join(strings.Fields(x.text), " "))
	if len(one) > maxShown {
		return string(one[:maxShown]) + "..."
	}
	return string(one)
}

// ranker rewrites `verdict >= "likely"` and `.place.level >= "M2"` to comparisons of ranks. It also rejects what only types can show:
// ordering and adding texts.
type ranker struct{ err *mistake }

// Visit implements ast.Visitor. The library visits children first.
func (r *ranker) Visit(n *ast.Node) {
	switch v := (*n).(type) {
	case *ast.CallNode:
		if id, ok := v.Callee.(*ast.IdentifierNode); ok && id.Value == "at_least" && len(v.Arguments) == 1 {
			r.atLeast(n, v)
		}
	case *ast.BinaryNode:
		r.binary(v)
	}
}

// atLeast rewrites at_least("likely") to a comparison of ranks.
func (r *ranker) atLeast(n *ast.Node, v *ast.CallNode) {
	word, ok := v.Arguments[0].(*ast.StringNode)
	if !ok {
		return // the grammar has reported it
	}
	left := &ast.IdentifierNode{Value: "verdict"}
	left.SetLocation(v.Location())
	b := &ast.BinaryNode{Operator: ">=", Left: left, Right: word}
	b.SetLocation(v.Location())
	r.binary(b)
	ast.Patch(n, b)
}

func (r *ranker) binary(b *ast.BinaryNode) {
	switch b.Operator {
	case "<", "<=", ">", ">=":
		s := scaleOf(b.Left)
		if s == nil {
			s = scaleOf(b.Right)
		}
		if s != nil && s.function != "" {
			b.Left, b.Right = r.rank(b.Left, s), r.rank(b.Right, s)
		} else if isText(b.Left) || isText(b.Right) {
			r.fail(b, "texts cannot be ordered; only verdict and a place's level can")
		}
	case "+":
		if isText(b.Left) || isText(b.Right) {
			r.fail(b, "+ adds numbers, not texts")
		}
	}
}

// rank turns one side of a comparison into its rank on the scale.
func (r *ranker) rank(n ast.Node, s *scale) ast.Node {
	if word, ok := n.(*ast.StringNode); ok {
		i := &ast.IntegerNode{Value: slices.Index(s.words, word.Value)}
		i.SetLocation(n.Location())
		return i
	}
	callee := &ast.IdentifierNode{Value: s.function}
	callee.SetLocation(n.Location())
	c := &ast.CallNode{Callee: callee, Arguments: []ast.Node{n}}
	c.SetLocation(n.Location())
	return c
}

func (r *ranker) fail(n ast.Node, text string) {
	if r.err == nil {
		r.err = &mistake{offset: n.Location().From, text: text}
	}
}

func isText(n ast.Node) bool {
	_, literal := n.(*ast.StringNode)
	t := n.Type()
	return literal || t != nil && t.String() == "string"
}
