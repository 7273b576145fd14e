package feeds

import "fmt"

// tool is a program that a person runs, known by its User-Agent.
type tool struct {
	Name    string `yaml:"name"`
	Pattern string `yaml:"pattern"`
	re      *expression
	quick
}

// tools checks and compiles the tools of a section.
func (p *fileParser) tools(section string, list []tool) []tool {
	for i := range list {
		t, key := &list[i], fmt.Sprintf("%s[%d]", section, i)
		re, tree, reason := compile(t.Pattern)
		switch {
		case t.Name == "":
			p.FailKey(key, "the tool has no name")
		case reason != "":
			p.FailKey(key, "%s", reason)
		case !anchored(tree):
			p.FailKey(key, "expression %q must begin with ^, end with $ or hold %d plain bytes in a row", t.Pattern, minLiteral)
		}
		if tree != nil {
			t.re, t.quick = compiled(re), quickOf(tree)
		}
	}
	return list
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
			return t.Name
		}
	}
	return ""
}
