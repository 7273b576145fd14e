package feeds

import (
	"github.com/goccy/go-yaml/ast"
)

// tool is a program that a person runs, known by its User-Agent.
type tool struct {
	name    string
	pattern string
	re      *expression
	quick
}

// parseTools reads a list of {name, pattern}.
func (p *fileParser) parseTools(n ast.Node) []tool {
	var out []tool
	for _, item := range p.items(n) {
		var t tool
		for _, f := range p.fields(item, "name", "pattern") {
			switch f.name {
			case "name":
				t.name = p.text(f.value)
			case "pattern":
				t.pattern = p.text(f.value)
			}
		}
		re, tree, reason := compile(t.pattern)
		switch {
		case t.name == "":
			p.fail(item, "the tool has no name")
		case reason != "":
			p.fail(item, "%s", reason)
		case !anchored(tree):
			p.fail(item, "expression %q must begin with ^, end with $ or hold %d plain bytes in a row", t.pattern, minLiteral)
		}
		if tree != nil {
			t.re, t.quick = compiled(re), quickOf(tree)
		}
		out = append(out, t)
	}
	return out
}

// Tool names the program that a person runs by hand or in a script and that sends this User-Agent ("wget", "curl",
// "python-requests"...), "" for an unknown one.
func (c *Catalog) Tool(ua string) string { return toolName(c.tools, ua) }

// Browser reports whether a User-Agent is a web browser's.
func (c *Catalog) Browser(ua string) bool { return toolName(c.browsers, ua) != "" }

func toolName(list []tool, ua string) string {
	if ua == "" {
		return ""
	}
	for _, t := range list {
		if t.may(ua) && t.re.regexp().MatchString(ua) {
			return t.name
		}
	}
	return ""
}
