package feeds

import (
	"bytes"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// quick shows cheaply that an expression cannot match: matching expressions one after the other costs microseconds, and
// most texts begin like none of them.
type quick struct {
	prefixes []string // one of them begins every match; nil: not known
	contains string   // every match holds it; "": not known
}

// mostPrefixes bounds what is enumerated of an expression.
const mostPrefixes = 64

// quickOf reads from a parsed expression what every text that it matches begins with or holds.
func quickOf(tree *syntax.Regexp) quick {
	tree = tree.Simplify()
	if atBegin(tree) {
		list, _ := beginnings(tree)
		if !slices.Contains(list, "") {
			return quick{prefixes: list}
		}
	}
	return quick{contains: longestLiteral(tree)}
}

// atBegin reports whether an expression matches at a text's beginning alone.
func atBegin(t *syntax.Regexp) bool {
	switch t.Op {
	case syntax.OpConcat:
		return t.Sub[0].Op == syntax.OpBeginText
	case syntax.OpAlternate:
		return !slices.ContainsFunc(t.Sub, func(s *syntax.Regexp) bool { return !atBegin(s) })
	}
	return false
}

// may reports whether the expression may match s.
func (q *quick) may(s string) bool {
	if q.prefixes == nil {
		return strings.Contains(s, q.contains)
	}
	for _, p := range q.prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func (q *quick) mayBytes(b []byte) bool {
	if q.prefixes == nil {
		return bytes.Contains(b, []byte(q.contains))
	}
	for _, p := range q.prefixes {
		if len(b) >= len(p) && string(b[:len(p)]) == p {
			return true
		}
	}
	return false
}

// beginnings lists what texts that match an expression begin with. exact says that each is a whole match, so that what
// follows the expression follows it.
func beginnings(t *syntax.Regexp) (list []string, exact bool) {
	switch t.Op {
	case syntax.OpBeginText, syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		if t.Flags&syntax.FoldCase != 0 {
			return foldedText(t.Rune), false
		}
		return []string{string(t.Rune)}, true
	case syntax.OpCharClass:
		return ofClass(t.Rune)
	case syntax.OpCapture:
		return beginnings(t.Sub[0])
	case syntax.OpPlus:
		list, _ = beginnings(t.Sub[0])
		return list, false
	case syntax.OpQuest:
		if list, exact = beginnings(t.Sub[0]); exact {
			return append(list, ""), true
		}
	case syntax.OpConcat:
		return concatenated(t.Sub)
	case syntax.OpAlternate:
		exact = true
		for _, s := range t.Sub {
			l, e := beginnings(s)
			list, exact = append(list, l...), exact && e
		}
		if len(list) <= mostPrefixes {
			return list, exact
		}
	}
	return []string{""}, false
}

// enough reports whether every beginning is long enough to tell texts apart.
func enough(list []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return len(s) < 6 })
}

// folded returns every case of a rune.
func folded(r rune) (list []string) {
	list = []string{string(r)}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		list = append(list, string(f))
	}
	return list
}

// foldedText returns every case of a text's first runes, as many as make few beginnings.
func foldedText(text []rune) []string {
	const most = 16
	list := []string{""}
	for _, r := range text {
		cases := folded(r)
		if len(list)*len(cases) > most {
			break
		}
		var longer []string
		for _, l := range list {
			for _, c := range cases {
				longer = append(longer, l+c)
			}
		}
		list = longer
	}
	return list
}

// ofClass lists a small class of runes; ranges is in pairs.
func ofClass(ranges []rune) (list []string, exact bool) {
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(list) == 16 {
				return []string{""}, false
			}
			list = append(list, string(r))
		}
	}
	return list, true
}

func concatenated(subs []*syntax.Regexp) (list []string, exact bool) {
	list = []string{""}
	for _, s := range subs {
		if enough(list) {
			return list, false
		}
		next, e := beginnings(s)
		if len(list)*len(next) > mostPrefixes {
			return list, false
		}
		var joined []string
		for _, a := range list {
			for _, b := range next {
				joined = append(joined, a+b)
			}
		}
		list = joined
		if !e {
			return list, false
		}
	}
	return list, true
}

// longestLiteral returns the longest text that every match holds, "" if there is none.
func longestLiteral(t *syntax.Regexp) string {
	best := ""
	switch t.Op {
	case syntax.OpLiteral:
		if t.Flags&syntax.FoldCase == 0 {
			best = string(t.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		best = longestLiteral(t.Sub[0])
	case syntax.OpConcat:
		for _, s := range t.Sub {
			if l := longestLiteral(s); len(l) > len(best) {
				best = l
			}
		}
	}
	return best
}
