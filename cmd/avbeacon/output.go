package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// output is where a report goes: standard output, or a file that appears whole or not at all.
type output struct {
	*bufio.Writer
	file *os.File // nil where the writer is no file
	name string   // "" for standard output
}

func openOutput(name string, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		f, _ := stdout.(*os.File)
		return &output{Writer: bufio.NewWriter(stdout), file: f}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	return &output{Writer: bufio.NewWriter(f), file: f, name: name}, nil
}

// commit makes what was written visible under its name.
func (o *output) commit() error {
	if err := o.Flush(); err != nil {
		o.discard()
		return err
	}
	if o.name == "" {
		return nil
	}
	if err := o.file.Chmod(0o644); err != nil {
		o.discard()
		return err
	}
	if err := o.file.Close(); err != nil {
		os.Remove(o.file.Name())
		return err
	}
	return os.Rename(o.file.Name(), o.name)
}

// discard forgets what was written to a file.
func (o *output) discard() error {
	if o.name == "" {
		return nil
	}
	o.file.Close()
	return os.Remove(o.file.Name())
}

// terminal tells a file's width in columns and whether it shows colours (https://no-color.org).
func terminal(f *os.File) (width int, color bool) {
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
