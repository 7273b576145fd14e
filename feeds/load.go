package feeds

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	maxFiles    = 1000
	sourcesFile = "_sources.yaml" // sources that all files may name
)

//go:embed vendors/*.yaml
var embedded embed.FS

// Embedded returns the catalogue that is built into the program.
func Embedded() (*Catalog, error) {
	files, err := EmbeddedFiles()
	if err != nil {
		return nil, err
	}
	if c, ok := fromSnapshot(embeddedSnapshot, files); ok {
		return c, nil
	}
	return LoadFS(files)
}

// EmbeddedFiles returns the built-in catalogue's files, for checking or copying them.
func EmbeddedFiles() (fs.FS, error) {
	files, err := fs.Sub(embedded, "vendors")
	if err != nil {
		return nil, fmt.Errorf("open the embedded catalogue: %w", err)
	}
	return files, nil
}

// LoadDir returns the catalogue of the *.yaml files in a folder, not in its subfolders. If anything in them is wrong it
// returns no catalogue, and a *LoadError with every error in every file.
func LoadDir(dir string) (*Catalog, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("load catalogue: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("load catalogue: %s is not a folder", dir)
	}
	return LoadFS(os.DirFS(dir))
}

// LoadFS is LoadDir over any file system's root.
func LoadFS(fsys fs.FS) (*Catalog, error) {
	var found problems
	files := readAll(fsys, &found)
	checkAcross(files, &found)
	if err := found.err(); err != nil {
		return nil, err
	}
	return build(files), nil
}

// readAll parses every catalogue file of a folder, in order of name.
func readAll(fsys fs.FS, out *problems) []catalogFile {
	names := catalogNames(fsys, out)
	shared := map[string]source{}
	if slices.Contains(names, sourcesFile) {
		_, shared = parseFile(sourcesFile, readFile(fsys, sourcesFile, out), shared, out)
	}
	var files []catalogFile
	for _, name := range names {
		if name == sourcesFile {
			continue
		}
		if data := readFile(fsys, name, out); data != nil {
			f, _ := parseFile(name, data, shared, out)
			files = append(files, f)
		}
	}
	return files
}

// catalogNames lists the *.yaml and *.yml files of a folder, without hidden ones.
func catalogNames(fsys fs.FS, out *problems) []string {
	list, err := fs.ReadDir(fsys, ".")
	if err != nil {
		out.add(Problem{File: ".", Text: fmt.Sprintf("read the folder: %v", err)})
		return nil
	}
	var names []string
	for _, f := range list {
		yaml := strings.HasSuffix(f.Name(), ".yaml") || strings.HasSuffix(f.Name(), ".yml")
		if yaml && !f.IsDir() && !strings.HasPrefix(f.Name(), ".") {
			names = append(names, f.Name())
		}
	}
	switch {
	case len(names) == 0:
		out.add(Problem{File: ".", Text: "the folder holds no *.yaml file"})
	case len(names) > maxFiles:
		out.add(Problem{File: ".", Text: fmt.Sprintf("the folder holds more than %d *.yaml files", maxFiles)})
		return nil
	}
	return names
}

// readFile returns a file's bytes, at most one more than it may have; nil where it cannot be read, which is noted.
func readFile(fsys fs.FS, name string, out *problems) []byte {
	f, err := fsys.Open(name)
	if err == nil {
		defer f.Close()
		data, failed := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
		if failed == nil {
			return data
		}
		err = failed
	}
	out.add(Problem{File: name, Text: fmt.Sprintf("read the file: %v", err)})
	return nil
}

// checkAcross finds what no file shows alone: repeated entries, keys and groups.
func checkAcross(files []catalogFile, out *problems) {
	entries := map[string]*located{}
	vendors := map[string]string{}
	for _, f := range files {
		owner := f.name
		if f.vendor != nil {
			owner = f.vendor.Key
			if first, ok := vendors[owner]; ok {
				out.add(Problem{File: f.name, Text: fmt.Sprintf("vendor %q is in %s already", owner, first)})
			}
			vendors[owner] = f.name
		}
		for _, e := range f.entries {
			id := fmt.Sprint(owner, "\x00", e.Mark, e.Signal, e.Match, e.Pattern, e.Hosts, e.Need)
			if e.Vendor == nil {
				id = fmt.Sprint("\x00", e.Signal, e.Match, e.Pattern, e.Hosts, e.Need)
			}
			first, ok := entries[id]
			if !ok {
				entries[id] = e
				continue
			}
			out.add(Problem{File: e.File, Line: e.Line, Col: e.col,
				Text: fmt.Sprintf("%s %s %q is listed twice: first in %s:%d", e.Signal, e.Match, e.Pattern, first.File, first.Line)})
		}
	}
}
