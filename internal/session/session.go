// Package session assembles the parts of a run, in the same way for every command. Knowledge (catalogue, places, policy), a
// source of packets and optionally a store go in; a pipeline that judges, a book that turns findings into alerts, and a report
// come out. A Session handles no flags and no signals and does not end by itself: cmd/avbeacon runs one over captures,
// internal/daemon keeps one running.
//
// Start reading at New, which makes the parts, then Resume, which fills them from a store. alerts.go shows how a finding becomes
// an alert, outbox.go how alerts reach the sinks, report.go what is reported at the end. acknowledge.go, suppress.go and sinks.go
// are what commands do with a store and with sinks beside a run; steady.go tunes the Go runtime for a run over files.
package session

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/limits"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/internal/alert"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/policy"
	"avbeacon/internal/store"
	"avbeacon/internal/watch"
)

// Options are the parts and settings of a Session. Source and IDKey are required.
type Options struct {
	Source  capture.Source
	Capture observe.Options // the Session sets Interest
	Hosts   int             // hosts remembered; 0 for the default
	Names   int             // pairs of host and address with a name; 0 for the default
	Site    Site
	Sensor  string // part of every id
	Version string
	IDKey   []byte // for the hashes that replace personal identifiers
	// Live marks a run without an end: alerts carry the time of their creation, and what hosts learned from DNS is kept for the next run.
	Live bool
	Log  *zap.Logger // nil: nothing is logged

	Store  *store.Store  // nil: nothing outlives the run
	Alerts *alert.Config // nil: no alerts are made
	Outbox *Outbox       // nil: no sink gets alerts

	// Sent, if not nil, gets each alert before the store and the outbox do. It must not change the alert.
	Sent func(*alert.Alert)
	// Changed, if not nil, gets each finding that changed and the policy's decision about it, after book and store.
	Changed func(*classify.Finding, policy.Decision)
	// Tick, if not nil, is called about once a second of packet time, after the book.
	Tick func(now time.Time, st capture.Stats) error
	// Panicked is pipeline.Pipeline.Panicked.
	Panicked func(obs *capture.Observation, reason string, stack []byte)
}

// Session holds the parts of one run. Only the goroutine that runs the Pipeline may use it, except for Interest.
type Session struct {
	Pipeline *pipeline.Pipeline
	Alerter  pipeline.Alerter // its Book is nil if no alerts are made
	Know     *Knowledge       // in use; Use replaces it

	opt   Options
	saver *classify.Saver // nil without a store
	made  []store.Alert   // alerts waiting for their finding
	run   store.RunNumber // valid iff there is a store and Resume was called
	began time.Time
	asked atomic.Pointer[interest]
}

// interest answers observers and passive DNS: it is the catalogue, or a Watch around it.
type interest struct {
	capture.Interest
	headers []string
}

// HeaderNames is an extension of capture.Interest; see observe.Options.Interest.
func (i *interest) HeaderNames() []string { return i.headers }

// New makes the parts. Resume must follow if there is a store or an outbox.
func New(opt Options, know *Knowledge) (*Session, error) {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	s := &Session{opt: opt, Know: know, began: time.Now()}
	s.opt.Capture.Interest = s.Interest
	s.Pipeline = &pipeline.Pipeline{
		Source:   opt.Source,
		Capture:  s.opt.Capture,
		Hosts:    hosts.New(hosts.Options{MaxHosts: opt.Hosts}),
		Names:    names.New(names.Options{MaxPairs: opt.Names, Interest: latest{s}}),
		Panicked: opt.Panicked,
	}
	if opt.Store != nil || opt.Alerts != nil || opt.Changed != nil {
		s.Pipeline.Changed = s.changed
	}
	if opt.Tick != nil || opt.Alerts != nil {
		s.Pipeline.Tick = s.tick
	}
	s.use(s.classifier())
	if opt.Alerts == nil {
		return s, nil
	}
	book, err := alert.NewBook(*opt.Alerts, s.bookOptions())
	if err != nil {
		return nil, err
	}
	s.Alerter = pipeline.Alerter{Book: book, Policy: know.Policy, Send: s.send}
	return s, nil
}

func (s *Session) classifier() *classify.Classifier {
	o := &s.opt
	c := classify.Options{
		Catalog: s.Know.Catalog, Locate: place.Locator(s.Know.Places), Home: o.Site.Home, SensorAt: o.Site.SensorAt,
		Recall: s.Pipeline.Hosts.Recall, Sensor: o.Sensor, IDKey: o.IDKey, MaxHosts: o.Hosts,
	}
	if o.Hosts > 0 {
		c.MaxFlows = min(o.Hosts, limits.HostFlows)
	}
	return classify.New(c)
}

// use puts a classifier into use, with the catalogue of Know, which observers query from now on.
func (s *Session) use(c *classify.Classifier) {
	catalog := s.Know.Catalog
	s.Pipeline.Classifier, s.Pipeline.Catalog = c, catalog
	ask := &interest{catalog, catalog.HeaderNames()} // a new value each time: observers may still read the old one
	if s.opt.Store != nil {
		w := watch.New(s.opt.Store, catalog, s.opt.Site.Contains)
		s.Pipeline.Watch, ask.Interest = w, w
		s.saver = c.NewSaver()
	}
	s.asked.Store(ask)
}

// Interest returns the interest in use. Any goroutine may call it and keep the result.
func (s *Session) Interest() capture.Interest { return s.asked.Load() }

// latest always queries the interest currently in use.
type latest struct{ s *Session }

func (l latest) Name(name []byte) bool  { return l.s.asked.Load().Name(name) }
func (l latest) Addr(a netip.Addr) bool { return l.s.asked.Load().Addr(a) }
func (l latest) Flow(udp bool, port uint16, out, in []byte) bool {
	return l.s.asked.Load().Flow(udp, port, out, in)
}

// changed is pipeline.Pipeline.Changed.
func (s *Session) changed(f *classify.Finding) error {
	d := s.decide(f)
	if s.opt.Store != nil {
		s.opt.Store.Keep(f, d, s.take()...)
	} else {
		s.keepAlerts()
	}
	if s.opt.Changed != nil {
		s.opt.Changed(f, d)
	}
	return nil
}

// decide passes a changed finding to the book and returns the policy's decision about it.
func (s *Session) decide(f *classify.Finding) policy.Decision {
	if s.Alerter.Book == nil {
		return s.Know.Policy.Decide(f)
	}
	return s.Alerter.Changed(f)
}

// tick is pipeline.Pipeline.Tick.
func (s *Session) tick(now time.Time, st capture.Stats) error {
	if s.Alerter.Book != nil {
		s.Alerter.Tick(now)
		s.keepAlerts()
	}
	if s.opt.Tick == nil {
		return nil
	}
	return s.opt.Tick(now, st)
}

// Finish judges every finding a last time at the end of the input, in report order, including those that were still waiting
// for an answer. each, which may be nil, gets them one at a time, so that they are never all in memory.
func (s *Session) Finish(each func(*classify.Finding)) {
	if s.Alerter.Book == nil && s.opt.Changed == nil && each == nil {
		return // nobody wants them: building all findings takes seconds on a large site
	}
	_ = s.Pipeline.Classifier.Each(func(f *classify.Finding) error { // the callback never fails
		d := s.decide(f)
		if s.opt.Changed != nil {
			s.opt.Changed(f, d)
		}
		if each != nil {
			each(f)
		}
		return nil
	})
	if s.Alerter.Book != nil {
		s.Alerter.Tick(s.Alerter.Now())
	}
	if s.opt.Store == nil { // otherwise Keep writes the alerts with the findings
		s.keepAlerts()
	}
}

// Use replaces the knowledge in use. Findings survive: the classifier's memory is saved and restored, as in a restart. hosts is
// the limit now in force. The caller closes the old Knowledge.
func (s *Session) Use(ctx context.Context, know *Knowledge, hosts int) (classify.Restored, error) {
	pieces := s.Pipeline.Classifier.Pieces()
	s.Know = know
	c := s.classifier()
	c.Limit(hosts)
	r := c.Restore(pieces)
	s.use(c)
	if s.Alerter.Policy = know.Policy; s.Alerter.Book != nil {
		s.Alerter.Book.Use(s.bookOptions())
	}
	if s.opt.Store == nil {
		return r, nil
	}
	s.saver.Fresh()
	return r, s.opt.Store.UseCatalog(ctx, know.Catalog, time.Now())
}
