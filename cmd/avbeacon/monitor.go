package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"avbeacon/internal/config"
	"avbeacon/internal/daemon"
	"avbeacon/internal/logs"
	"avbeacon/internal/policy"
	"avbeacon/internal/setting"
)

// monitorOptions are the flags of monitor. Those that are given win over the configuration.
type monitorOptions struct {
	knowledge
	site
	file, policy, idKey, sensor  string
	interfaces                   []string
	read, watch, filter, filters string
	ring, memory                 string
	snap, workers                int
	db, listen, user             string
	check, print                 bool
}

func newMonitor(s *streams) *cobra.Command {
	o := &monitorOptions{}
	c := &cobra.Command{
		Use:   "monitor -i INTERFACE",
		Short: "Watch a live tap and send an alert when a host's antivirus calls home",
		Long: `Captures from network interfaces, standard input or a folder that a rotating capture writes into,
stores its findings, and sends alerts to the sinks in the configuration. Without a configuration it
prints each alert as a line of JSON (Elastic Common Schema) on standard output and logs to standard
error. When it ends, it reports what it found and what it could not see.

It opens its sockets first and then drops all privileges. CAP_NET_RAW is enough to start; becoming
another user needs root: without --user, root becomes the user avbeacon where it exists, else who called
sudo. SIGHUP, or a change to the files, reloads catalogue, policy, place data and
suppressions; a bad file is rejected and logged once, and the old one stays in use. SIGUSR1 reopens
output files. SIGTERM and SIGINT finish what was captured, within limits.drain.

Exit codes: 0 ended on request or at the end of its input; 2 something could not be opened or stored.`,
		Example: `  sudo avbeacon monitor -i eth1
  avbeacon monitor --config /etc/avbeacon/avbeacon.yaml
  avbeacon monitor --print-config > avbeacon.yaml      every key with its default and meaning
  avbeacon monitor --config avbeacon.yaml --check      check a configuration
  ssh tap tcpdump -U -w - -i eth1 | avbeacon monitor -r - --db home.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return monitor(cmd.Context(), s, o, cmd.Flags()) },
	}
	f := c.Flags()
	o.knowledge.flags(f)
	o.site.flags(f)
	f.StringVarP(&o.file, "config", "c", "", "configuration `FILE` in YAML; flags override it")
	f.StringArrayVarP(&o.interfaces, "interface", "i", nil, "network interface to capture from (repeatable)")
	f.StringVarP(&o.read, "read", "r", "", "read a capture `FILE` to its end instead, - for standard input")
	f.StringVar(&o.watch, "watch", "", "follow a folder that a rotating capture writes into instead")
	f.StringVar(&o.filter, "filter", "", "packet filter as 'tcpdump -ddd EXPRESSION' prints it")
	f.StringVar(&o.filters, "filter-file", "", "`FILE` with such a filter")
	f.StringVar(&o.ring, "ring", "", "packet buffer per interface, e.g. 64MiB")
	f.IntVar(&o.snap, "snap-length", 0, "bytes captured of each packet; 0 for all")
	f.IntVar(&o.workers, "workers", 0, "goroutines that read packets; 0 for one per processor, at most four")
	f.StringVar(&o.policy, "policy", policy.Default, "what is of concern: "+join(policy.Names())+", or a YAML file")
	f.StringVar(&o.idKey, "id-key", "", "file with the key of the hashes that replace personal identifiers")
	f.StringVar(&o.sensor, "sensor", "", "sensor name; part of finding ids")
	f.StringVar(&o.db, "db", "", "store `FILE` for findings; a restart continues from it")
	f.StringVar(&o.listen, "listen", "", "`ADDRESS` for metrics and health, host:port; 'none' to serve neither (default 127.0.0.1:9477)")
	f.StringVar(&o.memory, "memory", "", "memory limit of the process, e.g. 512MiB; table sizes are derived from it")
	f.StringVar(&o.user, "user", "", "user to become once the sockets are open")
	f.String("nats", "", "")
	_ = f.MarkHidden("nats") // so that it is rejected with what replaces it
	f.BoolVar(&o.check, "check", false, "check the configuration and the files it names, then exit")
	f.BoolVar(&o.print, "print-config", false, "print the configuration in effect, with every key, then exit")
	return c
}

// configuration is the file's, or the default, with the flags that were given over it.
func (o *monitorOptions) configuration(given *pflag.FlagSet) (c config.Config, err error) {
	if given.Changed("nats") {
		return c, errors.New("--nats was removed: alerts wait in the store (--db); a sink of type nats sends them to a NATS server")
	}
	c = config.Default()
	if o.file != "" {
		if c, err = config.Load(o.file); err != nil {
			return c, err
		}
	}
	if err := o.over(&c, given.Changed); err != nil {
		return c, err
	}
	daemon.FitTables(&c)
	return c, c.Validate()
}

// over sets what the given flags say.
func (o *monitorOptions) over(c *config.Config, given func(string) bool) error {
	source := func() { c.Capture.Interfaces, c.Capture.Read, c.Capture.Watch = o.interfaces, o.read, o.watch }
	filter := func() { c.Capture.Filter, c.Capture.FilterFile = o.filter, o.filters }
	for flag, set := range map[string]func(){
		"interface": source, "read": source, "watch": source, "filter": filter, "filter-file": filter,
		"policy":          func() { c.Policy = o.policy },
		"id-key":          func() { c.Knowledge.IDKey = o.idKey },
		"sensor":          func() { c.Sensor = o.sensor },
		"db":              func() { c.Store.File = o.db },
		"feeds":           func() { c.Knowledge.Feeds = o.feeds },
		"geo":             func() { c.Knowledge.Geo = o.geo },
		"no-embedded-geo": func() { c.Knowledge.NoEmbeddedGeo = o.noEmbeddedGeo },
		"sensor-location": func() { c.Site.Location = o.location },
		"home":            func() { c.Site.Home = o.home },
		"user":            func() { c.Limits.User = o.user },
		"listen":          func() { c.Listen.Address = o.listen },
		"snap-length":     func() { c.Capture.SnapLength = o.snap },
		"workers":         func() { c.Capture.Workers = o.workers },
	} {
		if given(flag) {
			set()
		}
	}
	if c.Listen.Address == "none" {
		c.Listen.Address = ""
	}
	return errors.Join(size(given, "ring", o.ring, &c.Capture.Ring), size(given, "memory", o.memory, &c.Limits.Memory))
}

// size sets a number of bytes from a flag.
func size(given func(string) bool, flag, word string, to *setting.Size) (err error) {
	if !given(flag) {
		return nil
	}
	if *to, err = setting.ParseSize(word); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

// monitor makes the daemon's options from configuration and flags. Signals are taken over before it starts, so that a SIGHUP during the
// start reloads and does not kill.
func monitor(ctx context.Context, s *streams, o *monitorOptions, given *pflag.FlagSet) error {
	c, err := o.configuration(given)
	if err != nil {
		return err
	}
	if o.print {
		return c.Print(s.out)
	}
	d := daemon.Options{Config: c, File: o.file, Version: version(), Stdin: s.in, Stdout: s.out, Summary: s.err}
	t := site{location: c.Site.Location, home: c.Site.Home}
	if d.Site, err = t.parse(); err != nil {
		return err
	}
	if o.check {
		return checked(ctx, s, d)
	}
	if len(c.Capture.Interfaces) == 0 && c.Capture.Read == "" && c.Capture.Watch == "" {
		return errors.New("monitor needs a source of packets: -i INTERFACE, -r FILE, --watch FOLDER, or capture: in the configuration" + interfacesHint())
	}
	f, _ := s.err.(*os.File)
	width, _ := terminal(f)
	d.Log = logs.New(c.Log, s.err, width > 0)
	defer d.Log.Sync()
	for _, w := range c.Warnings() {
		d.Log.Warn(w)
	}
	survivePipes()
	reload, reopen := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(reload, reloadSignals...)
	signal.Notify(reopen, reopenSignals...)
	defer signal.Stop(reload)
	defer signal.Stop(reopen)
	d.Reload, d.Reopen = reload, reopen
	return daemon.Run(ctx, d)
}

// checked says that the configuration can be used, or what is wrong with it.
func checked(ctx context.Context, s *streams, d daemon.Options) error {
	notes, err := daemon.Check(ctx, d)
	for _, n := range append(d.Config.Warnings(), notes...) {
		complain(s.err, errors.New("warning: "+n))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "The configuration can be used.")
	return err
}

// interfacesHint names the interfaces that there are.
func interfacesHint() string {
	list, err := net.Interfaces()
	if err != nil || len(list) == 0 {
		return ""
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return "\nInterfaces here: " + join(names)
}
