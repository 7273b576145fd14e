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
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "avbeacon"

// arrows says which of our packages each package may import. A new arrow is a change of the plan: this table and the one
// in ARCHITECTURE.md change in the same commit, and its message says why.
func arrows() map[string][]string {
	judged := []string{"capture", "capture/wire", "feeds", "classify", "classify/place", "internal/policy", "internal/alert"}
	return map[string][]string{
		"feeds":                   {},
		"capture/wire":            {},
		"capture/flow":            {},
		"classify/beacon":         {},
		"internal/config":         {"internal/yamlfile"},
		"internal/yamlfile":       {},
		"internal/metrics":        {},
		"internal/privilege":      {},
		"internal/lockfile":       {},
		"internal/logs":           {"internal/config"},
		"internal/testkit":        {},
		"internal/testkit/rounds": {},
		"internal/measure":        {}, // for cmd/bench-*
		"capture":                 {"capture/wire"},
		"capture/files":           {"capture"},
		"capture/live":            {"capture"},
		"capture/decode":          {"capture"},
		"capture/observe":         {"capture", "capture/decode", "capture/flow", "capture/wire"},
		"internal/hosts":          {"capture", "capture/wire"},
		"internal/names":          {"capture", "capture/wire"},
		"classify/place":          {"feeds"},
		"classify":                {"capture", "capture/wire", "feeds", "classify/beacon", "classify/place"},
		"internal/policy":         {"classify", "classify/place", "feeds", "internal/yamlfile"},
		"internal/alert":          {"classify", "classify/place", "internal/policy", "internal/config"},
		"internal/spool":          {"internal/alert", "internal/config", "internal/lockfile"},
		"internal/siem":           {"internal/alert", "internal/config"},
		"internal/report":         judged,
		"internal/store":          append([]string{"internal/report", "internal/lockfile"}, judged...),
		"internal/web":            {"internal/store", "internal/report"},
		"internal/daemon": {"capture", "capture/files", "capture/flow", "capture/live", "capture/observe", "feeds", "internal/hosts", "internal/names", "classify", "classify/place", "internal/policy", "internal/alert",
			"internal/spool", "internal/siem", "internal/report", "internal/store", "internal/pipeline", "internal/privilege", "internal/config", "internal/metrics"},
		"internal/pipeline": {"capture", "capture/observe", "feeds", "internal/hosts", "internal/names", "classify", "internal/policy", "internal/alert", "internal/spool"},
	}
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath, Dir                    string
	GoFiles, IgnoredGoFiles            []string
	Imports, TestImports, XTestImports []string
}

func (p *goPackage) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func (p *goPackage) command() bool { return strings.HasPrefix(p.name(), "cmd/") }

// packages are all of ours that have code beside tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,IgnoredGoFiles,Imports,TestImports,XTestImports", "./...")
	list.Dir = ".."
	out, err := list.Output()
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
	require.Greater(t, len(all), 10, "go list gave too few packages to judge")
	return all
}

func TestImportsFollowTheTable(t *testing.T) {
	table := arrows()
	for _, p := range packages(t) {
		allowed, ok := table[p.name()]
		if !ok && !p.command() {
			t.Errorf("package %s is not in the table", p.name())
			continue
		}
		for _, imported := range ours(p.Imports) {
			switch {
			case strings.HasPrefix(imported, "cmd/"):
				t.Errorf("%s imports the command %s", p.name(), imported)
			case imported == "internal/testkit":
				if p.name() != "cmd/mktestdata" {
					t.Errorf("%s imports internal/testkit, which is for tests and cmd/mktestdata alone", p.name())
				}
			case !p.command() && !slices.Contains(allowed, imported):
				t.Errorf("%s imports %s: not in its row", p.name(), imported)
			}
		}
		for _, imported := range ours(append(p.TestImports, p.XTestImports...)) {
			if strings.HasPrefix(imported, "cmd/") {
				t.Errorf("a test of %s imports the command %s", p.name(), imported)
			}
		}
	}
}

// ours gives the imports that are of this module, without its name.
func ours(imports []string) []string {
	var names []string
	for _, i := range imports {
		if name, ok := strings.CutPrefix(i, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

func TestTableIsInArchitecture(t *testing.T) {
	text, err := os.ReadFile("../ARCHITECTURE.md")
	require.NoError(t, err)
	written := map[string][]string{}
	_, text, found := bytes.Cut(text, []byte("| package | may import |\n| --- | --- |\n"))
	require.True(t, found, "ARCHITECTURE.md has no import table")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 4 {
			break
		}
		row := []string{}
		for name := range strings.SplitSeq(cells[2], ",") {
			if name = strings.TrimSpace(name); name != "none of ours" {
				row = append(row, name)
			}
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			written[strings.TrimSpace(name)] = row
		}
	}
	require.Equal(t, arrows(), written)
}

// Libraries that must stay where they can be exchanged.
func TestLibrariesStayInTheirPlace(t *testing.T) {
	places := map[string][]string{
		"github.com/google/gopacket":     {"capture/decode", "capture/files", "internal/testkit"},
		"github.com/quic-go/quic-go":     {"internal/testkit", "cmd/mktestdata"},
		"github.com/ncruces/":            {"internal/store"},
		"github.com/maxmind/mmdbwriter":  {"cmd/mkgeo"},
		"github.com/spf13/cobra":         {"cmd/avbeacon"},
		"github.com/oschwald/maxminddb-": {"feeds", "cmd/mkgeo"},
	}
	for _, p := range packages(t) {
		for library, allowed := range places {
			for _, i := range p.Imports {
				if strings.HasPrefix(i, library) && !slices.Contains(allowed, p.name()) {
					t.Errorf("%s imports %s, which belongs in %v", p.name(), i, allowed)
				}
			}
		}
	}
}

// timeless packages know packet time alone.
func timeless() []string {
	return []string{"capture", "classify", "feeds", "capture/wire", "capture/flow", "capture/files", "capture/live", "capture/decode", "capture/observe", "internal/hosts", "internal/names",
		"classify/beacon", "internal/policy"}
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
			if !slices.Contains(timeless(), p.name()) || !imports(file, "time") {
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

// selected gives the names that the file takes from the package or variable of that name.
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

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

func TestFilesAndFunctionsAreSmall(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range append(p.GoFiles, p.IgnoredGoFiles...) {
			at := path.Join(p.name(), name)
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			if n := set.File(file.FileStart).LineCount(); n > maxFileLines {
				t.Errorf("%s: has %d lines; at most %d", at, n, maxFileLines)
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > maxFunctionLines {
					t.Errorf("%s: %s has %d lines; at most %d", at, f.Name.Name, n, maxFunctionLines)
				}
			}
		}
	}
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
