package main

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// follows FILE SCHEMA: the file (or stdout) is one JSON document that follows the program's schema of that name.
func follows(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: follows FILE SCHEMA")
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	text, err := schema(args[1])
	ts.Check(err)
	form, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	ts.Check(err)
	c := jsonschema.NewCompiler()
	ts.Check(c.AddResource(args[1], form))
	s, err := c.Compile(args[1])
	ts.Check(err)
	if err := s.Validate(doc); (err != nil) != neg {
		ts.Fatalf("%s and the schema of %s: %v", args[0], args[1], err)
	}
}

// exits CODE COMMAND...: the command ends with exactly that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var x *exec.ExitError
	switch {
	case errors.As(err, &x):
		code = x.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, not %d", code, want)
	}
}

// same FILE FILE...: the files are equal but for the time of their making.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: same FILE FILE...")
	}
	first := withoutTime(ts.ReadFile(args[0]))
	for _, name := range args[1:] {
		if withoutTime(ts.ReadFile(name)) != first {
			ts.Fatalf("%s differs from %s", name, args[0])
		}
	}
}

func withoutTime(report string) string {
	var out []string
	for line := range strings.Lines(report) {
		if !strings.HasPrefix(line, ` "generated": `) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
