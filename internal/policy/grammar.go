package policy

import (
	"fmt"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strings"

	"avbeacon/classify"
	"avbeacon/classify/place"

	"github.com/expr-lang/expr/ast"
)

// scale is a field of the language with a fixed set of words.
type scale struct {
	name     string
	function string   // returns a word's rank; "" if the words have no order
	words    []string // lowest first on an ordered scale
}

// scaleNamed returns the scale of a field, or nil.
func scaleNamed(field string) *scale {
	switch field {
	case "verdict":
		return &scale{field, "rank_of_verdict", words(classify.Visit, classify.Installed)}
	case "level":
		return &scale{field, "rank_of_level", words(place.X, place.M3)}
	case "state":
		return &scale{field, "", words(classify.Active, classify.Returned)}
	case "host_role":
		return &scale{field, "", words(classify.HostUnknown, classify.HostEndpoint)}
	}
	return nil
}

// words returns the texts of consecutive values.
func words[V interface {
	~uint8
	String() string
}](first, last V) (list []string) {
	for v := first; v <= last; v++ {
		list = append(list, v.String())
	}
	return list
}

// scaleOf returns the scale of the field that a node names, or nil.
func scaleOf(n ast.Node) *scale {
	switch v := n.(type) {
	case *ast.IdentifierNode:
		if v.Value != "level" {
			return scaleNamed(v.Value)
		}
	case *ast.MemberNode:
		if p, ok := v.Property.(*ast.StringNode); ok && p.Value == "level" {
			return scaleNamed(p.Value)
		}
	}
	return nil
}

// grammar accepts only our language, which is smaller than the library's: no variables, ranges or indexes, no expression made at run
// time, and no loop over a list inside a loop over another, unless the inner list belongs to the outer one's element. So an evaluation
// costs at most the length of the expression times the size of the finding.
type grammar struct {
	err     *mistake
	vendors []string
	warn    []string
}

// fail keeps the first mistake only: those after it often follow from it.
func (g *grammar) fail(n ast.Node, format string, args ...any) {
	if g.err == nil {
		g.err = &mistake{offset: n.Location().From, text: fmt.Sprintf(format, args...)}
	}
}

// check checks a node and everything below it. depth is the number of predicates around it. The list of node types is a list of what is
// allowed: a type that a later version of the library adds is rejected until somebody has thought about its cost.
func (g *grammar) check(n ast.Node, depth int) {
	switch v := n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
	case *ast.PointerNode:
		if v.Name != "" {
			g.fail(n, "#%s is not part of the language", v.Name)
		}
	case *ast.IdentifierNode:
		g.identifier(v, depth)
	case *ast.UnaryNode:
		g.check(v.Node, depth)
	case *ast.BinaryNode:
		g.binary(v, depth)
	case *ast.MemberNode:
		g.member(v, depth)
	case *ast.ConditionalNode:
		g.check(v.Cond, depth)
		g.check(v.Exp1, depth)
		g.check(v.Exp2, depth)
	case *ast.ArrayNode:
		g.array(v)
	case *ast.BuiltinNode:
		g.builtin(v, depth)
	case *ast.PredicateNode:
		g.check(v.Node, depth)
	case *ast.CallNode:
		g.call(v, depth)
	default:
		g.fail(n, "this is not part of the language of policies (variables, indexes, slices, maps, nil and ; are not)")
	}
}

// identifier rejects the library's own names, and the finding's lists inside a predicate: a loop over all destinations for each
// destination would cost the square of their number.
func (g *grammar) identifier(v *ast.IdentifierNode, depth int) {
	switch {
	case strings.HasPrefix(v.Value, "$"):
		g.fail(v, "%s is not part of the language", v.Value)
	case depth > 0 && slices.Contains(lists(), v.Value):
		g.fail(v, "the list %s cannot be used inside a predicate; the element's own are written with a dot, as .names", v.Value)
	}
}

// member allows fields written with a dot. An index may be out of range at run time, which a policy must not fail on.
func (g *grammar) member(v *ast.MemberNode, depth int) {
	p, ok := v.Property.(*ast.StringNode)
	if !ok || v.Optional {
		g.fail(v, "lists have no indexes here; use any, all, none, one or count")
		return
	}
	if depth > 0 && slices.Contains(lists(), p.Value) && !ofElement(v.Node) {
		g.fail(v, "the list %s of the host cannot be used inside a predicate", p.Value)
	}
	g.check(v.Node, depth)
}

// ofElement reports whether a node is a predicate's element, or a part of it.
func ofElement(n ast.Node) bool {
	for {
		switch v := n.(type) {
		case *ast.PointerNode:
			return true
		case *ast.MemberNode:
			n = v.Node
		default:
			return false
		}
	}
}

// array allows literals only, so that the words in a list can be checked now (equal).
func (g *grammar) array(v *ast.ArrayNode) {
	for _, n := range v.Nodes {
		switch n.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode:
		default:
			g.fail(n, "a list in brackets can hold only texts and numbers")
		}
	}
}

// binary checks an operator and both sides of it, in either order: "likely" == verdict is as good as verdict == "likely".
func (g *grammar) binary(v *ast.BinaryNode, depth int) {
	switch v.Operator {
	case "and", "or", "&&", "||", "<", "<=", ">", ">=", "contains", "startsWith", "endsWith", "+", "-", "*", "/":
	case "==", "!=", "in":
		g.equal(v.Left, v.Right)
		g.equal(v.Right, v.Left)
	case "matches":
		g.pattern(v.Right)
	default:
		g.fail(v, "the operator %s is not part of the language", v.Operator)
	}
	g.check(v.Left, depth)
	g.check(v.Right, depth)
	switch v.Operator {
	case "<", "<=", ">", ">=":
		g.ordered(v.Left, v.Right)
		g.ordered(v.Right, v.Left)
	}
}

// ordered checks that an ordered field is compared with one of its words, or with the same field.
func (g *grammar) ordered(field, with ast.Node) {
	s := scaleOf(field)
	if s == nil || s.function == "" {
		return
	}
	if w, ok := with.(*ast.StringNode); ok {
		g.word(s, w)
	} else if of := scaleOf(with); of == nil || of.name != s.name {
		g.fail(with, "compare %s with one of %s", s.name, strings.Join(s.words, ", "))
	}
}

// equal checks the words that a scale is compared with, and records the vendors that are named.
func (g *grammar) equal(field, with ast.Node) {
	var literals []ast.Node
	switch v := with.(type) {
	case *ast.StringNode:
		literals = []ast.Node{v}
	case *ast.ArrayNode:
		literals = v.Nodes
	}
	id, _ := field.(*ast.IdentifierNode)
	for _, n := range literals {
		word, ok := n.(*ast.StringNode)
		if !ok {
			continue
		}
		if id != nil && id.Value == "vendor" {
			g.vendors = append(g.vendors, word.Value)
		}
		if s := scaleOf(field); s != nil {
			g.word(s, word)
		}
	}
}

// word rejects a word that the field never has. Such a comparison is always false: a typing error would silence a rule.
func (g *grammar) word(s *scale, w *ast.StringNode) {
	if !slices.Contains(s.words, w.Value) {
		g.fail(w, "%q is not a %s; use one of %s", w.Value, s.name, strings.Join(s.words, ", "))
	}
}

// Limits of one regular expression. Go's matching time is linear in the text and in these.
const (
	maxPattern      = 512  // bytes
	maxInstructions = 2000 // of the compiled program
)

// pattern requires a literal, because a regular expression made from a finding could not be bounded here.
func (g *grammar) pattern(n ast.Node) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		g.fail(n, "matches takes a regular expression in quotes")
		return
	}
	if len(s.Value) > maxPattern {
		g.fail(n, "a regular expression has at most %d bytes", maxPattern)
		return
	}
	re, err := syntax.Parse(s.Value, syntax.Perl)
	if err != nil {
		g.fail(n, "%v", err)
		return
	}
	if prog, err := syntax.Compile(re.Simplify()); err != nil || len(prog.Inst) > maxInstructions {
		g.fail(n, "the regular expression is too large; lower its repetitions")
	}
}

// maxDepth is how deep predicates may be nested: destinations, and their names.
const maxDepth = 2

// builtin checks the library's functions that the language has. The first argument is the list, evaluated once; the others are its
// predicate, evaluated for each element and so one level deeper.
func (g *grammar) builtin(v *ast.BuiltinNode, depth int) {
	inner := depth
	switch v.Name {
	case "any", "all", "none", "one", "count", "filter", "map":
		inner = depth + 1
	case "len", "lower", "upper":
	default:
		g.fail(v, "the function %s is not part of the language", v.Name)
		return
	}
	if inner > maxDepth {
		g.fail(v, "predicates can be nested %d deep at most", maxDepth)
		return
	}
	for i, a := range v.Arguments {
		if _, list := a.(*ast.ArrayNode); list && inner > depth {
			g.fail(a, "%s is for the finding's lists; use `in` for a list in brackets", v.Name)
		}
		if i == 0 {
			g.check(a, depth)
		} else {
			g.check(a, inner)
		}
	}
}

// call checks a call of one of our functions. Their literal arguments are parsed now, for errors with a position; functions.go reads
// them again when it is called.
func (g *grammar) call(v *ast.CallNode, depth int) {
	id, ok := v.Callee.(*ast.IdentifierNode)
	if !ok {
		g.fail(v, "values have no functions of their own")
		return
	}
	for _, a := range v.Arguments {
		g.check(a, depth)
	}
	switch id.Value {
	case "at_least":
		g.literals(v, 0, 1, func(a []ast.Node) error { return g.verdict(a[0]) })
	case "in_network":
		g.literals(v, 1, 1, func(a []ast.Node) error { _, err := netip.ParsePrefix(textOf(a[0])); return err })
	case "in_city":
		g.literals(v, 1, 1, func(a []ast.Node) error { _, err := cityOf(a[0]); return err })
	case "under":
		g.literals(v, 1, 1, func(a []ast.Node) error { return domain(textOf(a[0])) })
	case "within":
		g.literals(v, 1, 3, g.circle)
	default:
		g.fail(v, "there is no function %s", id.Value)
	}
}

// literals checks the last n arguments of a call. The first `free` arguments may be anything.
func (g *grammar) literals(v *ast.CallNode, free, n int, check func([]ast.Node) error) {
	if len(v.Arguments) != free+n {
		g.fail(v, "%s takes %d arguments, not %d", v.Callee, free+n, len(v.Arguments))
		return
	}
	if err := check(v.Arguments[free:]); err != nil {
		g.fail(v.Arguments[free], "%v", err)
	}
}

func (g *grammar) verdict(n ast.Node) error {
	word, ok := n.(*ast.StringNode)
	if !ok {
		return fmt.Errorf("at_least takes a verdict in quotes")
	}
	g.word(scaleNamed("verdict"), word)
	return nil
}

// circle checks the three numbers of within as a policy's circles are checked, with the same warning.
func (g *grammar) circle(args []ast.Node) error {
	var at [3]float64
	for i, a := range args {
		n, ok := numberOf(a)
		if !ok {
			return fmt.Errorf("within takes numbers: latitude, longitude, kilometres")
		}
		at[i] = n
	}
	c := Circle{Lat: at[0], Lon: at[1], KM: at[2]}
	if err := c.check(); err != nil {
		return err
	}
	if w := c.warning(); w != "" {
		g.warn = append(g.warn, w)
	}
	return nil
}

// textOf returns the value of a text literal, "" for any other node.
func textOf(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return ""
}

// numberOf returns the value of a number literal, with its sign.
func numberOf(n ast.Node) (float64, bool) {
	switch v := n.(type) {
	case *ast.IntegerNode:
		return float64(v.Value), true
	case *ast.FloatNode:
		return v.Value, true
	case *ast.UnaryNode:
		x, ok := numberOf(v.Node)
		return -x, ok && v.Operator == "-"
	}
	return 0, false
}
