// Package pipeline is the one loop that joins a source of packets, the observers, hosts, names and the classifier. Packets go in; at the
// end the classifier holds the findings, and Changed got each as it changed. Start with Pipeline.Take, the whole path of one
// Observation. alerter.go makes alerts of findings.
package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
)

// Pipeline is what one run consists of. Fields without a note on nil are required.
type Pipeline struct {
	Source     capture.Source
	Capture    observe.Options
	Hosts      *hosts.Hosts
	Names      *names.Names
	Classifier *classify.Classifier
	// Changed, if not nil, gets each finding that changed, as it changes. The callee owns it.
	Changed func(*classify.Finding) error
	// Catalog has the names of DNS over HTTPS resolvers; nil: they are not counted.
	Catalog *feeds.Catalog
	// FlowsDoH counts the connections to them.
	FlowsDoH uint64
	// Watch keeps what a later catalogue may want; nil: nothing is kept.
	Watch Watch
	// Tick, if not nil, is called about once a second of packet time, in silence too, with the packet clock and the counters so far. It
	// may replace Classifier, Catalog, Watch and Changed.
	Tick func(now time.Time, st capture.Stats) error
	// Panicked, if not nil, is called with an Observation that made the stages behind the observers panic and is skipped. One without a
	// kind means that Tick panicked.
	Panicked func(obs *capture.Observation, reason string, stack []byte)
	// Panics counts them.
	Panics uint64
	// Seen counts Observations by their kind.
	Seen [capture.Contact + 1]uint64
}

// Watch sees what may matter to a later catalogue.
type Watch interface {
	// Take sees every Observation as the observers made it, and may reduce it to the form that it would have had without the Watch's
	// interest. It returns true for those that exist only because of that interest: the classifier does not see them.
	Take(*capture.Observation) bool
	// Note sees every Observation before the classifier does.
	Note(*capture.Observation)
}

// Run reads the source to its end, or until ctx is done. The caller's goroutine owns all stages behind the observers.
func (p *Pipeline) Run(ctx context.Context) (capture.Stats, error) {
	sink := observe.Sink{Observation: p.Take, Ahead: p.ahead}
	if p.Tick != nil {
		sink.Tick = p.tick
	}
	return observe.Run(ctx, p.Source, p.Capture, sink)
}

// tick advances packet time when nothing was observed.
func (p *Pipeline) tick(now int64, st capture.Stats) error {
	at := time.Unix(0, now).UTC()
	defer func() {
		if v := recover(); v != nil {
			p.contain(&capture.Observation{Time: at}, v)
		}
	}()
	p.Classifier.Tick(at)
	if err := p.passOn(); err != nil {
		return err
	}
	return p.Tick(at, st)
}

// contain counts and reports a panic at an Observation or in tick.
func (p *Pipeline) contain(obs *capture.Observation, v any) {
	p.Panics++
	if p.Panicked != nil {
		p.Panicked(obs, fmt.Sprint(v), debug.Stack())
	}
}

// ahead fetches the memory that the next Observations need, in parallel.
func (p *Pipeline) ahead(list []capture.Observation) {
	p.Hosts.Ahead(list)
	p.Classifier.Ahead(list)
}

// Take is the spine: who is it (hosts), what name did it use (names), what does it mean (classify). Run calls it for each Observation of
// packets, in order of time; a reader of an input without packets (a log) may do the same, from one goroutine.
func (p *Pipeline) Take(obs *capture.Observation) error {
	defer func() {
		if v := recover(); v != nil {
			p.contain(obs, v)
		}
	}()
	p.Seen[min(obs.Kind, capture.Contact)]++
	if p.Watch != nil && p.Watch.Take(obs) {
		return nil
	}
	if obs.Kind == capture.Hello && p.Catalog != nil && p.hidesDNS(obs.Name) {
		p.FlowsDoH++
	}
	if obs.Kind == capture.Answer && obs.Marks&capture.Plain != 0 {
		obs.Host.Machine = p.Hosts.Machine(obs.Host.Addr, obs.Host.VLAN)
		p.Names.Stamp(obs) // plain answers teach names only; the flow record has who queried whom
		return nil
	}
	p.Hosts.Stamp(obs) // first: what one machine learned at one address explains its connections from another
	p.Names.Stamp(obs)
	if p.Watch != nil {
		p.Watch.Note(obs)
	}
	p.Classifier.Observe(obs)
	return p.passOn()
}

// passOn passes on the findings that changed.
func (p *Pipeline) passOn() error {
	if p.Changed == nil {
		return nil
	}
	for {
		finding, changed := p.Classifier.Next()
		if !changed {
			return nil
		}
		if err := p.Changed(finding); err != nil {
			return err
		}
	}
}

// hidesDNS reports whether a name is that of a DNS over HTTPS resolver.
func (p *Pipeline) hidesDNS(name string) bool {
	for _, e := range p.Catalog.MatchName(name) {
		if e.Vendor == nil && e.Mark == "doh" {
			return true
		}
	}
	return false
}
