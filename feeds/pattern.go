package feeds

import (
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"
)

const (
	maxExpression = 250
	minLiteral    = 4 // bytes that an expression without an anchor must hold in one piece
)

// check checks an entry's pattern by its kind and compiles what has to be compiled.
func (e *located) check() (reason string) {
	switch e.section {
	case "names":
		return e.checkNamePattern()
	case "signals":
		return e.checkSignalPattern()
	}
	return e.checkNetwork()
}

func (e *Entry) checkNamePattern() (reason string) {
	switch e.Match {
	case Exact:
		reason = badName(e.Pattern)
	case Suffix:
		reason = badSuffix(e.Pattern)
	case Regexp:
		return e.checkNameExpression()
	}
	if reason != "" {
		return fmt.Sprintf("name %q: %s", e.Pattern, reason)
	}
	return ""
}

// checkNameExpression: an expression over names ends with "$" and, before it, with at least two whole labels in plain
// letters, so that it is tried on few names only. It names a sample that it matches.
func (e *Entry) checkNameExpression() string {
	re, tree, reason := compile(e.Pattern)
	if reason != "" {
		return reason
	}
	suffix := literalSuffix(tree)
	e.re, e.end = compiled(re), suffix
	switch {
	case suffix == "":
		return fmt.Sprintf(`expression %q must end with $ and two plain labels before it (\.example\.com$)`, e.Pattern)
	case badName(suffix) != "":
		return fmt.Sprintf("expression %q: its end %q: %s", e.Pattern, suffix, badName(suffix))
	case e.Sample == "":
		return fmt.Sprintf("expression %q needs a sample", e.Pattern)
	case badName(e.Sample) != "" || !re.MatchString(e.Sample):
		return fmt.Sprintf("expression %q does not match its sample %q", e.Pattern, e.Sample)
	}
	return ""
}

// compile checks an expression's length and syntax (RE2).
func compile(pattern string) (re *regexp.Regexp, tree *syntax.Regexp, reason string) {
	if pattern == "" || len(pattern) > maxExpression {
		return nil, nil, fmt.Sprintf("an expression has 1 to %d bytes", maxExpression)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, nil, fmt.Sprintf("expression %q: %v", pattern, err)
	}
	re, err = regexp.Compile(pattern)
	if err != nil {
		return nil, nil, fmt.Sprintf("expression %q: %v", pattern, err)
	}
	if re.MatchString("") {
		return nil, nil, fmt.Sprintf("expression %q matches nothing at all", pattern)
	}
	return re, tree, ""
}

// literalSuffix returns the whole labels that every name matched by an expression ends with, "" where they are not two.
func literalSuffix(tree *syntax.Regexp) string {
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 2 || tree.Sub[len(tree.Sub)-1].Op != syntax.OpEndText {
		return ""
	}
	last := tree.Sub[len(tree.Sub)-2]
	if last.Op != syntax.OpLiteral || last.Flags&syntax.FoldCase != 0 {
		return ""
	}
	text := string(last.Rune)
	whole := len(tree.Sub) == 3 && tree.Sub[0].Op == syntax.OpBeginText
	if !whole {
		_, text, _ = strings.Cut(text, ".")
	}
	if !strings.Contains(text, ".") {
		return ""
	}
	return text
}

// anchored reports whether an expression is bound to one end of its text, or holds a long enough literal that must be there.
func anchored(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpBeginText, syntax.OpEndText:
		return true
	case syntax.OpLiteral:
		return len(string(tree.Rune)) >= minLiteral
	case syntax.OpCapture:
		return anchored(tree.Sub[0])
	case syntax.OpConcat:
		for _, s := range tree.Sub {
			if anchored(s) {
				return true
			}
		}
	case syntax.OpAlternate:
		for _, s := range tree.Sub {
			if !anchored(s) {
				return false
			}
		}
		return true
	}
	return false
}

func (e *Entry) checkSignalPattern() string {
	switch e.Signal {
	case SignalPort, SignalLANPort:
		if reason := e.parsePorts(); reason != "" {
			return reason
		}
		return e.checkNeed()
	case SignalHeader:
		if e.Pattern == "" || strings.Trim(strings.ToLower(e.Pattern), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return fmt.Sprintf("%q is no header name", e.Pattern)
		}
		return e.checkNeed()
	}
	e.Match = Regexp
	re, tree, reason := compile(e.Pattern)
	if reason != "" {
		return reason
	}
	e.re, e.quick = compiled(re), quickOf(tree)
	if !anchored(tree) {
		return fmt.Sprintf("expression %q must begin with ^, end with $ or hold %d plain bytes in a row", e.Pattern, minLiteral)
	}
	if e.Sample != "" && !re.MatchString(e.Sample) {
		return fmt.Sprintf("expression %q does not match its sample %q", e.Pattern, e.Sample)
	}
	return e.checkNeed()
}

// checkNeed: an entry has hosts if and only if its need refers to them.
func (e *Entry) checkNeed() string {
	if len(e.Hosts) > 0 && e.Need == NeedNothing {
		e.Need = NeedHost
	}
	if e.Need == NeedHost && len(e.Hosts) == 0 {
		return "need: host wants a list of hosts"
	}
	if e.Need == NeedNetwork && len(e.Hosts) > 0 {
		return "need: network and hosts do not go together; meant is name-or-network"
	}
	return ""
}

// checkNetwork sets Prefixes and Pattern by the kind of network.
func (e *Entry) checkNetwork() string {
	if e.Signal == SignalASN {
		if e.Pattern != "" || e.ASN == 0 || e.Owner == "" || len(e.Prefixes) == 0 {
			return "an autonomous system needs asn, owner and prefixes, and no pattern"
		}
		e.Pattern = fmt.Sprintf("AS%d", e.ASN)
		return ""
	}
	if e.ASN != 0 || e.Owner != "" || e.Prefixes != nil {
		return fmt.Sprintf("a %s has a pattern, and no asn, owner or prefixes", e.Signal)
	}
	pfx, reason := parsePrefix(e.Pattern)
	if reason != "" {
		return reason
	}
	e.Prefixes = []netip.Prefix{pfx}
	return ""
}

// checkMask compiles an entry's mask.
func (e *Entry) checkMask() (reason string) {
	if e.Mask == "" || e.Mask == MaskLabel || e.Mask == MaskValue {
		return ""
	}
	re, _, reason := compile(e.Mask)
	switch {
	case reason != "":
		return "mask: " + reason
	case re.NumSubexp() != 1:
		return fmt.Sprintf("mask %q must have exactly one group: what it hides", e.Mask)
	}
	e.mask = compiled(re)
	return ""
}
