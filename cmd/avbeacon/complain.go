package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"avbeacon/internal/report"
)

// complain prints an error; what a file or a packet put into it cannot steer the terminal.
func complain(w io.Writer, err error) {
	if list := joined(err); len(list) > 1 {
		for _, x := range list {
			complain(w, x)
		}
		return
	}
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = report.Clean(lines[i])
	}
	fmt.Fprintf(w, "avbeacon: %s\n", strings.Join(lines, "\n"))
}

// joined returns the errors that errors.Join combined into err, nil for any other error.
func joined(err error) []error {
	x, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(x.Unwrap()...).Error() {
		return nil
	}
	return x.Unwrap()
}
