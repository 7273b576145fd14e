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

// Bounds of one expression.
const (
	maxExpression = 4096    // bytes
	maxNodes      = 500     // of its syntax tree
	maxMemory     = 100_000 // elements that one evaluation may make
)

// Expression is a condition over a finding, checked and compiled. It is immutable and safe for concurrent use.
type Expression struct {
	text    string
	program *vm.Program
	vendors []string // vendor keys that it compares with, for `policy check`
	warn    []string
}

// mistake is what is wrong with an expression, and where.
type mistake struct {
	offset int // in runes from the expression's start
	text   string
}

func (m *mistake) Error() string { return m.text }

// compile checks an expression and makes it ready. Its error is a *mistake.
func compile(text string) (x *Expression, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's own, should a strange expression find one
			x, err = nil, &mistake{text: "the expression cannot be compiled"}
		}
	}()
	if len(text) > maxExpression {
		return nil, &mistake{text: fmt.Sprintf("an expression is %d bytes long at most, this one is %d", maxExpression, len(text))}
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
	// Types are checked before anything is rewritten: behind a visitor the library looks at no call's arguments again.
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

// mistakeOf takes place and text from the library's error.
func mistakeOf(err error) *mistake {
	var at *file.Error
	if errors.As(err, &at) {
		return &mistake{offset: at.From, text: at.Message}
	}
	return &mistake{text: err.Error()}
}

// eval says whether the expression is true of a finding. The only error is that of an evaluation that grew too large.
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

// String gives the expression as written.
func (x *Expression) String() string { return x.text }

// maxShown is how much of an expression, in runes, a report shows.
const maxShown = 160

func (x *Expression) short() string {
	one := []rune(strings.Join(strings.Fields(x.text), " "))
	if len(one) > maxShown {
		return string(one[:maxShown]) + "..."
	}
	return string(one)
}

// ranker makes the words of the two scales comparable: `verdict >= "likely"` and `.place.level >= "M2"` become comparisons
// of ranks. It also finds what only the types tell.
type ranker struct{ err *mistake }

// Visit implements ast.Visitor; children come first.
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

// atLeast makes at_least("likely") a comparison of ranks.
func (r *ranker) atLeast(n *ast.Node, v *ast.CallNode) {
	word, ok := v.Arguments[0].(*ast.StringNode)
	if !ok {
		return // the grammar has said so
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
			r.fail(b, "texts have no order; only verdict and a place's level do")
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
