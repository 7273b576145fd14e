package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/live"
	"avbeacon/internal/alert"
	"avbeacon/internal/metrics"
	"avbeacon/internal/privilege"
	"avbeacon/internal/siem"
	"avbeacon/internal/spool"
	"avbeacon/internal/store"
)

// open opens all, first what needs privileges; the store and the spool come after those are gone, so that their files are
// made by who has to write them later.
func (d *Daemon) open() (err error) {
	if d.know, err = load(d.cfg); err != nil {
		return err
	}
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
	if err := d.faults.open(d.cfg.Limits.Pieces); err != nil {
		return err
	}
	if err := d.openStore(); err != nil {
		return owned(err)
	}
	return owned(d.openSpool())
}

// owned explains why even root may not write: by then it is a user like all others.
func owned(err error) error {
	if errors.Is(err, store.ErrReadOnly) || errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; privileges are given up by now, so that the folder has to belong to uid %d, which the daemon runs as", err, os.Getuid())
	}
	return err
}

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

func (d *Daemon) openServer() error {
	d.metrics = metrics.New()
	d.metrics.Built(d.opt.Version)
	d.metrics.ReadyWhen(metrics.Terms{Silent: d.cfg.Listen.Silent, Drops: d.cfg.Listen.Drops})
	if d.cfg.Listen.Address == "" {
		return nil
	}
	s, err := d.metrics.Listen(d.cfg.Listen.Address)
	if err != nil {
		return fmt.Errorf("listen.address: %w", err)
	}
	d.server = s
	d.log.Info("metrics and health are served", zap.String("address", s.Addr().String()))
	return nil
}

// drop gives up privileges, and the files that the configuration does not name where it asks for that.
func (d *Daemon) drop() error {
	l := &d.cfg.Limits
	r, err := privilege.Drop(privilege.Options{User: l.User, Confine: l.Confine, Read: d.readable(), Write: d.writable()})
	if err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	d.log.Info("privileges are given up", zap.Int("uid", r.UID), zap.Int("gid", r.GID), zap.Int("landlock", r.Landlock), zap.Bool("bounded", r.Bounded))
	if l.Confine && r.Landlock == 0 {
		d.log.Warn("this kernel cannot keep the process from other files: limits.confine has no effect")
	}
	return nil
}

// readable are the folders of the files that are read while the daemon runs: files may be replaced in them.
func (d *Daemon) readable() []string {
	k := &d.cfg.Knowledge
	list := []string{"/etc", "/usr/share/zoneinfo", "/usr/share/ca-certificates", "/usr/lib/ssl", "/proc/self", "/sys/class/net", "/run/systemd/resolve"}
	for _, f := range append([]string{d.opt.File, d.cfg.Policy, k.IDKey}, k.Geo...) {
		list = addFolder(list, f)
	}
	for _, s := range d.cfg.Sinks {
		for _, f := range []string{s.TLS.CA, s.TLS.Cert, s.TLS.Key, s.NATS.Creds} {
			list = addFolder(list, f)
		}
	}
	for _, f := range []string{k.Feeds, d.cfg.Capture.Watch} {
		if f != "" {
			list = append(list, f)
		}
	}
	return list
}

func (d *Daemon) writable() []string {
	var list []string
	if d.cfg.Spool.Dir == "" {
		list = append(list, os.TempDir())
	}
	for _, f := range []string{d.cfg.Store.File, d.cfg.Spool.Copy, d.cfg.Spool.Dead} {
		list = addFolder(list, f)
	}
	for _, s := range d.cfg.Sinks {
		list = addFolder(list, s.File.Path)
	}
	for _, f := range []string{d.cfg.Spool.Dir, d.cfg.Limits.Pieces} {
		if f != "" {
			list = append(list, f)
		}
	}
	return slices.Compact(list)
}

// addFolder adds the folder that a file is in.
func addFolder(list []string, file string) []string {
	if file == "" {
		return list
	}
	if abs, err := filepath.Abs(file); err == nil {
		return append(list, filepath.Dir(abs))
	}
	return list
}

func (d *Daemon) openStore() error {
	c := d.cfg
	key, err := readKey(c.Knowledge.IDKey)
	if err != nil {
		return err
	}
	if c.Store.File == "" {
		d.cfg.Sensor = named(c.Sensor)
		d.faults.key = key
		if key == nil {
			d.faults.key = make([]byte, 32)
			_, err = rand.Read(d.faults.key)
		}
		return err
	}
	sensor := c.Sensor
	if _, err := os.Stat(c.Store.File); errors.Is(err, os.ErrNotExist) {
		sensor = named(sensor) // a store that is there has a name
	}
	if d.store, err = store.Open(c.Store.File, store.Options{Sensor: sensor, IDKey: key}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	d.cfg.Sensor, d.faults.key = d.store.Sensor(), d.store.IDKey()
	return nil
}

// named gives the tap a name where the configuration has none.
func named(sensor string) string {
	if sensor == "" {
		sensor, _ = os.Hostname() // "" is a name too
	}
	return sensor
}

// readKey reads the key of identifiers' hashes; nil where no file is named.
func readKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("knowledge.id-key: %w", err)
	}
	if len(key) < 16 {
		return nil, fmt.Errorf("knowledge.id-key: %s has %d bytes; a key has 16 or more", file, len(key))
	}
	return key, nil
}

// openSpool opens the spool and the sinks, and joins them.
func (d *Daemon) openSpool() error {
	cfg := d.cfg.Spool
	cfg.Dir = d.cfg.SpoolDir()
	d.cfg.Spool = cfg
	s, err := spool.Open(cfg, spool.Options{Logger: d.log, Sensor: d.cfg.Sensor, Drain: d.cfg.Limits.Drain, Stored: d.stored})
	if err != nil {
		return err
	}
	d.spool = s
	sinks := d.cfg.Sinks
	if len(sinks) == 0 {
		sinks = []siem.Sink{{Name: "stdout", Type: "stdout", Format: "ecs"}}
	}
	var errs []error
	for _, c := range sinks {
		errs = append(errs, d.attach(c))
	}
	return errors.Join(errs...)
}

func (d *Daemon) attach(c siem.Sink) error {
	sink, err := siem.Open(c, siem.Options{Logger: d.log, Stdout: d.opt.Stdout, Sensor: d.cfg.Sensor, Version: d.opt.Version})
	if err != nil {
		return err
	}
	if err := d.spool.Attach(c.Name, c.Filter, c.Batch, sink); err != nil {
		return errors.Join(err, sink.Close())
	}
	d.sinks = append(d.sinks, sink)
	return nil
}

// stored notes alerts that are in the spool: from now on they are told.
func (d *Daemon) stored(list []*alert.Alert) {
	if d.store != nil {
		for _, a := range list {
			d.store.KeepAlert(kept(a, time.Now()))
		}
	}
}
