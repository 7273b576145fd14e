package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
	"avbeacon/internal/store"
)

// analyzeOptions are the flags of analyze.
type analyzeOptions struct {
	knowledge
	site
	alerts                 alertFlags
	format, output, failOn string
	policy, idKey, sensor  string
	hash, explain, db      string
	workers                int
	quiet                  bool
}

func newAnalyze(s *streams) *cobra.Command {
	o := &analyzeOptions{}
	c := &cobra.Command{
		Use:   "analyze FILE...",
		Short: "List the hosts whose antivirus calls home",
		Long: `Reads captures (pcap, pcapng and snoop, also compressed with gzip or zstd; - is standard input;
folders and globs of rotated files are read in order of time) and reports which hosts contact an
antivirus vendor's servers, the evidence, where those servers are, and what the captures could not
show.

The report lists the hosts first, then the evidence (+ supports the verdict, - does not count or
counts against it, > is a destination), then the limitations. 'avbeacon schema report' prints the
schema of the JSON report.

Exit codes: 0 ran; 2 something could not be read or done (the rest is reported);
1 --fail-on found something of concern, whatever else happened.`,
		Example: `  avbeacon analyze office.pcap
  avbeacon analyze --explain 10.0.0.5 office.pcap
  avbeacon analyze --format json -o report.json /var/captures
  tcpdump -w - -i eth0 | avbeacon analyze -
  avbeacon analyze --fail-on likely --quiet --format jsonl *.pcap.gz`,
		Args: someInputs,
		RunE: func(cmd *cobra.Command, args []string) error { return analyze(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.knowledge.flags(f)
	o.site.flags(f)
	o.alerts.flags(f)
	o.reportFlags(f)
	f.StringVar(&o.idKey, "id-key", "", "file with the key of the hashes that replace personal identifiers (default: a new key for each run)")
	f.StringVar(&o.sensor, "sensor", "", "sensor name, where the capture was taken; part of finding ids")
	f.IntVar(&o.workers, "workers", session.Workers(), "goroutines that read packets; the result does not depend on it")
	f.BoolVar(&o.quiet, "quiet", false, "no progress and no warnings on standard error")
	f.StringVar(&o.db, "db", "", "store `FILE` to continue from and add to; the report covers everything in it. A capture that it already has is not counted again")
	f.StringVar(&o.hash, "hash", "auto", "compute the SHA-256 of inputs: always, never, or auto (files up to 64 MiB)")
	return c
}

// reportFlags are the flags of the commands that write a report.
func (o *analyzeOptions) reportFlags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "text", "text, json, jsonl or csv")
	f.StringVarP(&o.output, "output", "o", "", "write the report to this file, not to standard output")
	f.StringVar(&o.explain, "explain", "", "explain one host in full: an address, MAC address or name")
	f.StringVar(&o.failOn, "fail-on", "", "exit with 1 if a finding of concern has this verdict or a stronger one: installed, likely or possible")
	f.StringVar(&o.policy, "policy", policy.Default, "what is of concern: "+join(policy.Names())+", or a YAML file")
}

// check rejects flags that make no sense, before anything is read.
func (o *analyzeOptions) check() error {
	if err := oneOf("format", o.format, "text", "json", "jsonl", "csv"); err != nil {
		return err
	}
	if err := oneOf("hash", o.hash, "auto", "always", "never"); err != nil {
		return err
	}
	if o.explain != "" && o.format != "text" {
		return fmt.Errorf("--explain is for --format text; %s holds the whole reasoning for every host", o.format)
	}
	if _, ok := failLevel(o.failOn); !ok {
		return fmt.Errorf("--fail-on %q: must be one of installed, likely, possible", o.failOn)
	}
	if o.db != "" && o.hash == "never" {
		return errors.New("--db knows captures again by their hashes: it does not go with --hash never")
	}
	return o.alerts.check(o.format)
}

// hashAuto is the largest file, in bytes, whose hash is computed unasked: on bulk traffic the hash costs more than the
// whole analysis.
const hashAuto = 64 << 20

func (o *analyzeOptions) hashLimit() int64 {
	switch {
	case o.hash == "always" || o.db != "":
		return files.HashAll
	case o.hash == "auto":
		return hashAuto
	}
	return 0
}

// warn prints a warning unless they are not wanted.
func (o *analyzeOptions) warn(w io.Writer, text string, args ...any) {
	if !o.quiet {
		complain(w, fmt.Errorf(text, args...))
	}
}

// checkWorkers rejects a number of workers that means nothing.
func checkWorkers(n int) error {
	if n < 1 {
		return fmt.Errorf("--workers %d: must be at least 1", n)
	}
	return nil
}

// failLevel returns the verdict that --fail-on names.
func failLevel(word string) (level classify.Verdict, ok bool) {
	level, ok = map[string]classify.Verdict{
		"": classify.NoVerdict, "possible": classify.Possible, "likely": classify.Likely, "installed": classify.Installed,
	}[word]
	return level, ok
}

// analyze checks all flags and opens everything before it reads a packet: an hour of reading must not end in a typing error. Files it
// writes appear at the end, whole; after an error they are discarded.
func analyze(ctx context.Context, s *streams, o *analyzeOptions, args []string) error {
	site, err := o.site.parse()
	if err := errors.Join(err, o.check(), checkWorkers(o.workers)); err != nil {
		return err
	}
	defer session.Steady(o.workers)()
	know, err := o.load(o.policy)
	if err != nil {
		return err
	}
	defer know.Close()
	inputs, err := s.inputs(args)
	if err != nil {
		return err
	}
	key, err := session.ReadKey(o.idKey)
	if err != nil {
		return fmt.Errorf("--id-key: %w", err)
	}
	db, err := o.openStore(key)
	if err != nil {
		return err
	}
	if db != nil {
		defer db.Close()
		key, o.sensor = db.IDKey(), db.Sensor()
	} else if key == nil {
		key = session.NewKey()
	}
	var seen session.Seen
	if db != nil {
		if seen, err = session.SeenIn(ctx, db); err != nil {
			return o.ofDB(err)
		}
		inputs = seen.Fresh(inputs, func(name, as string) {
			o.warn(s.err, "%s: the store already has it (as %s); it is not counted again", name, as)
		})
	}
	src := files.Open(inputs, files.Options{Stdin: s.in, HashUpTo: o.hashLimit(), BlockSize: session.BlockSize(o.workers)})
	defer src.Close()
	out, err := openOutput("--output", o.output, o.reportTo(s.out))
	if err != nil {
		return err
	}
	to, err := o.alerts.open(ctx, s, o.sensor, db)
	if err != nil {
		return errors.Join(err, out.discard())
	}
	bar := newProgress(src, s.err, o.quiet)
	run, err := session.New(session.Options{
		Source: bar, Capture: observe.Options{Workers: o.workers}, Site: site, Sensor: o.sensor, Version: version(), IDKey: key, Store: db,
		Alerts: to.rules(), Outbox: to.outbox, Sent: to.sent, Tick: to.tick(),
	}, know)
	if err != nil {
		return errors.Join(err, out.discard(), to.discard())
	}
	if r, err := run.Resume(ctx); errors.Join(err, r.Err) != nil {
		if err == nil {
			err = fmt.Errorf("%d pieces of the store cannot be read, so the run cannot continue from all of it: %w", r.Unread, r.Err)
		}
		return errors.Join(o.ofDB(err), out.discard(), to.discard())
	}
	stats, err := run.Pipeline.Run(ctx)
	bar.finish()
	if err != nil {
		return errors.Join(err, out.discard(), to.discard())
	}
	facts := run.Facts(stats, run.Pipeline.Classifier.Findings())
	run.Finish(nil)
	r, err := o.report(ctx, run, facts, seen, db)
	if err != nil {
		return errors.Join(o.ofDB(err), out.discard(), to.discard())
	}
	undelivered := to.finish() // the store has the alerts now
	return o.verdict(facts, s.err, errors.Join(undelivered, out.finish(o.write(r, out))))
}

// openStore opens the store that --db names; nil where it names none.
func (o *analyzeOptions) openStore(key []byte) (*store.Store, error) {
	if o.db == "" {
		return nil, nil
	}
	s, err := store.Open(o.db, store.Options{Sensor: o.sensor, IDKey: key})
	if err != nil {
		return nil, fmt.Errorf("--db: %w", err)
	}
	return s, nil
}

// ofDB says which flag an error of the store is about.
func (o *analyzeOptions) ofDB(err error) error { return fmt.Errorf("--db %s: %w", o.db, err) }

// report is the run's own, or with a store that of all it has. The store gets the run as a whole or not at all.
func (o *analyzeOptions) report(ctx context.Context, run *session.Session, facts *report.Facts, seen session.Seen, db *store.Store) (*report.Report, error) {
	r := report.New(facts)
	if db == nil {
		run.NoteSuppressed(r, facts.Findings)
		return r, nil
	}
	if err := seen.Again(facts.Inputs); err != nil {
		return nil, err
	}
	run.Keep(session.All)
	if len(facts.Inputs) > 0 {
		if err := run.PutRun(ctx, r.Coverage); err != nil {
			return nil, err
		}
	}
	return run.StoredReport(ctx, facts)
}

// reportTo is where a report without a file goes: nowhere, where alerts take its place.
func (o *analyzeOptions) reportTo(stdout io.Writer) io.Writer {
	if o.alerts.file == "-" {
		return io.Discard
	}
	return stdout
}

func (o *analyzeOptions) write(r *report.Report, out *output) error {
	switch o.format {
	case "json":
		return r.WriteJSON(out)
	case "jsonl":
		return r.WriteJSONL(out)
	case "csv":
		return r.WriteCSV(out)
	}
	width, color := terminal(out.file)
	opt := report.TextOptions{Color: color, Width: width}
	if o.explain != "" {
		return r.WriteExplanation(out, o.explain, opt)
	}
	return r.WriteText(out, opt)
}

// verdict turns the result into the exit code. A finding that --fail-on asks for outweighs an input that could not be read
// and a report that could not be written.
func (o *analyzeOptions) verdict(f *report.Facts, stderr io.Writer, written error) error {
	unread := inputErrors(f.Inputs, o.quiet, stderr)
	level, _ := failLevel(o.failOn)
	for _, x := range f.Findings {
		if concern, _ := f.Judge(x); level != classify.NoVerdict && concern && x.Verdict >= level {
			return &exitError{code: exitConcern, err: written}
		}
	}
	if written != nil {
		return written
	}
	return unread
}
