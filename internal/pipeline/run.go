// Package pipeline is the one loop that joins a source of packets, the observers, the stamps and the classifier. Packets
// go in; the classifier it was given holds the findings when it returns.
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

// Pipeline is what one run is made of. Changed may be nil; all else is needed.
type Pipeline struct {
	Source     capture.Source
	Capture    observe.Options
	Hosts      *hosts.Hosts
	Names      *names.Names
	Classifier *classify.Classifier
	// Changed gets each finding that changed, as it changes. The finding is the callee's.
	Changed func(*classify.Finding) error
	// Catalog knows the names of DNS over HTTPS resolvers; nil: they are not counted.
	Catalog *feeds.Catalog
	// FlowsDoH counts the flows to them.
	FlowsDoH uint64
	// Watch keeps what the classifier has no use for; nil: nobody does.
	Watch Watch
	// Tick, where not nil, is called about once a second of packet time, in silence too, with the packet clock and what was
	// seen so far. It may exchange the Classifier, the Catalog, the Watch and Changed.
	Tick func(now time.Time, st capture.Stats) error
	// Panicked, where not nil, is told of an Observation that made the stages behind the observers panic. It is left out. One
	// without a kind stands for a moment of packet time.
	Panicked func(obs *capture.Observation, reason string, stack []byte)
	// Panics counts them.
	Panics uint64
	// Seen counts Observations by their kind.
	Seen [capture.Contact + 1]uint64
}

// Watch is shown what may matter to a later catalogue.
type Watch interface {
	// Take is shown every Observation as the observers gave it, and may put it into the form that it would have had without
	// the Watch's interest. It says true of those that nobody else would have been shown.
	Take(*capture.Observation) bool
	// Note is shown every Observation that the classifier is, before it is.
	Note(*capture.Observation)
}

// Run reads the source to its end, or until ctx is done. One goroutine, the caller's, owns all that lies behind the
// observers.
func (p *Pipeline) Run(ctx context.Context) (capture.Stats, error) {
	sink := observe.Sink{Observation: p.take, Ahead: p.ahead}
	if p.Tick != nil {
		sink.Tick = p.tick
	}
	return observe.Run(ctx, p.Source, p.Capture, sink)
}

// tick lets time pass where nothing was observed.
func (p *Pipeline) tick(now int64, st capture.Stats) error {
	at := time.Unix(0, now).UTC()
	defer func() {
		if v := recover(); v != nil {
			p.contain(&capture.Observation{Time: at}, v)
		}
	}()
	p.Classifier.Tick(at)
	if err := p.tell(p.Classifier.Next()); err != nil {
		return err
	}
	return p.Tick(at, st)
}

// contain counts an Observation, or a moment, that made us panic.
func (p *Pipeline) contain(obs *capture.Observation, v any) {
	p.Panics++
	if p.Panicked != nil {
		p.Panicked(obs, fmt.Sprint(v), debug.Stack())
	}
}

// ahead fetches the memory that the next Observations need, side by side.
func (p *Pipeline) ahead(list []capture.Observation) {
	p.Hosts.Ahead(list)
	p.Classifier.Ahead(list)
}

// take is the spine: who is it, what did it call that address, what does it mean.
func (p *Pipeline) take(obs *capture.Observation) error {
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
		p.Names.Stamp(obs) // what an address was called may be over; the flow record tells who asked whom
		return nil
	}
	p.Hosts.Stamp(obs) // first: what one machine learned at one address explains its flows from another
	p.Names.Stamp(obs)
	if p.Watch != nil {
		p.Watch.Note(obs)
	}
	return p.tell(p.Classifier.Observe(obs))
}

// tell hands on a finding that changed, and those that changed with it.
func (p *Pipeline) tell(finding *classify.Finding, changed bool) error {
	for changed && p.Changed != nil {
		if err := p.Changed(finding); err != nil {
			return err
		}
		finding, changed = p.Classifier.Next()
	}
	return nil
}

// hidesDNS reports whether a name is a DNS over HTTPS resolver's.
func (p *Pipeline) hidesDNS(name string) bool {
	for _, e := range p.Catalog.MatchName(name) {
		if e.Vendor == nil && e.Mark == "doh" {
			return true
		}
	}
	return false
}
