package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"

	"avbeacon/internal/policy"
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

// refused notes a failure. false: the same one was told before.
func (r *reloads) refused(at time.Time, err error) bool {
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

// reload reads everything anew. What is bad is refused as a whole, told once, and what was in use stays so.
func (d *Daemon) reload(ctx context.Context) {
	k, err := load(d.cfg)
	if err == nil {
		err = d.acceptable(&k)
	}
	if err == nil {
		k.silent, err = d.silences(ctx)
	}
	if err == nil {
		k.taken, err = d.acknowledged(ctx)
	}
	if err != nil {
		k.close()
		if d.reloads.refused(time.Now(), err) {
			d.log.Error("new knowledge was refused; what was in use stays", zap.Error(err))
		}
		return
	}
	if old := d.next.Swap(&k); old != nil {
		old.close() // the owner had not taken it up yet
	}
}

// acceptable refuses a catalogue that has lost most of what the one in use has.
func (d *Daemon) acceptable(k *knowledge) error {
	now := d.entries.Load()
	if n := int64(k.catalog.Len()); 2*n < now && !d.cfg.Knowledge.AcceptShrunk {
		return fmt.Errorf("the catalogue has shrunk from %d to %d entries, by more than half: if that is meant, set knowledge.accept-shrunk", now, n)
	}
	return nil
}
