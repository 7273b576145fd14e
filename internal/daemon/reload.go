package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/policy"
	"avbeacon/internal/session"
)

// settle is how long files must be unchanged before they are read: a folder of many files is not written at once.
const settle = time.Second

// reloads records the outcome of reloads.
type reloads struct {
	watcher *fsnotify.Watcher // nil if no file is named

	mu          sync.Mutex
	lastOK      time.Time // zero: never
	lastFailed  time.Time // zero: never
	ok, failed  uint64
	lastProblem string // already logged; "" after a successful reload
}

func (r *reloads) done(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ok, r.lastOK, r.lastProblem = r.ok+1, at, ""
}

// rejected records a failure. It returns false if the same one was logged before.
func (r *reloads) rejected(at time.Time, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.lastProblem == err.Error()
	r.failed, r.lastFailed, r.lastProblem = r.failed+1, at, err.Error()
	return !again
}

// watchFiles starts watching the files that knowledge is read from. It watches their folders, because a replaced file is a
// new file.
func (d *Daemon) watchFiles() error {
	k := &d.cfg.Knowledge
	var list []string
	for _, f := range k.Geo {
		list = addFolder(list, f)
	}
	if k.Feeds != "" {
		list = append(list, k.Feeds)
	}
	if _, builtin := policy.BuiltIn(d.cfg.Policy); !builtin {
		list = addFolder(list, d.cfg.Policy)
	}
	if len(list) == 0 {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files for changes: %w", err)
	}
	for _, folder := range list {
		if err := w.Add(folder); err != nil {
			return errors.Join(fmt.Errorf("watch %s for changes: %w", folder, err), w.Close())
		}
	}
	d.reloads.watcher = w
	return nil
}

// knows reports whether a changed file is one that knowledge is read from.
func (d *Daemon) knows(name string) bool {
	k := &d.cfg.Knowledge
	for _, f := range append([]string{d.cfg.Policy}, k.Geo...) {
		if same(f, name) {
			return true
		}
	}
	return k.Feeds != "" && same(k.Feeds, filepath.Dir(name))
}

func same(a, b string) bool {
	a, err1 := filepath.Abs(a)
	b, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && a == b
}

// watchKnowledge reloads knowledge when a signal asks for it or its files have changed, until ctx is done.
func (d *Daemon) watchKnowledge(ctx context.Context) {
	var changes chan fsnotify.Event
	var failures chan error
	if w := d.reloads.watcher; w != nil {
		defer w.Close()
		changes, failures = w.Events, w.Errors
	}
	var quiet <-chan time.Time // fires when the files have been unchanged for long enough
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.opt.Reopen:
			d.reopen()
		case <-d.opt.Reload:
			d.reopen()
			d.reload(ctx)
		case e := <-changes:
			if !e.Has(fsnotify.Chmod) && d.knows(e.Name) {
				quiet = time.After(settle)
			}
		case err := <-failures:
			d.log.Warn("file changes may have been missed; send SIGHUP to reload", zap.Error(err))
		case <-quiet:
			quiet = nil
			d.reload(ctx)
		}
	}
}

// knowledge is what a reload loads.
type knowledge struct {
	*session.Knowledge
	rules        []*alert.Suppression
	acknowledged []string // ids of findings
}

// A reload has two halves. reload, in a goroutine that touches no packets, reads and checks all files, which may take seconds. It
// leaves the result in Daemon.next. The owner takes it from there at its next tick (exchange), which costs as much as saving and
// restoring the classifier's memory. Two reloads in quick succession leave only the later one, and the first is closed unused.
//
// The configuration itself is not reloaded, but for its suppressions: sinks, limits and interfaces need a restart. Files are read
// with the privileges that are left (see open.go), which is why their folders and not the files are opened to the process.

// reload loads everything again. Knowledge with an error in it is rejected as a whole and logged once; what was in use stays so.
func (d *Daemon) reload(ctx context.Context) {
	k, err := d.load(ctx)
	if err != nil {
		if d.granted != nil && errors.Is(err, os.ErrPermission) {
			err = fmt.Errorf("%w: if it is a new place: %w", err, errOutside)
		}
		if d.reloads.rejected(time.Now(), err) {
			d.log.Error("new knowledge was rejected; the old one stays in use", zap.Error(err))
		}
		return
	}
	if old := d.next.Swap(k); old != nil {
		old.Close() // the owner had not put it into use yet
	}
}

func (d *Daemon) load(ctx context.Context) (_ *knowledge, err error) {
	k := &knowledge{}
	if k.Knowledge, err = session.Load(&d.cfg.Knowledge, d.cfg.Policy); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if now, n := d.entries.Load(), int64(k.Catalog.Len()); 2*n < now && !d.cfg.Knowledge.AcceptShrunk {
		return nil, fmt.Errorf("the catalogue has shrunk from %d to %d entries, by more than half; if that is intended, set knowledge.accept-shrunk", now, n)
	}
	configured, err := d.suppressions()
	if err != nil {
		return nil, err
	}
	ours, err := alert.NewSuppressions(configured)
	if err != nil {
		return nil, err
	}
	if k.rules, err = session.AllRules(ctx, ours, d.store, d.log); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if k.acknowledged, err = session.Acknowledged(ctx, d.store); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return k, nil
}

// suppressions reads the configuration's suppressions again. If the file can no longer be read, now that privileges are
// dropped, that is no error: the suppressions stay as they were.
func (d *Daemon) suppressions() ([]alert.SuppressionRule, error) {
	if d.opt.File == "" {
		return d.cfg.Alerts.Suppress, nil
	}
	c, err := config.Load(d.opt.File)
	if errors.Is(err, os.ErrPermission) {
		d.log.Warn("the configuration can no longer be read; its suppressions stay as they were", zap.Error(err))
		return d.cfg.Alerts.Suppress, nil
	}
	if err == nil {
		err = d.outside(&c)
	}
	return c.Alerts.Suppress, err
}

// reopen makes all sinks that write files reopen them.
func (d *Daemon) reopen() {
	d.outbox.Reopen()
	d.log.Info("files were opened again")
}
