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
	db, listen, user, nats       string
	check, print                 bool
}

func newMonitor(s *streams) *cobra.Command {
	o := &monitorOptions{}
	c := &cobra.Command{
		Use:   "monitor -i INTERFACE",
		Short: "Watch a live tap, for months, and tell when a host's antivirus calls home",
		Long: `Listens to network interfaces (or reads standard input, or a folder that a rotating capture writes
into), keeps what it finds, and sends alerts to the sinks that the configuration names. Without a
configuration it prints each alert as a line of JSON (Elastic Common Schema) on standard output as it
happens, its log on standard error, and at its end a report of what it found and could not see.

Sockets are opened first; then all privileges are given up (CAP_NET_RAW is enough to begin with, root
is needed to become another user). SIGHUP, or a change of the files, loads catalogue, policy, place
data and suppressions anew: what is bad is refused, and what was in use stays. SIGUSR1 opens files
anew. SIGTERM and SIGINT drain what was captured, within limits.drain.

Exit codes: 0 ended as asked, or at the end of its input; 2 something could not be opened or kept.`,
		Example: `  sudo avbeacon monitor -i eth1
  avbeacon monitor --config /etc/avbeacon/avbeacon.yaml
  avbeacon monitor --print-config > avbeacon.yaml      every key, its default and what it is
  avbeacon monitor --config avbeacon.yaml --check      is it right?
  ssh tap tcpdump -U -w - -i eth1 | avbeacon monitor -r - --db home.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return monitor(cmd.Context(), s, o, cmd.Flags()) },
	}
	f := c.Flags()
	o.knowledge.flags(f)
	o.site.flags(f)
	f.StringVarP(&o.file, "config", "c", "", "configuration `FILE` in YAML; the flags beside it win over it")
	f.StringArrayVarP(&o.interfaces, "interface", "i", nil, "network interface to listen to (repeatable)")
	f.StringVarP(&o.read, "read", "r", "", "read a capture `FILE` to its end instead, - for standard input")
	f.StringVar(&o.watch, "watch", "", "follow a folder that a rotating capture writes into instead")
	f.StringVar(&o.filter, "filter", "", "packet filter as 'tcpdump -ddd EXPRESSION' prints it")
	f.StringVar(&o.filters, "filter-file", "", "`FILE` with such a filter")
	f.StringVar(&o.ring, "ring", "", "memory for the packets of an interface, as 64MiB")
	f.IntVar(&o.snap, "snap-length", 0, "bytes of a packet that are kept; 0 for all")
	f.IntVar(&o.workers, "workers", 0, "goroutines that look at packets; 0 for one a processor, four at most")
	f.StringVar(&o.policy, "policy", policy.Default, "what is of concern: "+join(policy.Names())+", or a YAML file")
	f.StringVar(&o.idKey, "id-key", "", "file with the key of the hashes that stand for personal identifiers")
	f.StringVar(&o.sensor, "sensor", "", "name of the tap; part of finding ids")
	f.StringVar(&o.db, "db", "", "store `FILE` to go on from and to keep what is found in")
	f.StringVar(&o.listen, "listen", "", "`ADDRESS` for metrics and health, host:port; 'none' for nowhere (default 127.0.0.1:9477)")
	f.StringVar(&o.memory, "memory", "", "limit of the process's memory, as 512MiB; the tables are made to fit")
	f.StringVar(&o.user, "user", "", "user to become once the sockets are open")
	f.StringVar(&o.nats, "nats", "", "`URL` of a NATS server or cluster with JetStream that keeps the stream of alerts, instead of the embedded one")
	f.BoolVar(&o.check, "check", false, "check the configuration and what it names, and end")
	f.BoolVar(&o.print, "print-config", false, "print the configuration that would be used, with every key, and end")
	return c
}

// configuration is the file's, or the default, with the flags that were given over it.
func (o *monitorOptions) configuration(given *pflag.FlagSet) (c config.Config, err error) {
	c = config.Default()
	if o.file != "" {
		if c, err = config.Load(o.file); err != nil {
			return c, err
		}
	}
	if err := o.over(&c, given.Changed); err != nil {
		return c, err
	}
	fitTables(&c)
	return c, c.Validate()
}

// over sets what the flags say.
func (o *monitorOptions) over(c *config.Config, given func(string) bool) error {
	if given("interface") || given("read") || given("watch") {
		c.Capture.Interfaces, c.Capture.Read, c.Capture.Watch = o.interfaces, o.read, o.watch
	}
	if given("filter") || given("filter-file") {
		c.Capture.Filter, c.Capture.FilterFile = o.filter, o.filters
	}
	for _, x := range []struct {
		flag string
		to   *string
		word string
	}{
		{"policy", &c.Policy, o.policy}, {"id-key", &c.Knowledge.IDKey, o.idKey}, {"sensor", &c.Sensor, o.sensor}, {"db", &c.Store.File, o.db},
		{"feeds", &c.Knowledge.Feeds, o.feeds}, {"sensor-location", &c.Site.Location, o.location}, {"user", &c.Limits.User, o.user}, {"listen", &c.Listen.Address, o.listen},
		{"nats", &c.Spool.NATS, o.nats},
	} {
		if given(x.flag) {
			*x.to = x.word
		}
	}
	if c.Listen.Address == "none" {
		c.Listen.Address = ""
	}
	if given("geo") {
		c.Knowledge.Geo = o.geo
	}
	if given("home") {
		c.Site.Home = o.home
	}
	if given("no-embedded-geo") {
		c.Knowledge.NoEmbeddedGeo = o.noEmbeddedGeo
	}
	if given("snap-length") {
		c.Capture.SnapLength = o.snap
	}
	if given("workers") {
		c.Capture.Workers = o.workers
	}
	return errors.Join(size(given, "ring", o.ring, &c.Capture.Ring), size(given, "memory", o.memory, &c.Limits.Memory))
}

// size sets a number of bytes that a flag gives.
func size(given func(string) bool, flag, word string, to *setting.Size) (err error) {
	if !given(flag) {
		return nil
	}
	if *to, err = setting.ParseSize(word); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

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
		return errors.New("monitor needs a place that packets come from: -i INTERFACE, -r FILE, --watch FOLDER, or capture: in the configuration" + interfacesHint())
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
	defer limitMemory(&c, d.Log)()
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
