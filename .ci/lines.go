//go:build ignore

// lines counts the lines of code in the folders it is given: those that hold a token of Go. Comments, blank lines, tests and
// generated files do not count. It prints one number a folder and the sum. With -max it fails where the sum is greater.
//
//	go run .ci/lines.go [-max N] [-by DEPTH] FOLDER...
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	most := flag.Int("max", 0, "fail where there are more lines")
	depth := flag.Int("by", 1, "elements of a path by which lines are summed up")
	flag.Parse()
	sums, all := map[string]int{}, 0
	for _, root := range flag.Args() {
		err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			n, err := lines(name)
			folders := strings.Split(filepath.ToSlash(filepath.Dir(name)), "/")
			sums[strings.Join(folders[:min(*depth, len(folders))], "/")] += n
			all += n
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(sums)) {
		fmt.Printf("%7d %s\n", sums[folder], folder)
	}
	fmt.Printf("%7d lines of code\n", all)
	if *most > 0 && all > *most {
		log.Fatalf("more than %d", *most)
	}
}

// lines counts a file's. A token may span several: a raw string. The semicolons that the scanner adds are not in the file.
func lines(name string) (int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, text, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil || ast.IsGenerated(parsed) {
		return 0, err
	}
	var s scanner.Scanner
	file := files.AddFile(name, -1, len(text))
	s.Init(file, text, nil, 0)
	count, last := 0, 0
	for {
		at, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return count, nil
		case tok == token.SEMICOLON && literal == "\n":
			continue
		}
		first := max(file.Line(at), last+1)
		for i, line := range strings.Split(literal, "\n") {
			if n := file.Line(at) + i; n >= first && (i == 0 || strings.TrimSpace(line) != "") {
				count, last = count+1, n
			}
		}
	}
}
