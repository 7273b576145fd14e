package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/live"
	"avbeacon/internal/config"
	"avbeacon/internal/metrics"
	"avbeacon/internal/privilege"
	"avbeacon/internal/session"
	"avbeacon/internal/siem"
	"avbeacon/internal/store"
)

// open opens everything, in an order that matters. Packet sockets, a low port and files that only root may read need privileges: they
// come first, and stay open. Then privileges are dropped, of all threads and for good. The store and the sinks follow, so that their
// files belong to the user who writes them later, and a path that this user may not write fails now and not in months.
func (d *Daemon) open(ctx context.Context) (err error) {
	if d.source, err = d.openSource(); err != nil {
		return err
	}
	if err := d.openServer(); err != nil {
		return err
	}
	if err := d.watchFiles(); err != nil {
		return err
	}
	if err := d.drop(); err != nil {
		return err
	}
	if err := d.openStore(); err != nil {
		return owned(err)
	}
	return owned(d.openOutbox(ctx))
}

// owned explains a denied write to somebody who started the daemon as root: it has switched to another user by then.
func owned(err error) error {
	if errors.Is(err, store.ErrReadOnly) || errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; privileges are already dropped, so the folder must belong to uid %d, which the daemon runs as", err, os.Getuid())
	}
	return err
}

// openSource opens what packets come from: a file, a folder, or interfaces. The validated configuration names at most one of them.
func (d *Daemon) openSource() (capture.Source, error) {
	c := &d.cfg.Capture
	switch {
	case c.Read != "":
		names, err := files.Expand([]string{c.Read})
		if err != nil {
			return nil, err
		}
		return files.NewPipe(files.Open(names, files.Options{Stdin: d.opt.Stdin}), 0), nil
	case c.Watch != "":
		f, err := files.Watch(c.Watch, files.WatchOptions{Event: d.fileEvent})
		d.folder = f
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	filter, err := d.filter()
	if err != nil {
		return nil, err
	}
	l, err := live.Open(live.Options{
		Interfaces: c.Interfaces, Promiscuous: c.Promiscuous, RingSize: int(c.Ring), SnapLen: c.SnapLength, Filter: filter, Event: d.linkEvent,
	})
	d.live = l
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (d *Daemon) filter() (live.Filter, error) {
	text := d.cfg.Capture.Filter
	if file := d.cfg.Capture.FilterFile; file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("capture.filter-file: %w", err)
		}
		text = string(b)
	}
	if text == "" {
		return nil, nil
	}
	f, err := live.ParseFilter(text)
	if err != nil {
		return nil, fmt.Errorf("capture.filter: %w", err)
	}
	return f, nil
}

// linkEvent is live.Options.Event. The goroutine of the source calls it.
func (d *Daemon) linkEvent(e live.Event) {
	say := d.log.Info
	if e.State != live.LinkUp {
		say = d.log.Warn
	}
	say(e.State.String(), zap.String("interface", e.Interface), zap.Error(e.Err))
}

func (d *Daemon) fileEvent(e files.WatchEvent) {
	say := d.log.Debug
	if e.State == files.WatchBroken || e.State == files.WatchVanished {
		say = d.log.Warn
	}
	say(e.State.String(), zap.String("file", e.File), zap.Error(e.Err))
}

// openServer makes the registry in any case, since show publishes to it, and a server only if an address is configured. It listens from
// here on; answers come once run serves.
func (d *Daemon) openServer() error {
	d.metrics = metrics.New()
	d.metrics.Built(d.opt.Version)
	d.metrics.ReadyWhen(metrics.Terms{Silent: d.cfg.Listen.Silent, Drops: d.cfg.Listen.Drops})
	if d.cfg.Listen.Address == "" {
		return nil
	}
	s, err := d.metrics.Listen(d.cfg.Listen.Address, append(d.cfg.Listen.Hosts, named(""))...)
	if err != nil {
		return fmt.Errorf("listen.address: %w", err)
	}
	d.server = s
	d.log.Info("metrics and health are served", zap.String("address", s.Addr().String()))
	return nil
}

// drop hands the files over that the next user writes, drops privileges and, with limits.confine, access to other files. The configuration
// file may name files that a flag overrides: they stay readable, so that a reload of the same file is not rejected.
func (d *Daemon) drop() error {
	l := &d.cfg.Limits
	if err := d.faults.open(l.Pieces); err != nil { // with the privileges to make it
		return err
	}
	who := l.User
	if who == "" {
		who = privilege.Successor(os.Getenv)
	}
	files := []string{l.Pieces}
	for _, f := range written(d.cfg) {
		files = append(files, f, f+"-wal", f+"-shm", f+".reserve", f+".lock")
	}
	if err := privilege.HandOver(who, files); err != nil {
		return fmt.Errorf("hand files over to user %s: %w", who, err)
	}
	read, write := readable(d.cfg, d.opt.File), writable(d.cfg)
	if c, err := config.Load(d.opt.File); err == nil {
		read, write = append(read, readable(&c, "")...), append(write, writable(&c)...)
	}
	was := os.Getuid()
	r, err := privilege.Drop(privilege.Options{User: who, Confine: l.Confine, Read: read, Write: write})
	if err != nil {
		return fmt.Errorf("drop privileges: %w", err)
	}
	d.log.Info("privileges were dropped", zap.Int("from_uid", was), zap.Int("uid", r.UID), zap.Int("gid", r.GID), zap.String("capabilities", r.Held),
		zap.Int("landlock", r.Landlock), zap.Bool("bounded", r.Bounded))
	if r.UID == 0 {
		d.log.Warn("THE DAEMON STILL RUNS AS ROOT, without capabilities, and owns root's files: make a user avbeacon, or name one with --user")
	}
	if r.Landlock > 0 {
		d.granted = append(read, write...)
		if d.cfg.Store.File != "" { // the engine sorts there what is large; its usual folder is out of reach
			err = os.Setenv("SQLITE_TMPDIR", filepath.Dir(d.cfg.Store.File))
		}
		d.log.Info("other files are out of reach now", zap.Strings("readable", read), zap.Strings("writable", write))
	} else if l.Confine {
		d.log.Warn("this kernel has no Landlock: limits.confine has no effect")
	}
	return err
}

// written returns the store and the files of alerts.
func written(c *config.Config) []string {
	files := []string{c.Store.File}
	for _, s := range c.Sinks {
		files = append(files, s.File.Path)
	}
	return slices.DeleteFunc(files, func(f string) bool { return f == "" })
}

// readable returns the folders of what is read while the daemon runs: a rule holds what has the name now, and a file or the folder of a
// catalogue may be replaced by a new one.
func readable(c *config.Config, file string) []string {
	k := &c.Knowledge
	list := []string{"/etc", "/usr/share/zoneinfo", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/lib/ssl", "/var/lib/ca-certificates",
		"/usr/share/pki", "/run/credentials", "/run/secrets", "/proc/self", "/proc/stat", "/sys/class/net", "/run/systemd/resolve"}
	names := append([]string{file, c.Policy, k.IDKey, k.Feeds, c.Capture.Watch, c.Capture.Read, os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR")}, k.Geo...)
	for _, s := range c.Sinks {
		names = append(names, s.TLS.CA, s.TLS.Cert, s.TLS.Key, s.NATS.Creds)
	}
	for _, name := range names {
		list = addFolder(list, name)
	}
	return list
}

func writable(c *config.Config) (list []string) {
	if c.Store.File == "" {
		list = append(list, os.TempDir())
	}
	for _, name := range written(c) {
		list = addFolder(list, name)
	}
	return addFolder(list, c.Limits.Pieces)
}

// addFolder adds the folder of a file, and that of what a symbolic link points to; of what lies in the root folder, itself.
func addFolder(list []string, file string) []string {
	real, _ := filepath.EvalSymlinks(file)
	for _, name := range []string{file, real} {
		abs, err := filepath.Abs(name)
		if file == "" || name == "" || name == "-" || err != nil {
			continue
		}
		if folder := filepath.Dir(abs); folder != "/" {
			abs = folder
		}
		list = append(list, abs)
	}
	return list
}

// outside returns an error for a path that a new configuration names, and that the process gave up access to.
func (d *Daemon) outside(c *config.Config) error {
	for _, folder := range append(readable(c, ""), writable(c)...) {
		within := func(g string) bool { return folder == g || strings.HasPrefix(folder, strings.TrimSuffix(g, "/")+"/") }
		if d.granted != nil && !slices.ContainsFunc(d.granted, within) {
			return fmt.Errorf("the configuration names a path in %s: %w", folder, errOutside)
		}
	}
	return nil
}

// errOutside explains why a new path is rejected.
var errOutside = errors.New("the daemon gave up access to it at its start (limits.confine); a restart gives access to what the configuration names then")

func (d *Daemon) openStore() (err error) {
	c := d.cfg
	if d.key, err = session.ReadKey(c.Knowledge.IDKey); err != nil {
		return fmt.Errorf("knowledge.id-key: %w", err)
	}
	if c.Store.File == "" {
		c.Sensor = named(c.Sensor)
		if d.key == nil {
			d.key = session.NewKey()
		}
		return nil
	}
	sensor := c.Sensor
	if _, err := os.Stat(c.Store.File); errors.Is(err, os.ErrNotExist) {
		sensor = named(sensor) // an existing store has a name
	}
	if d.store, err = store.Open(c.Store.File, store.Options{
		Sensor: sensor, IDKey: d.key, Steady: true, Alerts: int64(c.Store.Alerts), Pending: c.Store.Pending,
	}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	c.Sensor, d.key = d.store.Sensor(), d.store.IDKey()
	if what := d.store.Damage(); what != "" {
		d.log.Error("the store is damaged: it was moved aside and a new one created", zap.String("damage", what))
	}
	if folder := session.FormerSpool(c.Store.File); folder != "" {
		d.log.Warn("an earlier version may have left undelivered alerts here: run that version once more with this configuration "+
			"to deliver them, then remove the folder", zap.String("folder", folder))
	}
	return nil
}

// named returns the sensor's name: the configured one, else the host name.
func named(sensor string) string {
	if sensor == "" {
		sensor, _ = os.Hostname() // "" is a name too
	}
	return sensor
}

// openOutbox opens the sinks. Without any, alerts go to standard output: a monitor that sends its alerts nowhere would be of no use.
func (d *Daemon) openOutbox(ctx context.Context) (err error) {
	c := *d.cfg
	if len(c.Sinks) == 0 {
		c.Sinks = []siem.Sink{{Name: "stdout", Type: "stdout", Format: "ecs"}}
	}
	d.outbox, err = session.OpenOutbox(ctx, &c, session.OutboxOptions{Log: d.log, Sensor: c.Sensor, Version: d.opt.Version, Stdout: d.opt.Stdout, Store: d.store})
	return err
}
