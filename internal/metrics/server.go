package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Limits of the server: it serves a scraper or two, and a slow client cannot block it.
const (
	maxConnections = 64
	maxScrapes     = 4 // at a time
	maxHeader      = 8 << 10
	headerTime     = 5 * time.Second
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

// Listen opens a listener on address, host:port. Run serves on it.
func (r *Registry) Listen(address string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &Server{listener: l, http: &http.Server{
		Handler: r.Handler(), MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime,
		WriteTimeout: writeTime, IdleTimeout: idleTime, ErrorLog: log.New(io.Discard, "", 0), // a client that sends a bad request sees the error itself
	}}, nil
}

// Addr returns the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx is done, then lets pending responses finish. Call it once; it closes the listener.
func (s *Server) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.http.Serve(netutil.LimitListener(s.listener, maxConnections)) }()
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
