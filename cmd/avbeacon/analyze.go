package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
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
		Short: "Name the hosts in captures whose antivirus calls home",
		Long: `Reads captures (pcap, pcapng, snoop; gzip and zstd too; - is standard input; folders and
globs of rotated files in order of time) and prints which hosts call an antivirus vendor's
servers, by what evidence, where those servers are, and what the captures could not show.

The report begins with the hosts, goes on with the evidence (+ speaks for the verdict, - does not
count or speaks against it, > is where the host called) and ends with what cannot be known.
'avbeacon schema report' prints the form of the JSON report.

Exit codes: 0 ran; 2 something could not be read or done (the rest is reported all the same);
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
	f.StringVar(&o.format, "format", "text", "text, json, jsonl or csv")
	f.StringVarP(&o.output, "output", "o", "", "write the report to this file instead of standard output")
	f.StringVar(&o.explain, "explain", "", "print the whole reasoning for one host: an address, MAC or name")
	f.StringVar(&o.failOn, "fail-on", "", "exit with 1 if a finding of concern is installed, likely or possible (or surer)")
	f.StringVar(&o.policy, "policy", policy.Default, "what is of concern: "+join(policy.Names())+", or a YAML file")
	f.StringVar(&o.idKey, "id-key", "", "file with the key of the hashes that stand for personal identifiers (default: a new key each run)")
	f.StringVar(&o.sensor, "sensor", "", "name of the place where the capture was taken; part of finding ids")
	f.IntVar(&o.workers, "workers", defaultWorkers(), "goroutines that look at packets; the result does not depend on it")
	f.BoolVar(&o.quiet, "quiet", false, "no progress and no warnings on standard error")
	f.StringVar(&o.db, "db", "", "store `FILE` to go on from and to add to; the report is of all that it has. A capture that it has already is not counted again")
	f.StringVar(&o.hash, "hash", "auto", "SHA-256 of the inputs: always, never, or auto: of files up to 64 MiB")
	return c
}

// check refuses flags that make no sense, before anything is read.
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
		return fmt.Errorf("--fail-on %q: it is one of installed, likely, possible", o.failOn)
	}
	if o.db != "" && o.hash == "never" {
		return errors.New("--db knows captures again by their hashes: it does not go with --hash never")
	}
	if err := o.alerts.check(o.format); err != nil {
		return err
	}
	_, _, err := o.site.options()
	return err
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

// warner prints warnings unless they are not wanted.
func (o *analyzeOptions) warner(w io.Writer) func(string, ...any) {
	return func(text string, args ...any) {
		if !o.quiet {
			complain(w, fmt.Errorf(text, args...))
		}
	}
}

// key gives the key of identifiers' hashes: the store's where there is one.
func (o *analyzeOptions) key(mem *memory) ([]byte, error) {
	if mem != nil {
		return mem.store.IDKey(), nil
	}
	return readKey(o.idKey)
}

// checkWorkers refuses a number of workers that means nothing.
func checkWorkers(n int) error {
	if n < 1 {
		return fmt.Errorf("--workers %d: it is 1 or more", n)
	}
	return nil
}

func failLevel(s string) (classify.Verdict, bool) {
	switch s {
	case "":
		return classify.NoVerdict, true
	case "possible":
		return classify.Possible, true
	case "likely":
		return classify.Likely, true
	case "installed":
		return classify.Installed, true
	}
	return 0, false
}

func analyze(ctx context.Context, s *streams, o *analyzeOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := checkWorkers(o.workers); err != nil {
		return err
	}
	defer steady(o.workers)()
	know, err := o.load()
	if err != nil {
		return err
	}
	defer know.places.Close()
	rules, err := policy.Load(o.policy)
	if err != nil {
		return err
	}
	inputs, err := s.inputs(args)
	if err != nil {
		return err
	}
	mem, err := o.remember(ctx, rules)
	if err != nil {
		return err
	}
	defer mem.close()
	inputs = mem.fresh(inputs, o.warner(s.err))
	src := files.Open(inputs, files.Options{Stdin: s.in, HashUpTo: o.hashLimit(), BlockSize: blockSize(o.workers)})
	defer src.Close()
	out, err := openOutput(o.output, o.reportTo(s.out))
	if err != nil {
		return err
	}
	tell, err := o.alerts.open(s, o.sensor, rules)
	if err != nil {
		return errors.Join(err, out.discard())
	}
	if err := tell.goOn(ctx, mem, know.catalog); err != nil {
		return errors.Join(fmt.Errorf("--db %s: %w", o.db, err), out.discard(), tell.discard())
	}
	facts, err := o.run(ctx, s, src, know, mem, tell)
	if err != nil {
		return errors.Join(err, out.discard(), tell.discard())
	}
	told := tell.finish(facts.Findings)
	facts.Policy, facts.Judge = rules.Name, rules.Judge
	r, err := mem.keep(ctx, facts)
	if err != nil {
		return errors.Join(fmt.Errorf("--db %s: %w", o.db, err), out.discard())
	}
	tell.note(r, facts.Findings)
	if err := errors.Join(o.write(r, out), out.commit()); err != nil {
		return o.verdict(facts, s.err, errors.Join(told, fmt.Errorf("write report: %w", err)))
	}
	return o.verdict(facts, s.err, told)
}

// reportTo is where a report without a file goes: nowhere, where alerts take its place.
func (o *analyzeOptions) reportTo(stdout io.Writer) io.Writer {
	if o.alerts.file == "-" {
		return io.Discard
	}
	return stdout
}

// run reads the captures and gives what they came to.
func (o *analyzeOptions) run(ctx context.Context, s *streams, src capture.Source, know *known, mem *memory, tell *alerts) (*report.Facts, error) {
	home, at, err := o.site.options()
	if err != nil {
		return nil, err
	}
	key, err := o.key(mem)
	if err != nil {
		return nil, err
	}
	bar := newProgress(src, s.err, o.quiet)
	p := &pipeline.Pipeline{
		Source: bar,
		Capture: observe.Options{
			Workers:  o.workers,
			Observer: observe.ObserverOptions{Interest: know.catalog, Headers: know.catalog.HeaderNames()},
		},
		Hosts: hosts.New(hosts.Options{}),
		Names: names.New(names.Options{Interest: know.catalog}),
		Classifier: classify.New(classify.Options{
			Catalog: know.catalog, Locate: place.Locator(know.places), Sensor: o.sensor, IDKey: key,
			Home: home, SensorAt: at,
		}),
		Catalog: know.catalog,
	}
	if err := mem.attach(ctx, p, home); err != nil {
		return nil, fmt.Errorf("--db %s: %w", o.db, err)
	}
	tell.attach(p)
	stats, err := p.Run(ctx)
	bar.finish()
	if err != nil {
		return nil, err
	}
	stats.Panics += p.Panics
	return &report.Facts{
		Version: version(), Generated: time.Now(), Catalog: know.catalog, Places: know.places.Databases(),
		Inputs: src.Inputs(), Findings: p.Classifier.Findings(), Remarks: p.Classifier.Remarks(), Stats: stats, Judged: p.Classifier.Stats(), HiddenDoH: p.FlowsDoH,
	}, nil
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

// readKey gives the key of identifiers' hashes: a file's bytes, or a new one.
func readKey(file string) ([]byte, error) {
	if file == "" {
		key := make([]byte, 32)
		_, err := rand.Read(key)
		return key, err
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--id-key: %w", err)
	}
	if len(key) < 16 {
		return nil, fmt.Errorf("--id-key %s: %d bytes are too few for a key, at least 16 are needed", file, len(key))
	}
	return key, nil
}

// known is what a run knows beside its input.
type known struct {
	catalog *feeds.Catalog
	places  *feeds.Places
}
