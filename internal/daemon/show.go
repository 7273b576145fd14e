package daemon

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/capture/live"
	"avbeacon/classify"
	"avbeacon/internal/metrics"
	"avbeacon/internal/outbox"
	"avbeacon/internal/policy"
)

// found counts findings by vendor, verdict and concern as they change, so that they need not be counted every second.
type found struct {
	now  map[string]foundKey // by finding id
	sums map[foundKey]int    // of now
	most int                 // findings counted; beyond it counting starts over
}

type foundKey struct {
	vendor, verdict string
	concern         bool
}

func (c *found) note(f *classify.Finding, concern bool) {
	if c.now == nil || len(c.now) >= c.most {
		c.now, c.sums = map[string]foundKey{}, map[foundKey]int{}
	}
	if old, ok := c.now[f.ID]; ok {
		c.add(old, -1)
	}
	is := foundKey{f.Vendor.Key, f.Verdict.String(), concern}
	c.now[f.ID] = is
	c.add(is, 1)
}

func (c *found) add(key foundKey, n int) {
	if c.sums[key] += n; c.sums[key] == 0 {
		delete(c.sums, key)
	}
}

// show publishes the daemon's state as metrics. The owner calls it once a second: it reads counters that exist anyway and must not walk
// over hosts or findings. What other goroutines own is read under their lock or from an atomic.
func (d *Daemon) show(o *owner, st capture.Stats) {
	s := &metrics.Snapshot{Time: time.Now(), Clock: o.Alerter.Now(), Interfaces: d.interfaces(), Draining: o.ended}
	s.Count("panics_total", d.faults.panics.Load())
	st.Decode.Undecoded.Each(func(r capture.Reason, n uint64) { s.Count("undecoded_packets_total", n, r.String()) })
	st.Decode.Opaque.Each(func(r capture.Reason, n uint64) {
		s.Count("undecoded_packets_total", n, "inside a tunnel: "+r.String())
	})
	s.Count("undecoded_packets_total", st.Decode.ESP, "encrypted by IPsec (ESP)")
	s.Count("malformed_messages_total", st.Observer.MalformedDNS, "dns")
	s.Count("malformed_messages_total", st.Observer.MalformedTLS, "tls")
	s.Count("malformed_messages_total", st.Observer.MalformedQUIC, "quic")
	s.Count("malformed_messages_total", st.Observer.MalformedOther, "other")
	for k, name := range [...]string{"", "lookup", "answer", "client_hello", "server_hello", "certificate", "request", "response", "identity", "flow"} {
		if k > 0 {
			s.Count("observations_total", o.Pipeline.Seen[k], name)
		}
	}
	o.showTables(s, &st)
	o.showFindings(s)
	s.At("catalog_timestamp_seconds", day(o.Know.Catalog.Date()))
	s.Count("catalog_entries", uint64(o.Know.Catalog.Len()))
	for _, db := range o.Know.Places.Databases() {
		s.At("place_data_timestamp_seconds", day(db.Date), db.Name)
	}
	d.reloads.show(s)
	d.showDelivery(s)
	d.showStore(s)
	o.losses.log(s, d.log)
	d.metrics.Publish(s)
}

// losses are the counters of lost things as they were last logged.
type losses map[string]loss

type loss struct {
	total uint64
	at    time.Time
}

// lossEvery is the least time between two log lines about one counter.
const lossEvery = time.Minute

// log logs each counter of lost things that has grown.
func (l losses) log(s *metrics.Snapshot, log *zap.Logger) {
	lost := s.Lost()
	for _, what := range slices.Sorted(maps.Keys(lost)) {
		n, before := lost[what], l[what]
		if n <= before.total || s.Time.Sub(before.at) < lossEvery {
			continue
		}
		log.Warn("something was lost", zap.String("counter", what), zap.Uint64("lost", n-before.total), zap.Uint64("total", n))
		l[what] = loss{n, s.Time}
	}
}

// day parses a date; it returns the zero time for one that is unknown.
func day(text string) time.Time {
	t, _ := time.Parse(time.DateOnly, text)
	return t
}

// interfaces returns the counters of each input; a file counts as an interface that is up until it cannot be read.
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

// showTables adds fill, limit and evictions of each bounded table. A new table goes here, or nobody sees that it is full.
func (o *owner) showTables(s *metrics.Snapshot, st *capture.Stats) {
	l := &o.d.cfg.Limits
	h, n, c, b := o.Pipeline.Hosts.Stats(), o.Pipeline.Names.Stats(), o.Pipeline.Classifier.Stats(), o.Alerter.Book.Stats()
	for _, t := range []struct {
		name           string
		entries, limit int // limit 0: bytes, or not one number
		evicted        uint64
	}{
		{"flows", st.Observer.FlowsOpen, l.Flows, st.Observer.FlowsEvicted},
		{"stream_bytes", st.Observer.Waiting, 0, st.Observer.WaitingEvicted},
		{"fragments", st.Decode.Fragments.Pending, 0, st.Decode.Fragments.Dropped},
		{"addresses", h.Addresses, l.Hosts, h.Evicted},
		{"names", n.Pairs, l.Names, n.Evicted},
		{"hosts", c.Hosts, o.relief.hosts, c.HostsEvicted},
		{"findings", len(o.found.now), o.found.most, 0},
		{"told", b.Tracked, l.Hosts, b.Evicted},
	} {
		s.Add("table_entries", float64(t.entries), t.name)
		s.Limit("table_limit_entries", int64(t.limit), t.name)
		s.Count("table_evictions_total", t.evicted, t.name)
	}
}

// mostRules is the most suppressions and maintenance windows that are counted separately.
const mostRules = 100

// showFindings adds findings and alerts. Findings come in the order of their number, because the last are merged if there are too many.
func (o *owner) showFindings(s *metrics.Snapshot) {
	keys := slices.SortedFunc(maps.Keys(o.found.sums), func(a, b foundKey) int {
		return cmp.Or(cmp.Compare(o.found.sums[b], o.found.sums[a]), strings.Compare(a.vendor, b.vendor), strings.Compare(a.verdict, b.verdict))
	})
	for _, k := range keys {
		s.Add("findings", float64(o.found.sums[k]), k.vendor, k.verdict, strconv.FormatBool(k.concern))
	}
	for a, n := range o.sent {
		s.Count("alerts_total", n, a.event, a.severity)
	}
	b := o.Alerter.Book.Stats()
	s.Count("alerts_suppressed_total", b.Grouped, "summary")
	s.Count("alerts_suppressed_total", b.Unasked, "not_asked_for")
	s.Count("alerts_suppressed_total", b.Held, "quiet_hours")
	s.Count("alerts_suppressed_total", 0, "other rules")
	for i, r := range b.Rules {
		by := "rule " + r.ID
		if i >= mostRules {
			by = "other rules"
		}
		s.Count("alerts_suppressed_total", r.Alerts, by)
	}
}

// show flags a failed reload until one succeeds: the old knowledge stays in use meanwhile, which somebody should notice.
func (r *reloads) show(s *metrics.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.At("reload_success_timestamp_seconds", r.lastOK, "knowledge")
	s.At("reload_failure_timestamp_seconds", r.lastFailed, "knowledge")
	s.Flag("reload_failed", r.lastFailed.After(r.lastOK), "knowledge")
}

// showDelivery adds the state of the outbox as beat last saw it.
func (d *Daemon) showDelivery(s *metrics.Snapshot) {
	st := d.delivery.Load()
	if st == nil {
		return
	}
	var lost uint64
	for _, n := range st.Dropped {
		lost += n
	}
	s.Add("queue_entries", float64(st.Waiting), "spool")
	s.Limit("queue_limit_entries", int64(st.OutboxStats.Pending), "spool")
	s.Count("queue_lost_total", lost, "spool")
	s.Add("spool_size_bytes", float64(st.Bytes))
	s.Limit("spool_limit_bytes", int64(st.Limit))
	for at, n := range st.Purged {
		s.Count("spool_dropped_alerts_total", n, policy.Severity(at).String())
	}
	for i := range st.Sinks {
		x := &st.Sinks[i]
		s.Count("sink_delivered_alerts_total", x.Delivered, x.Name)
		s.Count("sink_refused_alerts_total", x.Rejected, x.Name)
		s.Count("sink_retries_total", x.Retries, x.Name)
		s.Count("sink_pending_alerts", x.Pending, x.Name)
		s.Flag("sink_circuit_open", x.Circuit == outbox.Broken, x.Name)
		oldest := time.Time{}
		if x.Lag > 0 {
			oldest = s.Time.Add(-x.Lag)
		}
		s.Age("sink_lag_seconds", oldest, x.Name)
	}
}

// showStore adds the state of the store as keepStore left it in faults: the owner must not wait for the disk.
func (d *Daemon) showStore(s *metrics.Snapshot) {
	if d.store == nil {
		return
	}
	f := &d.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.store != nil {
		s.StoreErr, s.SpoolErr = f.store.Error(), f.store.Error()
	}
	s.Add("store_size_bytes", float64(f.size))
	s.Limit("store_limit_bytes", int64(d.cfg.Store.Size))
	s.Count("store_write_failures_total", f.unwritten)
	s.Flag("store_failing", f.store != nil)
	s.At("store_last_write_timestamp_seconds", f.written)
}

// inputs returns the names of all inputs.
func (d *Daemon) inputs() (names []string) {
	for _, in := range d.source.Inputs() {
		names = append(names, in.Name)
	}
	return names
}
