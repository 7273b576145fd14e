package alert

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MostText is the greatest length of a text in an Alert, in bytes; what is longer ends with "…".
const MostText = 1024

// text makes a text from the wire valid UTF-8 of bounded length: a byte that is none becomes \DDD, as in the report.
func text(s string) string {
	return escaped(s, func(r rune, size int) bool { return r == utf8.RuneError && size == 1 })
}

// line is text on one line that cannot steer a terminal: what is not printable becomes \DDD or \u{X}.
func line(s string) string {
	return escaped(s, func(r rune, size int) bool { return r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) })
}

func escaped(s string, bad func(r rune, size int) bool) string {
	clean := len(s) <= MostText
	for i := 0; clean && i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		clean = !bad(r, n)
		i += n
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+n]
		switch {
		case n == 1 && bad(r, n):
			piece = fmt.Sprintf(`\%03d`, s[i])
		case bad(r, n):
			piece = fmt.Sprintf(`\u{%X}`, r)
		}
		if b.Len()+len(piece) > MostText-len("…") {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
		i += n
	}
	return b.String()
}

// plural writes a number with its noun, which takes an s.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
