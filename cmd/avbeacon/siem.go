package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"avbeacon/internal/config"
	"avbeacon/internal/lockfile"
	"avbeacon/internal/logs"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/store"
)

func newSIEM(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "siem",
		Short: "Test the receivers of alerts, and deliver rejected alerts again",
		Long: `Works with the sinks of a 'monitor' configuration: 'test' sends one marked alert to each sink; 'replay'
delivers permanently rejected alerts again once the cause is fixed.`,
		Args: subcommand, RunE: showHelp,
	}
	c.AddCommand(newSIEMTest(s), newSIEMReplay(s), newSIEMTemplate(s))
	return c
}

// sinkFlags are the flags of commands that use a configuration's sinks.
type sinkFlags struct{ config, sink string }

func (o *sinkFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&o.config, "config", "c", "", "configuration `FILE` of 'monitor'")
	c.Flags().StringVar(&o.sink, "sink", "", "only the sink of this `NAME`")
	_ = c.MarkFlagRequired("config") // the flag exists
}

// sinks returns the sinks that the flags select.
func (o *sinkFlags) sinks() (config.Config, []siem.Sink, error) {
	c, err := config.Load(o.config)
	if err != nil {
		return c, nil, err
	}
	var names []string
	var list []siem.Sink
	for _, k := range c.Sinks {
		names = append(names, k.Name)
		if o.sink == "" || k.Name == o.sink {
			list = append(list, k)
		}
	}
	switch {
	case len(names) == 0:
		return c, nil, fmt.Errorf("%s: it has no sinks", o.config)
	case len(list) == 0:
		return c, nil, fmt.Errorf("--sink %s: %s has %s", o.sink, o.config, join(names))
	}
	return c, list, nil
}

func newSIEMTest(s *streams) *cobra.Command {
	o := &sinkFlags{}
	c := &cobra.Command{
		Use:   "test --config FILE",
		Short: "Send one marked test alert to each sink and report the answer",
		Long: `Sends one alert with the event 'test' directly to each sink of a configuration, bypassing its filter and the
store. Reports whether it was delivered, as far as the protocol can confirm that, or why not.
Exit codes: 0 every sink accepted it; 2 at least one did not.`,
		Example: "  avbeacon siem test --config avbeacon.yaml --sink splunk",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, list, err := o.sinks()
			if err != nil {
				return err
			}
			return testSinks(cmd.Context(), s, &c, list)
		},
	}
	o.add(c)
	return c
}

func testSinks(ctx context.Context, s *streams, c *config.Config, list []siem.Sink) error {
	bad, opt := 0, session.OutboxOptions{Log: warnings(s), Sensor: c.Sensor, Version: version(), Stdout: s.out}
	for _, k := range list {
		word := "delivered" + assurance(k)
		if err := session.TestSink(ctx, k, opt); err != nil {
			bad++
			word = "FAILED: " + report.Clean(err.Error())
		}
		if _, err := fmt.Fprintf(s.err, "%s (%s): %s\n", k.Name, k.Type, word); err != nil {
			return err
		}
	}
	if bad > 0 {
		return &exitError{code: exitIncomplete, err: fmt.Errorf("%d of %d sinks did not accept the test alert", bad, len(list))}
	}
	return nil
}

// assurance says what "delivered" means for a sink.
func assurance(k siem.Sink) string {
	switch k.Type {
	case "syslog":
		return "; syslog has no acknowledgement: check at the receiver"
	case "splunk":
		if !k.HTTP.Ack {
			return "; accepted, not yet indexed (http.ack waits for that)"
		}
	}
	return ""
}

func newSIEMReplay(s *streams) *cobra.Command {
	o := &sinkFlags{}
	db := ""
	c := &cobra.Command{
		Use:   "replay --config FILE",
		Short: "Deliver permanently rejected alerts again",
		Long: `Delivers the store's dead letters to their sinks again, each alert with its original id. An alert that is
rejected again stays in the store with the new reason. 'monitor' may run meanwhile.
Exit codes: 0 these sinks have no dead letters left; 2 some remain.`,
		Example: "  avbeacon siem replay --config avbeacon.yaml --sink elastic",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, list, err := o.sinks()
			if err != nil {
				return err
			}
			return replay(cmd.Context(), s, list, cmp.Or(db, c.Store.File))
		},
	}
	o.add(c)
	c.Flags().StringVar(&db, "db", "", "store `FILE` (default: the configuration's)")
	return c
}

func replay(ctx context.Context, s *streams, list []siem.Sink, file string) error {
	if file == "" {
		return errors.New("the configuration names no store, so it keeps no dead letters; name a store with --db")
	}
	db, err := store.OpenBeside(file)
	if err != nil {
		return err
	}
	lock, err := lockfile.Take(file + ".replay")
	if err != nil {
		return errors.Join(fmt.Errorf("another replay is running: %w", err), db.Close())
	}
	defer lock.Release()
	errs := []error{nil}
	for _, k := range list {
		r, err := session.Replay(ctx, db, k, version(), warnings(s))
		if err != nil {
			errs = append(errs, fmt.Errorf("sink %s: %d dead letters stay in the store: %w", k.Name, r.Left+r.Rejected, err))
		}
		if r.Rejected > 0 {
			errs = append(errs, fmt.Errorf("sink %s: %d alerts were rejected again: %s", k.Name, r.Rejected, report.Clean(r.Reason)))
		}
		if _, err := fmt.Fprintf(s.out, "%s: %d delivered, %d rejected again, %d not tried\n", k.Name, r.Delivered, r.Rejected, r.Left); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, db.Close())...)
}

// warnings returns a log for people: what goes wrong, on standard error.
func warnings(s *streams) *zap.Logger {
	return logs.New(logs.Config{Level: "warn", Format: "console"}, s.err, false)
}

func newSIEMTemplate(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "template",
		Short: "Print the index template for Elasticsearch and OpenSearch",
		Long: `Prints the index template of the data stream that a sink of type elastic writes to. Install it once:
avbeacon siem template | curl -X PUT -H 'Content-Type: application/json' --data-binary @- URL/_index_template/avbeacon`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := s.out.Write(deliver.ElasticTemplate())
			return err
		},
	}
}
