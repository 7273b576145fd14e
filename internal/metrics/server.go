package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the server: it serves a scraper or two, and slow clients cannot block it.
const (
	maxConnections = 64
	maxScrapes     = 4 // at a time
	maxHeader      = 8 << 10
	headerTime     = 2 * time.Second
	scrapeTime     = 10 * time.Second
	writeTime      = 20 * time.Second
	idleTime       = 2 * time.Minute
	drainTime      = 5 * time.Second
)

// Server serves metrics and health over HTTP.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen opens a listener on address, host:port. Run serves on it, to requests for an IP address, localhost, the name in address and the
// other names.
func (r *Registry) Listen(address string, names ...string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &connections{quiet: map[net.Conn]uint64{}}
	h := r.Handler()
	handler := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !allowed(q.Host, append([]string{"localhost", hostname(address)}, names...)) {
			http.Error(w, "this server does not answer for that host name: use its IP address, or add the name to listen.hosts", http.StatusMisdirectedRequest)
			return
		}
		c.answers(q)
		h.ServeHTTP(w, q)
	})
	return &Server{listener: l, http: &http.Server{
		Handler: handler, ConnState: c.changed, ConnContext: withConnection, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime,
		WriteTimeout: writeTime, IdleTimeout: idleTime, ErrorLog: log.New(io.Discard, "", 0), // a client that sends a bad request sees the error itself
	}}, nil
}

// allowed reports whether a Host header names this server. A page in a browser that made its own name point here (DNS rebinding) sends
// that name; without a Host header (HTTP/1.0) no browser is asking.
func allowed(host string, names []string) bool {
	host = hostname(host)
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "" || err == nil || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSuffix(n, "."), host) })
}

// hostname cuts the port and a final dot off.
func hostname(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return strings.TrimSuffix(address, ".")
}

// connections are those that are open. If there are more than maxConnections, the one that has waited longest without a whole request is
// closed, so that half requests keep nobody out.
type connections struct {
	mu    sync.Mutex
	quiet map[net.Conn]uint64 // when it came or was last answered, as a number of clock; 0: a request is being answered
	clock uint64
}

type connectionKey struct{}

func withConnection(ctx context.Context, n net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, n)
}

// changed is http.Server.ConnState. Its StateActive is of no use: half a request is enough for it.
func (c *connections) changed(n net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateClosed:
		delete(c.quiet, n)
	case http.StateNew, http.StateIdle:
		c.clock++
		c.quiet[n] = c.clock
		if len(c.quiet) <= maxConnections {
			return
		}
		oldest := n
		for other, at := range c.quiet {
			if at > 0 && at < c.quiet[oldest] {
				oldest = other
			}
		}
		delete(c.quiet, oldest)
		_ = oldest.Close() // its client may be gone
	}
}

// answers marks the connection of a whole request: it is not closed before the answer is written.
func (c *connections) answers(q *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := q.Context().Value(connectionKey{}).(net.Conn); ok && c.quiet[n] > 0 {
		c.quiet[n] = 0
	}
}

// Addr returns the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx is done, then lets pending responses finish. Call it once; it closes the listener.
func (s *Server) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.http.Serve(s.listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := s.http.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if e := <-done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// Close closes the listener of a Server that never ran.
func (s *Server) Close() error { return s.listener.Close() }

// Handler answers /metrics, /healthz and /readyz, to GET and HEAD.
func (r *Registry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.prometheus, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime, DisableCompression: true,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { r.healthz(w) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { r.readyz(w) })
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, q)
	})
}

// healthz reports whether the daemon's loop runs.
func (r *Registry) healthz(w http.ResponseWriter) {
	alive, age, _ := r.health()
	answer(w, alive, struct {
		Healthy bool    `json:"healthy"`
		Age     float64 `json:"heartbeat_age_seconds"`
	}{alive, age.Seconds()})
}

// readyz reports whether the daemon sees the traffic it should, and if not, why.
func (r *Registry) readyz(w http.ResponseWriter) {
	_, _, reasons := r.health()
	answer(w, len(reasons) == 0, struct {
		Ready   bool     `json:"ready"`
		Reasons []Reason `json:"reasons,omitempty"`
	}{len(reasons) == 0, reasons})
}

func answer[T any](w http.ResponseWriter, well bool, body T) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(text, '\n')) // the client is gone
}
