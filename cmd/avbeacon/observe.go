package main

import (
	"bufio"
	"cmp"
	"io"
	"os"

	"github.com/spf13/cobra"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
)

// observeOptions are the flags of observe.
type observeOptions struct {
	workers int
	headers []string
	quiet   bool
}

func newObserve(s *streams) *cobra.Command {
	o := &observeOptions{}
	c := &cobra.Command{
		Use:   "observe FILE...",
		Short: "Print everything seen in captures as JSON lines",
		Long: `Reads captures as analyze does and prints every observation (DNS, TLS, QUIC, HTTP, DHCP, ARP,
NetBIOS and flows) as one JSON object a line, in packet order. It does not use the
catalogue and makes no findings. 'avbeacon schema observe' prints the schema of the lines.

Exit codes: 0 ran; 2 something could not be read or done.`,
		Example: `  avbeacon observe office.pcap
  avbeacon observe --header X-Forwarded-For office.pcap | jq 'select(.kind == "http_request")'
  tcpdump -w - -i eth0 | avbeacon observe -`,
		Args: someInputs,
		RunE: func(cmd *cobra.Command, args []string) error { return printObservations(cmd, s, o, args) },
	}
	f := c.Flags()
	f.IntVar(&o.workers, "workers", session.Workers(), "goroutines that read packets; the output does not depend on it")
	f.StringArrayVar(&o.headers, "header", nil, "also print this HTTP request header (repeatable)")
	f.BoolVar(&o.quiet, "quiet", false, "no progress and no warnings on standard error")
	return c
}

func printObservations(cmd *cobra.Command, s *streams, o *observeOptions, args []string) error {
	if err := checkWorkers(o.workers); err != nil {
		return err
	}
	names, err := s.inputs(args)
	if err != nil {
		return err
	}
	defer session.Steady(o.workers)()
	src := files.Open(names, files.Options{Stdin: s.in, BlockSize: session.BlockSize(o.workers)})
	defer src.Close()
	out := bufio.NewWriterSize(s.out, 256<<10)
	lines := report.Lines{Files: names}
	bar := newProgress(src, s.err, o.quiet || isTerminal(s.out))
	opt := observe.Options{Workers: o.workers, Observer: observe.ObserverOptions{Headers: o.headers}}
	_, err = observe.Run(cmd.Context(), bar, opt, observe.Sink{Encode: lines.Append, Line: func(b []byte) error {
		_, err := out.Write(b)
		return err
	}})
	bar.finish()
	if err := cmp.Or(err, out.Flush()); err != nil { // after a failed write, Flush fails with the same error
		return err
	}
	return inputErrors(src.Inputs(), o.quiet, s.err)
}

// isTerminal says that lines and a progress bar would get in each other's way.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	width, _ := terminal(f)
	return width > 0
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
			complain(w, in.Err)
		}
	}
	if bad {
		return &exitError{code: exitIncomplete}
	}
	return nil
}
