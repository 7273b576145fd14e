package report

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// fold breaks a line at spaces into pieces of at most width columns; a word that is wider stays whole. Pieces after the first leave
// room for an indent.
func fold(s string, width, indent int) []string {
	var out []string
	var line strings.Builder
	used, room := 0, width
	for word := range strings.SplitSeq(s, " ") {
		n := text.StringWidthWithoutEscSequences(word)
		if used > 0 && used+1+n > room {
			out = append(out, strings.TrimRight(line.String(), " "))
			line.Reset()
			used, room = 0, width-indent
		} else if used > 0 || line.Len() > 0 {
			line.WriteByte(' ')
			used++
		}
		line.WriteString(word)
		used += n
	}
	return append(out, line.String())
}

// foldCell folds each line of a table cell and breaks words that are too long. It leaves coloured text alone: that is short.
func foldCell(s string, width int) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		for _, piece := range fold(line, width, 0) {
			for text.StringWidthWithoutEscSequences(piece) > width && !strings.Contains(piece, "\x1b") {
				head, tail := cut(piece, width)
				out, piece = append(out, head), tail
			}
			out = append(out, piece)
		}
	}
	return strings.Join(out, "\n")
}

// cut splits a text after so many columns, but at least after one character.
func cut(s string, width int) (head, tail string) {
	used := 0
	for i, r := range s {
		used += text.RuneWidth(r)
		if used > width && i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// short returns a text of at most width columns; "..." marks what was left out.
func short(s string, width int) string {
	if text.StringWidthWithoutEscSequences(s) <= width {
		return s
	}
	head, _ := cut(s, width-3)
	return head + "..."
}
