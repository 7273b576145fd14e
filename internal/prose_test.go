package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// banned is a word that prose here once used in a sense of its own.
type banned struct {
	word, unless string // expressions; unless looks at what follows the word
	instead      string
}

// dialect lists what a native reader stumbles over. CONTRIBUTING.md lists the words that are used.
func dialect() []banned {
	return []banned{
		{`told`, `^,? (apart|from)`, "reported, logged, sent, shown"},
		{`tells`, `^[^.]{0,60} (apart|from)\b`, "reports, returns, shows, says"},
		{`look-ups?`, ``, "DNS query"},
		{`ways? out`, `^ of`, "Internet edge"},
		{`anew`, ``, "again, new"},
		{`(takes?|took|taken|taking) up`, `^ (room|space|time)`, "reloads, reads"},
		{`(speaks?|spoken|speaking|spoke) of`, ``, "is about, mentions"},
		{`stands`, `^ for`, "is, lies, is written"},
		{`of concern to`, ``, "of concern (policy NAME)"},
		{`names? alone`, ``, "DNS queries only"},
		{`(that|which|it|what) (is|are) none`, `^ of`, "say what it is not"},
		{`is over`, `^ \d`, "has ended, has expired"},
		{`of late`, ``, "recently"},
		{`goes on`, ``, "continues"},
	}
}

// unedited are the folders whose prose is still to be edited.
func unedited() []string {
	return nil
}

func TestProseIsPlain(t *testing.T) {
	t.Parallel()
	type rule struct {
		banned
		word, unless *regexp.Regexp
	}
	var rules []rule
	for _, b := range dialect() {
		rules = append(rules, rule{b, regexp.MustCompile(`(?i)\b` + b.word + `\b`), regexp.MustCompile(b.unless)})
	}
	found := 0
	for _, p := range prose(t) {
		for _, r := range rules {
			for _, m := range r.word.FindAllStringIndex(p.text, -1) {
				if r.banned.unless != "" && r.unless.MatchString(p.text[m[1]:]) {
					continue
				}
				found++
				if !slices.ContainsFunc(unedited(), func(folder string) bool { return within(p.folder, folder+"/...") }) {
					around := p.text[max(0, m[0]-40):min(len(p.text), m[1]+40)]
					t.Errorf("%s: %q: write %s", p.at, around, r.instead)
				}
			}
		}
	}
	t.Logf("%d words to exchange", found)
}

// passage is a piece of prose: a comment, a text of the program, a note of the catalogue, or a Markdown file without its code.
type passage struct {
	folder, at, text string
}

// prose returns what people read in this repository. Names of fields, options and keys are no prose: they have no space in them.
func prose(t *testing.T) (all []passage) {
	t.Helper()
	fenced := regexp.MustCompile("(?ms)^```.*?^```|`[^`]*`")
	note := regexp.MustCompile(`(?m)(?:note: *|# )(.*)$`)
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		base := d.Name()
		if d.IsDir() {
			if base == "testdata" || name != ".." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		at := filepath.ToSlash(strings.TrimPrefix(name, ".."+string(filepath.Separator)))
		folder := strings.TrimSuffix(at, "/"+base)
		add := func(at, text string) { all = append(all, passage{folder, at, text}) }
		switch filepath.Ext(base) {
		case ".go":
			if base != "prose_test.go" {
				goProse(t, name, add)
			}
		case ".md":
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			add(at, strings.Join(strings.Fields(fenced.ReplaceAllString(string(text), "")), " "))
		case ".yaml":
			text, err := os.ReadFile(name)
			require.NoError(t, err)
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
