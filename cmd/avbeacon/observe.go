package main

import (
	"bufio"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"avbeacon/capture"
	"avbeacon/internal/report"
)

func newObserve(s *streams) *cobra.Command {
	var workers int
	var headers []string
	var quiet bool
	c := &cobra.Command{
		Use:   "observe FILE...",
		Short: "Print all that is seen in captures as JSON lines",
		Args:  cobra.MinimumNArgs(1),
	}
	c.Flags().IntVar(&workers, "workers", defaultWorkers(), "goroutines that look at packets; the output does not depend on it")
	c.Flags().StringSliceVar(&headers, "header", nil, "HTTP request header to print too (repeatable)")
	c.Flags().BoolVar(&quiet, "quiet", false, "no warnings on standard error")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		names, err := capture.ExpandInputs(args)
		if err != nil {
			return err
		}
		src := capture.OpenFiles(names, capture.FileOptions{Stdin: s.in})
		defer src.Close()
		out := bufio.NewWriterSize(s.out, 256<<10)
		lines := report.Lines{Files: names}
		opt := capture.Options{Workers: workers, Observer: capture.ObserverOptions{Headers: headers}}
		_, err = capture.Observe(cmd.Context(), src, opt, capture.Sink{Encode: lines.Append, Line: func(b []byte) error {
			_, err := out.Write(b)
			return err
		}})
		if ferr := out.Flush(); err == nil {
			err = ferr
		}
		if err != nil {
			return err
		}
		return inputErrors(src.Inputs(), quiet, s.err)
	}
	return c
}

// inputErrors prints what could not be read. It is an exitError if there was anything.
func inputErrors(inputs []capture.Input, quiet bool, w io.Writer) error {
	bad := false
	for _, in := range inputs {
		if in.Err == nil {
			continue
		}
		bad = true
		if !quiet {
			fmt.Fprintf(w, "avbeacon: %v\n", in.Err)
		}
	}
	if bad {
		return &exitError{code: exitIncomplete}
	}
	return nil
}
