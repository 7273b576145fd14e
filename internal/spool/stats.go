package spool

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Stats is how the spool stands. Counts are since the process began.
type Stats struct {
	Queued       int               // alerts that wait in memory to be written
	Offered      uint64            // alerts
	Stored       uint64            // alerts
	Dropped      map[string]uint64 // alerts by severity: the queue was full, or closed
	Purged       map[string]uint64 // alerts by severity: the stream was full, and not every sink had them
	Aged         uint64            // messages that every sink had and that made room for new ones
	Waiting      string            // why alerts wait in memory; "" while they are written
	Damaged      string            // what was found damaged; "" for nothing
	CopyFailures uint64            // alerts that are not in the copy
	DeadLost     uint64            // dead letters of files that had to go

	Known    bool          // the server answered: the rest, and what sinks have Pending, is of now
	Messages uint64        // in the stream, of up to 256 alerts each, delivered ones with them
	Bytes    uint64        // of the stream
	Size     uint64        // bytes that it may have
	Oldest   time.Duration // age of the oldest message; 0 where there is none

	Sinks []SinkStats // in the order of their names
	Left  []string    // sinks that the stream keeps a position for and that are not attached
}

// SinkStats is how a sink stands.
type SinkStats struct {
	Name      string
	Delivered uint64 // alerts
	Refused   uint64 // alerts, for good
	Filtered  uint64 // alerts
	Retries   uint64 // deliveries that failed
	Damaged   uint64 // lines of the stream that were no alert
	Pending   uint64 // messages of the stream that it did not have
	Circuit   Circuit
	Error     string        // the last one; "" once it works again
	Lag       time.Duration // age of the oldest alert that is being delivered; 0 where there is none
}

// Stats asks the server too, for at most 2 s.
func (s *Spool) Stats() Stats {
	out := s.count.stats()
	out.Size = uint64(s.cfg.Size)
	out.Queued, out.Offered, out.Dropped = s.queued()
	s.dead.mu.Lock()
	out.DeadLost = s.dead.lost
	s.dead.mu.Unlock()
	s.mu.Lock()
	for _, k := range s.sinks {
		out.Sinks = append(out.Sinks, k.count.stats(k.name, s.opt.Now()))
	}
	s.mu.Unlock()
	slices.SortFunc(out.Sinks, func(a, b SinkStats) int { return strings.Compare(a.Name, b.Name) })
	if e, err := s.live(); err == nil {
		e.describe(&out, s.opt.Now())
	}
	return out
}

func (s *Spool) queued() (int, uint64, map[string]uint64) {
	size, offered, dropped := s.queue.stats()
	return size, offered, bySeverity(dropped)
}

func bySeverity(counts [severities]uint64) map[string]uint64 {
	out := map[string]uint64{}
	for at, n := range counts {
		out[severity(at)] = n
	}
	return out
}

// describe adds what the server knows.
func (e *engine) describe(out *Stats, now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	stream, err := e.js.Stream(ctx, e.name)
	if err != nil {
		return
	}
	state := stream.CachedInfo().State
	out.Messages, out.Bytes, out.Size = state.Msgs, state.Bytes, uint64(max(0, stream.CachedInfo().Config.MaxBytes))
	if state.Msgs > 0 {
		out.Oldest = max(0, now.Sub(state.FirstTime))
	}
	all := stream.ListConsumers(ctx)
	for info := range all.Info() {
		out.place(info)
	}
	out.Known = all.Err() == nil
}

func (s *Stats) place(info *jetstream.ConsumerInfo) {
	if info.Config.Durable == "" {
		return
	}
	for i := range s.Sinks {
		if s.Sinks[i].Name == info.Name {
			s.Sinks[i].Pending = info.NumPending + uint64(info.NumAckPending)
			return
		}
	}
	s.Left = append(s.Left, info.Name)
}

// counters are those of the spool as a whole.
type counters struct {
	stored, aged, copies atomic.Uint64

	mu       sync.Mutex
	purged   [severities]uint64
	waiting  string
	damage   string
	saidLoss time.Time
	unsaid   uint64
	saidCopy bool
}

func (c *counters) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Stored: c.stored.Load(), Purged: bySeverity(c.purged), Aged: c.aged.Load(), Waiting: c.waiting,
		Damaged: c.damage, CopyFailures: c.copies.Load()}
}

// wait notes why alerts wait, nil that they do not; true where they did not before.
func (c *counters) wait(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.waiting
	if c.waiting = ""; err != nil {
		c.waiting = err.Error()
	}
	return before == "" && err != nil
}

func (c *counters) damaged(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.damage = what
}

func (c *counters) lost(at int, n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purged[at] += n
}

// sayLoss folds what is to be said of losses into one line a minute; 0 for not now.
func (c *counters) sayLoss(now time.Time, n uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsaid += n
	if since := now.Sub(c.saidLoss); since >= 0 && since < time.Minute {
		return 0
	}
	n, c.unsaid, c.saidLoss = c.unsaid, 0, now
	return n
}

// copyFailed counts, and says the first of all failures.
func (c *counters) copyFailed(say func()) {
	c.copies.Add(1)
	c.mu.Lock()
	said := c.saidCopy
	c.saidCopy = true
	c.mu.Unlock()
	if !said {
		say()
	}
}

// sinkCount is what is counted of a sink.
type sinkCount struct {
	mu      sync.Mutex
	now     SinkStats
	circuit Circuit
	oldest  time.Time // when the oldest alert that is held was stored; zero for none
}

func (c *sinkCount) stats(name string, now time.Time) SinkStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.now
	out.Name, out.Circuit = name, c.circuit
	if !c.oldest.IsZero() {
		out.Lag = max(0, now.Sub(c.oldest))
	}
	return out
}

func (c *sinkCount) change(f func(*SinkStats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.now)
}

func (c *sinkCount) skip(n int) { c.change(func(s *SinkStats) { s.Filtered += uint64(n) }) }
func (c *sinkCount) bad()       { c.change(func(s *SinkStats) { s.Damaged++ }) }

func (c *sinkCount) deliver(n, refused int) {
	c.change(func(s *SinkStats) { s.Delivered += uint64(n); s.Refused += uint64(refused) })
}

func (c *sinkCount) hold(since time.Time) { c.change(func(*SinkStats) { c.oldest = since }) }
func (c *sinkCount) try()                 { c.change(func(*SinkStats) { c.circuit = Half }) }
func (c *sinkCount) work()                { c.change(func(s *SinkStats) { c.circuit, s.Error = Closed, "" }) }

// fail notes an error; true where the sink worked before.
func (c *sinkCount) fail(err error) (first bool) {
	c.change(func(s *SinkStats) {
		first = c.circuit == Closed
		c.circuit, s.Error = Broken, err.Error()
		s.Retries++
	})
	return first
}
