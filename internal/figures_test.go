package internal_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// limitsFile is the table of limits.
const limitsFile = "capture/limits/README.md"

// Every limit in the table is the constant that its row names.
func TestFiguresAreTheCode(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| [^|]+ \| ([\d,]+)( MiB| KiB|) \| ([a-z/]+) (\w+) \| [^|]+ \|$`)
	all := row.FindAllStringSubmatch(readDocument(t, limitsFile), -1)
	require.Greater(t, len(all), 20)
	for _, m := range all {
		want, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
		require.NoError(t, err)
		want <<= map[string]int{"": 0, " KiB": 10, " MiB": 20}[m[2]]
		have, ok := constantOf(t, m[3], m[4])
		if !ok || have != want {
			t.Errorf("%s says %s%s, %s in %s is %d (found: %v)", limitsFile, m[1], m[2], m[4], m[3], have, ok)
		}
	}
}

// constantOf returns the value of an integer constant of a package.
func constantOf(t *testing.T, folder, name string) (int64, bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	require.NoError(t, err)
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				for i, id := range s.(*ast.ValueSpec).Names {
					if id.Name != name {
						continue
					}
					v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(s.(*ast.ValueSpec).Values[i]))
					require.NoError(t, err, "%s %s", folder, name)
					return constant.Int64Val(v.Value)
				}
			}
		}
	}
	return 0, false
}

// Paths that the documents name exist.
func TestDocumentsNameRealPaths(t *testing.T) {
	named := regexp.MustCompile("`((?:capture|classify|cmd|feeds|internal|testdata|\\.ci)(?:/[\\w.*-]+)+)`")
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", limitsFile} {
		for _, m := range named.FindAllStringSubmatch(readDocument(t, name), -1) {
			found, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(m[1])))
			require.NoError(t, err)
			if len(found) == 0 {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
}
