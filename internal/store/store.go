// Package store keeps findings with their evidence, hosts, alerts and the classifier's memory in an SQLite file. What callers keep
// is written once a second, and read back after a restart, for reports and for the web pages. Start with Store, Keep and Run.
package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"avbeacon/capture/limits"
	"avbeacon/classify"
	"avbeacon/internal/lockfile"
	"avbeacon/internal/policy"
)

// Options says how a store is opened. The zero value opens it for writing, under the sensor and key that it has.
type Options struct {
	ReadOnly bool   // nothing is created, migrated, locked or written
	Sensor   string // name of the tap; "" takes the store's. A store has one
	IDKey    []byte // key of identifiers' hashes; nil takes the store's, which is made at random with it
	// Steady is for a process that runs for months: a damaged store is kept aside and another begun with what can be read
	// of it, and a reserve of 8 MiB beside the store is given up when the disk is full.
	Steady  bool
	Alerts  int64 // bytes that alerts may take which not every sink had; 0 is 256 MiB. Beyond it the oldest of the lowest severity go
	Pending int   // alerts to be sent that may wait in memory; 0 is 65,536
}

// Store is an open file. Its methods may be called from any goroutine; one process at a time writes.
type Store struct {
	file    string
	sensor  string
	key     []byte
	db      *sql.DB        // the one connection that writes; with ReadOnly several that read
	readers *sql.DB        // that read beside db; nil with ReadOnly
	lock    *lockfile.Lock // nil: nothing is written
	read    bool

	temp    string // folder of a store of this process alone, removed at Close; "" for none
	steady  bool
	pending int
	damage  string        // see Damage
	ripe    chan struct{} // holds a token while alerts wait to be sent

	mu       sync.Mutex
	waiting  *batch
	flying   *batch             // that is being written; nil: none is. Only its alerts may be read, and do not change
	inFlight int                // alerts to be sent of flying
	dropped  [severities]uint64 // alerts that did not find room in memory
	counts   map[string]counts  // of every finding, as it was last kept

	writing sync.Mutex // held while a transaction is made
	written map[string]*written
	out     outbox
	reserve reserve
}

// counts are a finding's totals when it was last kept: the difference to the next totals belongs to an hour.
type counts struct {
	contacts, lookups uint64
	last              time.Time
}

// Open opens a store, or makes one, checks it and brings it to this version's schema. The error is one of the sentinels
// of this package where a caller may want to know.
func Open(file string, opt Options) (*Store, error) {
	s := newStore(file, opt)
	if err := s.open(opt); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", file, err), s.release())
	}
	return s, nil
}

// OpenTemporary opens a store that ends with the process: in a folder for temporary files, where nothing waits for the disk.
func OpenTemporary(opt Options) (*Store, error) {
	folder, err := os.MkdirTemp("", "avbeacon-")
	if err != nil {
		return nil, fmt.Errorf("temporary store: %w", err)
	}
	opt.Steady = false
	s := newStore(filepath.Join(folder, "alerts.db"), opt)
	s.temp = folder
	if err := s.open(opt); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary store: %w", err), s.release())
	}
	return s, nil
}

func newStore(file string, opt Options) *Store {
	s := &Store{file: file, read: opt.ReadOnly, steady: opt.Steady && !opt.ReadOnly, pending: cmp.Or(opt.Pending, limits.Pending),
		ripe: make(chan struct{}, 1), counts: map[string]counts{}, written: map[string]*written{}}
	s.out.limit, s.out.mostDead, s.out.stored = cmp.Or(opt.Alerts, limits.Alerts), limits.DeadLetters, make(chan struct{})
	s.waiting = s.newBatch()
	return s
}

func (s *Store) newBatch() *batch { return newBatch(newWaiting(s.pending, &s.dropped)) }

func (s *Store) open(opt Options) error {
	if s.steady {
		s.reserve.name = s.file + ".reserve"
	}
	err := s.start()
	if s.steady && errors.Is(err, ErrFull) && os.Remove(s.reserve.name) == nil { // made again once there is room
		err = s.release()
		if s.db, s.readers, s.lock = nil, nil, nil; err == nil {
			err = s.start()
		}
	}
	switch {
	case err == nil:
		return s.begun(opt)
	case s.damaged(err):
		return s.beginAgain(opt, plain(err))
	}
	return plain(err)
}

// start opens the file and brings its schema up to date.
func (s *Store) start() error {
	err := s.connect()
	if err == nil {
		err = s.recognise()
	}
	return s.full(plain(err))
}

// begun reads the state that an opened store continues from.
func (s *Store) begun(opt Options) error {
	if err := s.identify(opt); err != nil {
		return plain(err)
	}
	if err := s.openOutbox(context.Background()); err != nil {
		return plain(err)
	}
	s.reserve.make(time.Now())
	return plain(s.recall())
}

// identify reads the store's sensor and key, or sets them in a new store.
func (s *Store) identify(opt Options) error {
	ctx := context.Background()
	sensor, known, err := s.meta(ctx, "sensor")
	if err != nil {
		return err
	}
	text, _, err := s.meta(ctx, "id_key")
	if err != nil {
		return err
	}
	if s.key, err = hex.DecodeString(text); err != nil {
		return fmt.Errorf("%w: its key is not valid", ErrCorrupt)
	}
	switch {
	case known && opt.Sensor != "" && opt.Sensor != sensor:
		if sensor == "" {
			return fmt.Errorf("%w: it was made without a sensor name and cannot be used with --sensor %s", ErrOtherSensor, opt.Sensor)
		}
		return fmt.Errorf("%w: %s, not %s", ErrOtherSensor, sensor, opt.Sensor)
	case len(s.key) > 0 && opt.IDKey != nil && string(opt.IDKey) != string(s.key):
		return ErrOtherKey
	}
	s.sensor = cmp.Or(sensor, opt.Sensor)
	if known || s.read {
		return nil
	}
	if s.key = opt.IDKey; s.key == nil {
		s.key = make([]byte, 32)
		if _, err := rand.Read(s.key); err != nil {
			return err
		}
	}
	return s.begin(ctx, func(t *tx) error {
		t.do("meta.put", "sensor", s.sensor)
		return t.do("meta.put", "id_key", hex.EncodeToString(s.key))
	})
}

// recall reads how often each finding was kept.
func (s *Store) recall() error {
	if s.read {
		return nil
	}
	return s.each(context.Background(), "finding.counts", []any{s.sensor}, func(row scanner) error {
		var id string
		var c counts
		var last int64
		err := row.Scan(&id, &c.contacts, &c.lookups, &last)
		c.last = instant(last)
		s.counts[id] = c
		return err
	})
}

// Sensor returns the name of the tap that the store belongs to.
func (s *Store) Sensor() string { return s.sensor }

// IDKey returns the key for hashes of personal identifiers. The store owns the slice.
func (s *Store) IDKey() []byte { return s.key }

// Keep takes the current version of a finding and the policy's decision on it for the next Flush. The finding must not change
// afterwards. The alerts that it caused are written in the same transaction.
func (s *Store) Keep(f *classify.Finding, d policy.Decision, alerts ...Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(f, d)
	for _, a := range alerts {
		s.keepAlert(a)
	}
}

func (s *Store) keep(f *classify.Finding, d policy.Decision) {
	s.waiting.count(f, s.counts[f.ID])
	s.counts[f.ID] = counts{contacts: f.Contacts, lookups: f.Lookups, last: f.LastSeen}
	s.waiting.findings[f.ID] = kept{finding: f, decision: d, starts: s.waiting.findings[f.ID].starts}
}

// KeepMemory takes pieces of the classifier's memory from a Saver, the findings in them, and the alerts that those caused.
func (s *Store) KeepMemory(pieces []classify.Saved, judge func(*classify.Finding) policy.Decision, alerts ...Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range alerts {
		s.keepAlert(a)
	}
	for i := range pieces {
		p := &pieces[i]
		s.waiting.states[stateKey{p.Host, p.Vendor}] = *p
		if f := p.Finding; f != nil {
			s.keep(f, judge(f))
			k := s.waiting.findings[f.ID]
			k.starts = p.Beats
			s.waiting.findings[f.ID] = k
		}
	}
}

// sendEvery is the least time between writes of alerts: those that come meanwhile share one transaction and one disk sync.
const sendEvery = 50 * time.Millisecond

// Ripe returns a channel that holds a token while alerts wait to be sent.
func (s *Store) Ripe() <-chan struct{} { return s.ripe }

// Run writes the batch every interval, and soon after alerts that are to be sent. When ctx is done it writes once more, so that
// everything kept before is in the file. failed, which may be nil, gets errors on the way; what could not be written is tried
// again next time.
func (s *Store) Run(ctx context.Context, every time.Duration, failed func(error)) error {
	tick, soon := time.NewTicker(every), time.NewTimer(0)
	defer tick.Stop()
	defer soon.Stop()
	<-soon.C
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return s.Flush(context.WithoutCancel(ctx), time.Now())
		case <-s.ripe:
			soon.Reset(sendEvery)
			continue
		case now = <-soon.C:
		case now = <-tick.C:
		}
		if err := s.Flush(ctx, now); err != nil && ctx.Err() == nil && failed != nil {
			failed(err)
		}
	}
}

// Close closes the file. What was kept since the last Flush is lost.
func (s *Store) Close() error { return plain(s.release()) }

func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.db != nil {
		if !s.read {
			_, _ = s.db.Exec("PRAGMA optimize") // best effort
		}
		errs = append(errs, s.db.Close()) // last: it copies the log into the file
	}
	if s.temp != "" {
		errs = append(errs, s.lock.Release(), os.RemoveAll(s.temp))
		s.lock = nil
	}
	return errors.Join(append(errs, s.lock.Release())...)
}

// exists says whether there is a file at a path, and rejects anything that cannot be a store.
func exists(file string) (bool, error) {
	st, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, reason(err)
	case st.IsDir():
		return false, errors.New("it is a folder")
	case !st.Mode().IsRegular():
		return false, errors.New("it is not a regular file")
	}
	return st.Size() > 0, nil
}
