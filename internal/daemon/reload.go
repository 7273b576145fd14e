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

// settle is how long files must have been left alone before they are read: a folder of many is not written at once.
const settle = time.Second

// reloads tells how reading new knowledge went.
type reloads struct {
	watcher *fsnotify.Watcher // nil where no file is named

	mu          sync.Mutex
	lastOK      time.Time // zero: never
	lastFailed  time.Time // zero: never
	ok, failed  uint64
	lastProblem string // told already; "" after a reload that went well
}

func (r *reloads) done(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ok, r.lastOK, r.lastProblem = r.ok+1, at, ""
}

// rejected notes a failure. false: the same one was told before.
func (r *reloads) rejected(at time.Time, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.lastProblem == err.Error()
	r.failed, r.lastFailed, r.lastProblem = r.failed+1, at, err.Error()
	return !again
}

// watchFiles begins to listen to changes of what knowledge is read from. Folders are listened to, since a file that is
// replaced is another one.
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
		return fmt.Errorf("listen to changes of files: %w", err)
	}
	for _, folder := range list {
		if err := w.Add(folder); err != nil {
			return errors.Join(fmt.Errorf("listen to changes in %s: %w", folder, err), w.Close())
		}
	}
	d.reloads.watcher = w
	return nil
}

// knows says whether a changed file is one that knowledge is read from.
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

// watchKnowledge loads new knowledge when it is asked to, or when its files have changed, until ctx is done.
func (d *Daemon) watchKnowledge(ctx context.Context) {
	var changes chan fsnotify.Event
	var failures chan error
	if w := d.reloads.watcher; w != nil {
		defer w.Close()
		changes, failures = w.Events, w.Errors
	}
	var quiet <-chan time.Time // fires when files have been left alone for long enough
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
			d.log.Warn("changes of files may have been missed; SIGHUP reads them anew", zap.Error(err))
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

// reload loads everything again. Knowledge with an error in it is rejected as a whole and logged once; what was in use stays so.
func (d *Daemon) reload(ctx context.Context) {
	k, err := d.load(ctx)
	if err != nil {
		if d.reloads.rejected(time.Now(), err) {
			d.log.Error("new knowledge was rejected; the old one stays in use", zap.Error(err))
		}
		return
	}
	if old := d.next.Swap(k); old != nil {
		old.Close() // the owner had not come to use it
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
	ours, err := session.Rules(configured)
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

// suppressions reads those of the configuration again. A file that cannot be read any more, now that privileges are dropped, is
// no error: its suppressions stay as they were.
func (d *Daemon) suppressions() ([]alert.SuppressionRule, error) {
	if d.opt.File == "" {
		return d.cfg.Alerts.Suppress, nil
	}
	c, err := config.Load(d.opt.File)
	if errors.Is(err, os.ErrPermission) {
		d.log.Warn("the configuration cannot be read any more; its suppressions stay as they were", zap.Error(err))
		return d.cfg.Alerts.Suppress, nil
	}
	return c.Alerts.Suppress, err
}

// reopen makes all sinks that write files open them again.
func (d *Daemon) reopen() {
	d.outbox.Reopen()
	d.log.Info("files were opened again")
}
