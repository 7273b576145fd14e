// Package internal_test holds the plan of the house as tests: who may import whom, and what no code may do.
package internal_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "avbeacon"

// arrows returns which of our packages each package may import, as the table in ARCHITECTURE.md says, and the packages in the
// table's order. "capture/..." in a row stands for capture and all packages below it. A new arrow is a change of the plan: the
// table changes in the same commit, and its message says why.
func arrows(t *testing.T) (rows map[string][]string, order []string) {
	t.Helper()
	_, table, found := strings.Cut(readDocument(t, "ARCHITECTURE.md"), "| package | what it does | may import |\n| --- | --- | --- |\n")
	require.True(t, found, "ARCHITECTURE.md has no import table")
	rows = map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			break
		}
		var row []string
		for name := range strings.SplitSeq(cells[3], ",") {
			switch name = strings.TrimSpace(name); {
			case name == "none", name == "everything":
			case anyWithin(name, outside):
				row = append(row, name)
			default:
				row = append(row, "internal/"+name)
			}
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			name = strings.TrimSpace(name)
			require.NotContains(t, rows, name, "two rows for one package")
			rows[name] = row
			order = append(order, name)
		}
	}
	return rows, order
}

// outside are the packages that the table writes in full; those of internal it writes without that prefix.
var outside = []string{"capture/...", "classify/...", "feeds/..."}

// within reports whether a package is the one of a pattern, or below it where the pattern ends in "/...".
func within(name, pattern string) bool {
	folder, all := strings.CutSuffix(pattern, "/...")
	return name == folder || all && strings.HasPrefix(name, folder+"/")
}

func anyWithin(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(name, p) })
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath, Dir                    string
	GoFiles, IgnoredGoFiles            []string
	Imports, TestImports, XTestImports []string
}

func (p *goPackage) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func (p *goPackage) command() bool { return strings.HasPrefix(p.name(), "cmd/") }

// listed is the output of go list, which several tests read.
var listed = sync.OnceValues(func() ([]byte, error) {
	list := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports", "./...")
	list.Dir = ".."
	return list.Output()
})

// packages are all of ours that have code beside tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := listed()
	require.NoError(t, err, "go list")
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	require.Greater(t, len(all), 10, "go list returned too few packages to judge")
	return all
}

// imported returns all imports of a package's code beside tests, of every platform.
func (p *goPackage) imported(t *testing.T) []string {
	t.Helper()
	all := slices.Clone(p.Imports)
	for _, name := range p.IgnoredGoFiles {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, i := range parse(t, filepath.Join(p.Dir, name)).Imports {
			library, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			all = append(all, library)
		}
	}
	return all
}

func TestImportsFollowTheTable(t *testing.T) {
	table, order := arrows(t)
	present, used := map[string]bool{}, map[[2]string]bool{}
	for _, p := range packages(t) {
		name := p.name()
		present[name] = true
		allowed, ok := table[name]
		if !ok && !p.command() {
			t.Errorf("package %s is not in the table", name)
			continue
		}
		for _, imported := range ours(p.imported(t)) {
			for _, pattern := range allowed {
				if within(imported, pattern) {
					used[[2]string{name, pattern}] = true
				}
			}
			switch {
			case strings.HasPrefix(imported, "cmd/"):
				t.Errorf("%s imports the command %s", name, imported)
			case within(imported, "internal/testkit/...") && !within(name, "internal/testkit/..."):
				if name != "cmd/mktestdata" && name != "cmd/mkbench" {
					t.Errorf("%s imports internal/testkit, which is for tests and for what makes captures", name)
				}
			case !p.command() && !anyWithin(imported, allowed):
				t.Errorf("%s imports %s, which is not in its row", name, imported)
			}
		}
		for _, imported := range ours(append(p.TestImports, p.XTestImports...)) {
			if strings.HasPrefix(imported, "cmd/") {
				t.Errorf("a test of %s imports the command %s", name, imported)
			}
		}
	}
	for _, name := range order {
		if !present[name] {
			t.Errorf("the table has a row for %s, a package that does not exist", name)
			continue
		}
		for _, pattern := range table[name] {
			if !used[[2]string{name, pattern}] {
				t.Errorf("the table lets %s import %s, which it does not", name, pattern)
			}
		}
	}
}

// What packets become and what is known of them is below everything that a program does with it: nothing in these folders
// imports from outside of them.
func TestNoArrowRunsUp(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range ours(p.imported(t)) {
			switch {
			case within(p.name(), "capture/...") && !within(imported, "capture/..."),
				within(p.name(), "feeds/...") && !within(imported, "feeds/..."),
				within(p.name(), "classify/...") && strings.HasPrefix(imported, "internal/"):
				t.Errorf("%s imports %s", p.name(), imported)
			}
		}
	}
}

// ours returns the imports that are of this module, without its name.
func ours(imports []string) []string {
	var names []string
	for _, i := range imports {
		if name, ok := strings.CutPrefix(i, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

// Libraries that must stay where they can be exchanged.
func TestLibrariesStayInTheirPlace(t *testing.T) {
	places := map[string][]string{
		"github.com/google/gopacket":     {"capture/...", "internal/testkit"},
		"github.com/quic-go/quic-go":     {"internal/testkit", "cmd/mktestdata"},
		"github.com/ncruces/":            {"internal/store"},
		"github.com/maxmind/mmdbwriter":  {"cmd/mkgeo"},
		"github.com/spf13/cobra":         {"cmd/avbeacon"},
		"github.com/oschwald/maxminddb-": {"feeds", "cmd/mkgeo"},
	}
	for _, p := range packages(t) {
		for library, allowed := range places {
			for _, i := range p.imported(t) {
				if strings.HasPrefix(i, library) && !anyWithin(p.name(), allowed) {
					t.Errorf("%s imports %s, which belongs in %v", p.name(), i, allowed)
				}
			}
		}
	}
}

// timeless are the packages that know packet time alone.
func timeless() []string {
	return []string{"capture/...", "classify/...", "feeds/...", "internal/hosts", "internal/names", "internal/policy"}
}

func TestCodeKeepsTheRules(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, p := range packages(t) {
		for _, name := range append(p.GoFiles, p.IgnoredGoFiles...) {
			file := parse(t, filepath.Join(p.Dir, name))
			at := path.Join(p.name(), name)
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s: has an init function", at)
				}
			}
			if !p.command() {
				for _, library := range []string{"flag", "github.com/spf13/pflag", "github.com/spf13/cobra"} {
					if imports(file, library) {
						t.Errorf("%s: imports %s; flags live in cmd alone", at, library)
					}
				}
			}
			if !anyWithin(p.name(), timeless()) || !imports(file, "time") {
				continue
			}
			for _, used := range selected(file, "time") {
				if slices.Contains(clock, used) {
					t.Errorf("%s: uses time.%s; packet time is the only clock here", at, used)
				}
			}
		}
	}
}

// A note is for people. What decides something is a field of the entry, which the loader checks.
func TestNoCodeSearchesNotes(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range append(p.GoFiles, p.IgnoredGoFiles...) {
			ast.Inspect(parse(t, filepath.Join(p.Dir, name)), func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				from, _ := f.X.(*ast.Ident)
				search := from != nil && from.Name == "strings" || strings.HasPrefix(f.Sel.Name, "Match") || strings.HasPrefix(f.Sel.Name, "Find")
				for _, a := range call.Args {
					if s, ok := a.(*ast.SelectorExpr); ok && search && s.Sel.Name == "Note" {
						t.Errorf("%s: %s searches a note; add a field to the entry", path.Join(p.name(), name), f.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution|parser.ParseComments)
	require.NoError(t, err)
	return file
}

func imports(file *ast.File, library string) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
		name, err := strconv.Unquote(i.Path.Value)
		return err == nil && name == library
	})
}

// selected returns the names that the file uses from the package or variable of that name.
func selected(file *ast.File, from string) []string {
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == from {
				names = append(names, s.Sel.Name)
			}
		}
		return true
	})
	return names
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		said := false
		for _, name := range p.GoFiles {
			said = said || parse(t, filepath.Join(p.Dir, name)).Doc != nil
		}
		if !said {
			t.Errorf("%s: no file has a package comment", p.name())
		}
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc"}, path.Base(p.name())) {
			t.Errorf("%s: the name says nothing", p.name())
		}
	}
}

// The root holds these and what .gitignore names.
func TestRootHoldsNothingElse(t *testing.T) {
	folders := []string{"cmd", "capture", "classify", "feeds", "internal", "testdata", ".ci", ".git"}
	files := []string{"go.mod", "go.sum", "Makefile", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md",
		"CHANGELOG.md", "LICENSE", ".gitignore", ".golangci.yml", ".git"} // .git is a file in a worktree
	ignored := ignoredAtRoot(t)
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
		allowed := files
		if e.IsDir() {
			allowed = folders
		}
		if !slices.Contains(allowed, e.Name()) && !ignored(e) {
			t.Errorf("%s does not belong at the root", e.Name())
		}
	}
	for _, name := range append(files[:len(files)-1], folders[:len(folders)-1]...) {
		require.Contains(t, found, name, "missing at the root")
	}
}

// ignoredAtRoot understands the patterns that our .gitignore has: names, /names, folders/ and stars.
func ignoredAtRoot(t *testing.T) func(fs.DirEntry) bool {
	t.Helper()
	text, err := os.ReadFile("../.gitignore")
	require.NoError(t, err)
	patterns := strings.Fields(string(text))
	return func(e fs.DirEntry) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			folder := strings.HasSuffix(pattern, "/")
			match, err := path.Match(strings.Trim(pattern, "/"), e.Name())
			return err == nil && match && (!folder || e.IsDir())
		})
	}
}
