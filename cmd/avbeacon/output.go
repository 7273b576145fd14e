package main

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// output is the destination of a report: standard output, or a file that appears complete or not at all.
type output struct {
	*bufio.Writer
	asked string   // the option and the name that the user gave, for errors
	file  *os.File // nil if the writer is not a file
	name  string   // final name of the file; "" if it is written in place
}

// openOutput opens the file that an option (--output, --alerts) names before anything is read, so that a bad name is
// reported at once. A device or pipe is written in place; the target of a symbolic link is replaced, not the link.
func openOutput(option, name string, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		f, _ := stdout.(*os.File)
		return &output{Writer: bufio.NewWriter(stdout), asked: "standard output", file: f}, nil
	}
	asked := option + " " + name
	mode := os.FileMode(0o600) // it says who runs what
	if err := trusted(name, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", asked, err)
	}
	if at, err := filepath.EvalSymlinks(name); err == nil {
		name = at
	}
	if st, err := os.Stat(name); err == nil {
		if st.IsDir() {
			return nil, fmt.Errorf("%s: is a folder", asked)
		}
		if !st.Mode().IsRegular() {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", asked, reason(err))
			}
			return &output{Writer: bufio.NewWriter(f), asked: asked, file: f}, nil
		}
		mode = st.Mode().Perm() // an existing file keeps it
	}
	beside := fmt.Sprintf(".%s.%.8s", filepath.Base(name), rand.Text())
	f, err := os.OpenFile(filepath.Join(filepath.Dir(name), beside), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", asked, reason(err))
	}
	o := &output{Writer: bufio.NewWriter(f), asked: asked, file: f, name: name}
	if err := f.Chmod(mode); err != nil { // the umask took some of it
		return nil, errors.Join(o.failed(err), o.discard())
	}
	return o, nil
}

// trusted returns an error if a symbolic link on the way to the file belongs neither to this user nor to root: somebody else would choose
// what is replaced. links were followed until here. The file system must not change meanwhile; for that, folders have permissions.
func trusted(name string, links int) error {
	at, err := filepath.Abs(name)
	for ; err == nil && at != filepath.Dir(at); at = filepath.Dir(at) {
		st, missing := os.Lstat(at)
		if missing != nil || st.Mode()&os.ModeSymlink == 0 {
			continue
		}
		if !ours(st) {
			return fmt.Errorf("%s is a symbolic link that belongs to another user; name its target", at)
		}
		if target, unread := os.Readlink(at); unread == nil && links < 40 { // the system follows no more
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			err = trusted(target, links+1)
		}
	}
	return err
}

// reason returns a file error without the file's name, which may differ from the one that the user gave.
func reason(err error) error {
	var p *os.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// finish ends an output after everything was written to it, or writing failed: the file gets its final name, or nothing of it stays.
func (o *output) finish(written error) error {
	err := cmp.Or(written, o.Flush()) // after a failed write, Flush fails with the same error
	if o.name == "" {
		return o.failed(err)
	}
	if err = cmp.Or(err, o.file.Close()); err == nil {
		err = os.Rename(o.file.Name(), o.name)
	}
	if err != nil {
		_ = os.Remove(o.file.Name()) // the first error is the one to act on
	}
	return o.failed(err)
}

// failed says which output an error is about; nil for nil.
func (o *output) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", o.asked, reason(err))
}

// discard deletes what was written.
func (o *output) discard() error {
	if o.name == "" {
		return nil
	}
	return errors.Join(o.file.Close(), os.Remove(o.file.Name()))
}

// terminal returns a terminal's width in columns, 0 if f is not a terminal, and whether it shows colours (https://no-color.org).
func terminal(f *os.File) (width int, color bool) {
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
