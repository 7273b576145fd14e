package internal_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// banned is a word that prose here once used in a sense of its own, and the word to use.
type banned struct {
	word    *regexp.Regexp
	unless  *regexp.Regexp // what follows the word where it is right; nil: it never is
	instead string
}

// bans are the last column of CONTRIBUTING.md's table of words.
func bans(t *testing.T) (all []banned) {
	t.Helper()
	right := map[string]string{
		"told": `^,? (apart|from)`, "tells": `^[^.]{0,60} (apart|from)\b`, "way out": `^ of`, "ways out": `^ of`, "stands": `^ for`, "is over": `^ \d`,
		"takes up": `^ (room|space|time)`, "take up": `^ (room|space|time)`, "taken up": `^ (room|space|time)`, "took up": `^ (room|space|time)`,
		"that is none": `^ of`, "which is none": `^ of`, "it is none": `^ of`, "what is none": `^ of`, "that are none": `^ of`,
	}
	_, table, found := strings.Cut(readDocument(t, "CONTRIBUTING.md"), "| word | for | not |\n| --- | --- | --- |\n")
	require.True(t, found, "CONTRIBUTING.md has no table of words")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			break
		}
		for word := range strings.SplitSeq(cells[3], ",") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			b := banned{word: regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(word) + `\b`), instead: strings.TrimSpace(cells[1])}
			if unless := right[word]; unless != "" {
				b.unless = regexp.MustCompile(unless)
			}
			all = append(all, b)
		}
	}
	require.Greater(t, len(all), 30)
	return all
}

// wrong returns the places of a text that have a banned word, each with the word to use.
func wrong(all []banned, text string) (out []string) {
	for _, b := range all {
		for _, m := range b.word.FindAllStringIndex(text, -1) {
			if b.unless == nil || !b.unless.MatchString(text[m[1]:]) {
				out = append(out, strconv.Quote(text[max(0, m[0]-40):min(len(text), m[1]+40)])+": write "+b.instead)
			}
		}
	}
	return out
}

func TestProseIsPlain(t *testing.T) {
	t.Parallel()
	all := bans(t)
	require.Len(t, wrong(all, "It was told anew. Those can be told apart. It takes up space. This is no way out."), 3, "the test finds words")
	for _, p := range prose(t) {
		for _, one := range wrong(all, p.text) {
			t.Errorf("%s: %s", p.at, one)
		}
	}
}

// passage is a piece of prose: a comment, a text of the program, a note of the catalogue, a script's comments, or a Markdown file
// without its code.
type passage struct {
	at, text string
}

// prose returns what people read in this repository. Names of fields, options and keys are no prose: they have no space in them.
func prose(t *testing.T) (all []passage) {
	t.Helper()
	fenced := regexp.MustCompile("(?ms)^```.*?^```|`[^`]*`|^\\| word \\| for \\| not \\|$.*?^$")
	note := regexp.MustCompile(`(?m)(?:note: *|#+ )(.*)$`)
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		at := filepath.ToSlash(strings.TrimPrefix(name, ".."+string(filepath.Separator)))
		if d.IsDir() {
			if name != ".." && strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" || d.Name() == "testdata" && at != "cmd/avbeacon/testdata" {
				return fs.SkipDir
			}
			return nil
		}
		add := func(at, text string) { all = append(all, passage{at, text}) }
		kind := cmp.Or(filepath.Ext(name), d.Name())
		switch kind {
		case ".go":
			if d.Name() != "prose_test.go" {
				goProse(t, name, add)
			}
		case ".md", ".yaml", ".txtar", "Makefile", "run":
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			if kind == ".md" {
				add(at, strings.Join(strings.Fields(fenced.ReplaceAllString(string(text), "")), " "))
				break
			}
			for _, m := range note.FindAllStringSubmatch(string(text), -1) {
				add(at, m[1])
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(all), 1000)
	return all
}

func goProse(t *testing.T, name string, add func(at, text string)) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution|parser.ParseComments)
	require.NoError(t, err)
	for _, c := range file.Comments {
		add(files.Position(c.Pos()).String(), strings.Join(strings.Fields(c.Text()), " "))
	}
	if strings.HasSuffix(name, "_test.go") {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil && strings.Contains(strings.TrimSpace(text), " ") {
				add(files.Position(l.Pos()).String(), text)
			}
		}
		return true
	})
}
