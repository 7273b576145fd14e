package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// appendText appends s as a JSON string (RFC 8259 7). Bytes that are not UTF-8 become \DDD, a backslash and three
// decimal digits.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // s[plain:i] is still to be copied, unchanged
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		n := 1
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = appendEscape(append(dst, s[plain:i]...), c)
		i += n
		plain = i
	}
	return append(append(dst, s[plain:]...), '"')
}

// appendEscape appends a byte that a JSON string must not hold unescaped.
func appendEscape(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c < utf8.RuneSelf:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, '\\', '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
}

const hexDigits = "0123456789abcdef"

// valid returns s with each byte that is not UTF-8 written as \DDD. Encoders would write a replacement character, and two
// different texts would look the same.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\%03d`, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// validAll returns valid of each text; never nil, so that JSON has an empty list.
func validAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = valid(s)
	}
	return out
}

// Clean makes text from the wire safe for a terminal: control characters, characters that change the direction of writing and bytes
// that are not UTF-8 become \DDD or \u{X}.
func Clean(s string) string {
	if !strings.ContainsFunc(s, unprintable) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, n == 1 && unprintable(r):
			fmt.Fprintf(&b, `\%03d`, s[i])
		case unprintable(r):
			fmt.Fprintf(&b, `\u{%X}`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
