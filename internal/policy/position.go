package policy

import "unicode"

// source is the text of a policy file, to find the line and column of a place inside a value.
type source struct{ text []rune }

// inside returns the line and column of a rune in a text value that begins at a line and column, however it is quoted or folded.
func (s *source) inside(line, col int, value string, offset int) (int, int) {
	at := s.index(line, col)
	if at < 0 {
		return line, col
	}
	var quote rune
	switch s.text[at] {
	case '|', '>':
		for at < len(s.text) && s.text[at] != '\n' {
			at++
		}
	case '"', '\'':
		quote = s.text[at]
		at++
	}
	for i, want := range []rune(value) {
		at = s.follow(at, want, quote)
		if at >= len(s.text) {
			return line, col
		}
		if i == offset {
			return s.lineAndColumn(at)
		}
		at++
		if quote == '\'' && want == '\'' {
			at++
		}
	}
	return line, col
}

// follow returns the index in the file of the value's next rune, from at on. White space in the value matches any white space in the
// file.
func (s *source) follow(at int, want, quote rune) int {
	for ; at < len(s.text); at++ {
		have := s.text[at]
		switch {
		case have == want, unicode.IsSpace(want) && unicode.IsSpace(have):
			return at
		case unicode.IsSpace(have), have == '\\' && quote == '"':
		default:
			return len(s.text) // an escape: report the beginning of the value
		}
	}
	return at
}

// index returns the place in the file of a line and column, -1 if there is none.
func (s *source) index(line, col int) int {
	l, c := 1, 1
	for i, r := range s.text {
		if l == line && c == col {
			return i
		}
		c++
		if r == '\n' {
			l, c = l+1, 1
		}
	}
	return -1
}

// lineAndColumn counts runes from 1, as editors do.
func (s *source) lineAndColumn(at int) (line, col int) {
	line, col = 1, 1
	for _, r := range s.text[:at] {
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return line, col
}
