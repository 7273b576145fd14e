package feeds

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems is how many problems one load reports; what comes after them is only counted.
const maxProblems = 500

// Problem is one thing that is wrong, or looks wrong, in a catalogue file.
type Problem struct {
	File    string
	Line    int // from 1; 0 where the whole file is meant
	Col     int // from 1, in characters; 0 where the whole line is meant
	Warning bool
	Text    string
}

// String returns file:line:column: text; of the folder as a whole the text alone, for its name is the caller's to say.
func (p Problem) String() string {
	if p.File == "." {
		return p.Text
	}
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Col > 0 {
			fmt.Fprintf(&b, ":%d", p.Col)
		}
	}
	if p.Warning {
		b.WriteString(": warning")
	}
	return b.String() + ": " + p.Text
}

// LoadError holds every error of a load, in order of file and line. Nothing was loaded.
type LoadError struct{ Problems []Problem }

// Error returns one line a problem.
func (e *LoadError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems gathers what a load or a check finds.
type problems struct {
	list    []Problem
	dropped int
}

func (p *problems) add(x Problem) {
	if len(p.list) >= maxProblems {
		p.dropped++
		return
	}
	p.list = append(p.list, x)
}

// sorted returns the problems by file, line and column.
func (p *problems) sorted() []Problem {
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	if p.dropped > 0 {
		last := p.list[len(p.list)-1].File
		return append(p.list, Problem{File: last, Text: fmt.Sprintf("%d more problems are not shown", p.dropped)})
	}
	return slices.Clone(p.list)
}

// err returns nil where no problem is an error.
func (p *problems) err() error {
	bad := slices.DeleteFunc(p.sorted(), func(x Problem) bool { return x.Warning })
	if len(bad) == 0 {
		return nil
	}
	return &LoadError{Problems: bad}
}
