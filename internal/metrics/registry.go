package metrics

import (
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Registry holds the last Snapshot and serves scrapes from it. Its methods may be called from any goroutine.
type Registry struct {
	prometheus *prometheus.Registry
	descs      map[string]*prometheus.Desc
	now        func() time.Time
	version    string
	revision   string

	mu      sync.Mutex // guards what follows; held for a few instructions only
	last    *Snapshot
	history history
	terms   Terms
}

// New makes a Registry without a Snapshot; it is not ready until one is published.
func New() *Registry { return newRegistry(time.Now) }

func newRegistry(now func() time.Time) *Registry {
	r := &Registry{prometheus: prometheus.NewRegistry(), descs: map[string]*prometheus.Desc{}, now: now, terms: Terms{Drops: -1}}
	r.history.began = now()
	r.version, r.revision = build()
	for _, f := range families() {
		r.descs[f.name] = f.desc()
	}
	r.prometheus.MustRegister(r, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// build returns the version information that the toolchain embedded in the binary.
func build() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return info.Main.Version, revision
}

// Built sets the version for build_info where the toolchain did not embed one.
func (r *Registry) Built(version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version = version
}

// ReadyWhen sets the conditions of readiness.
func (r *Registry) ReadyWhen(t Terms) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.terms = t
}

// Publish makes s the Snapshot that is served from now on. Neither s nor anything it points to may change afterwards.
func (r *Registry) Publish(s *Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = s
	r.history.add(s)
}

// health returns the answers of /healthz and /readyz.
func (r *Registry) health() (alive bool, age time.Duration, reasons []Reason) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	alive, age = r.history.beats(r.last, now)
	return alive, age, r.history.unready(r.last, r.terms, now)
}

// Describe implements prometheus.Collector.
func (r *Registry) Describe(to chan<- *prometheus.Desc) {
	for _, d := range r.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Registry) Collect(to chan<- prometheus.Metric) {
	now := r.now()
	r.mu.Lock()
	s, version := r.last, r.version
	r.mu.Unlock()
	_, _, reasons := r.health()
	g := &Samples{}
	g.Flag("ready", len(reasons) == 0)
	g.Add("build_info", 1, label(version), label(r.revision), runtime.Version())
	if s != nil {
		g.list = append(g.list, s.at(now)...)
	}
	for _, x := range g.list {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(x.family, "_total") {
			kind = prometheus.CounterValue
		}
		m, err := prometheus.NewConstMetric(r.descs[x.family], kind, x.value, x.labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(r.descs[x.family], err)
		}
		to <- m
	}
}
