package daemon

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/live"
	"avbeacon/classify"
	"avbeacon/internal/alert"
	"avbeacon/internal/metrics"
	"avbeacon/internal/outbox"
	"avbeacon/internal/policy"
	"avbeacon/internal/session"
)

// found counts findings by vendor, verdict and concern as they change, so that they need not be counted every second.
type found struct {
	now  map[string]metrics.Findings // by finding id; N is 0
	sums map[metrics.Findings]int    // of now
	most int                         // findings counted; beyond it counting starts over
}

func (c *found) note(f *classify.Finding, concern bool) {
	if c.now == nil || len(c.now) >= c.most {
		c.now, c.sums = map[string]metrics.Findings{}, map[metrics.Findings]int{}
	}
	if old, ok := c.now[f.ID]; ok {
		c.add(old, -1)
	}
	is := metrics.Findings{Vendor: f.Vendor.Key, Verdict: f.Verdict.String(), Concern: concern}
	c.now[f.ID] = is
	c.add(is, 1)
}

func (c *found) add(key metrics.Findings, n int) {
	if c.sums[key] += n; c.sums[key] == 0 {
		delete(c.sums, key)
	}
}

func (c *found) list() []metrics.Findings {
	var out []metrics.Findings
	for f, n := range c.sums {
		f.N = n
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b metrics.Findings) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Vendor, b.Vendor), strings.Compare(a.Verdict, b.Verdict))
	})
	return out
}

// show publishes the daemon's state as metrics. The owner calls it.
func (d *Daemon) show(o *owner, st capture.Stats) {
	s := &metrics.Snapshot{
		Time: time.Now(), Clock: o.Teller.Now(), Interfaces: d.interfaces(), Panics: d.faults.panics.Load(), Findings: o.found.list(),
		Undecoded: undecoded(&st.Decode), Malformed: malformed(&st.Observer), Observations: o.kinds(), Tables: o.tables(&st),
		Knowledge: shownKnowledge(o.Know), Reloads: d.reloads.shown(), Draining: o.ended,
	}
	d.showAlerts(o, s)
	d.showStore(s)
	d.metrics.Publish(s)
}

func (d *Daemon) interfaces() []metrics.Interface {
	var out []metrics.Interface
	if d.live == nil {
		for _, in := range d.source.Inputs() {
			out = append(out, metrics.Interface{Name: in.Name, Up: in.Err == nil, Losses: d.unreadFiles(), Packets: in.Packets, Bytes: in.Bytes, Kernel: in.Drops})
		}
		return out
	}
	for _, s := range d.live.Stats() {
		out = append(out, metrics.Interface{
			Name: s.Interface, Up: s.State == live.LinkUp, Losses: s.Losses, Packets: s.Packets, Bytes: s.Bytes, Kernel: s.Drops, Freezes: s.Freezes, Cut: s.Cut,
		})
	}
	return out
}

func undecoded(d *capture.DecodeStats) []metrics.Count {
	var out []metrics.Count
	d.Undecoded.Each(func(r capture.Reason, n uint64) { out = append(out, metrics.Count{Label: r.String(), N: n}) })
	d.Opaque.Each(func(r capture.Reason, n uint64) {
		out = append(out, metrics.Count{Label: "inside a tunnel: " + r.String(), N: n})
	})
	return append(out, metrics.Count{Label: "encrypted by IPsec (ESP)", N: d.ESP})
}

func malformed(s *capture.ObserverStats) []metrics.Count {
	return []metrics.Count{{Label: "dns", N: s.MalformedDNS}, {Label: "tls", N: s.MalformedTLS}, {Label: "quic", N: s.MalformedQUIC}, {Label: "other", N: s.MalformedOther}}
}

func (o *owner) kinds() []metrics.Count {
	names := [...]string{"none", "lookup", "answer", "client_hello", "server_hello", "certificate", "request", "response", "identity", "flow"}
	var out []metrics.Count
	for k, n := range o.Pipeline.Seen {
		if k > 0 {
			out = append(out, metrics.Count{Label: names[k], N: n})
		}
	}
	return out
}

func (o *owner) tables(st *capture.Stats) []metrics.Table {
	l := &o.d.cfg.Limits
	h, n, c, b := o.Pipeline.Hosts.Stats(), o.Pipeline.Names.Stats(), o.Pipeline.Classifier.Stats(), o.Teller.Book.Stats()
	return []metrics.Table{
		{Name: "flows", Entries: st.Observer.FlowsOpen, Limit: l.Flows, Evicted: st.Observer.FlowsEvicted},
		{Name: "stream_bytes", Entries: st.Observer.Waiting, Evicted: st.Observer.WaitingEvicted},
		{Name: "fragments", Entries: st.Decode.Fragments.Pending, Evicted: st.Decode.Fragments.Dropped},
		{Name: "addresses", Entries: h.Addresses, Limit: l.Hosts, Evicted: h.Evicted},
		{Name: "names", Entries: n.Pairs, Limit: l.Names, Evicted: n.Evicted},
		{Name: "hosts", Entries: c.Hosts, Limit: o.relief.hosts, Evicted: c.HostsEvicted},
		{Name: "findings", Entries: len(o.found.now), Limit: o.found.most},
		{Name: "told", Entries: b.Tracked, Limit: l.Hosts, Evicted: b.Evicted},
	}
}

// shownKnowledge returns the data in use; unknown dates are left out.
func shownKnowledge(know *session.Knowledge) metrics.Knowledge {
	k := metrics.Knowledge{Catalog: day(know.Catalog.Date()), Entries: know.Catalog.Len()}
	for _, db := range know.Places.Databases() {
		k.Databases = append(k.Databases, metrics.Database{Name: db.Name, Date: day(db.Date)})
	}
	return k
}

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (r *reloads) shown() []metrics.Reload {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []metrics.Reload{{What: "knowledge", Success: r.lastOK, Failure: r.lastFailed}}
}

func (d *Daemon) showAlerts(o *owner, s *metrics.Snapshot) {
	for a, n := range o.sent {
		a.N = n
		s.Alerts = append(s.Alerts, a)
	}
	slices.SortFunc(s.Alerts, func(a, b metrics.Alerts) int {
		return cmp.Or(strings.Compare(a.Event, b.Event), strings.Compare(a.Severity, b.Severity))
	})
	b := o.Teller.Book.Stats()
	s.Suppressed = silenced(&b)
	st := d.delivery.Load()
	if st == nil {
		return
	}
	var lost uint64
	for _, n := range st.Dropped {
		lost += n
	}
	s.Queues = append(s.Queues, metrics.Queue{Name: "spool", Waiting: st.Waiting, Limit: st.OutboxStats.Pending, Lost: lost})
	s.Spool = metrics.Spool{Bytes: uint64(st.Bytes), Limit: uint64(st.Limit)}
	for at, n := range st.Purged {
		s.Spool.Dropped = append(s.Spool.Dropped, metrics.Count{Label: policy.Severity(at).String(), N: n})
	}
	for i := range st.Sinks {
		s.Sinks = append(s.Sinks, shownSink(&st.Sinks[i], s.Time))
	}
}

// mostRules is the most suppressions and maintenance windows that are counted separately.
const mostRules = 100

// silenced counts withheld alerts by cause: suppressions and maintenance windows by their IDs.
func silenced(b *alert.Stats) []metrics.Count {
	list := []metrics.Count{{Label: "summary", N: b.Grouped}, {Label: "not_asked_for", N: b.Unasked}, {Label: "quiet_hours", N: b.Held}}
	rest := metrics.Count{Label: "other rules"}
	for i, r := range b.Rules {
		if i < mostRules {
			list = append(list, metrics.Count{Label: "rule " + r.ID, N: r.Alerts})
		} else {
			rest.N += r.Alerts
		}
	}
	return append(list, rest)
}

func shownSink(x *outbox.SinkStats, now time.Time) metrics.Sink {
	out := metrics.Sink{Name: x.Name, Delivered: x.Delivered, Refused: x.Rejected, Retries: x.Retries, Pending: x.Pending, Open: x.Circuit == outbox.Broken}
	if x.Lag > 0 {
		out.Oldest = now.Add(-x.Lag)
	}
	return out
}

func (d *Daemon) showStore(s *metrics.Snapshot) {
	if d.store == nil {
		return
	}
	f := &d.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Store = metrics.Store{Used: true, Bytes: uint64(f.size), Limit: uint64(d.cfg.Store.Size), Failed: f.unwritten, Written: f.written}
	if f.store != nil {
		s.Store.Err, s.Spool.Err = f.store.Error(), f.store.Error()
	}
}

// inputs returns the names of all inputs.
func (d *Daemon) inputs() (names []string) {
	for _, in := range d.source.Inputs() {
		names = append(names, in.Name)
	}
	return names
}
