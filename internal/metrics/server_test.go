package metrics

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask asks the handler.
func ask(t *testing.T, r *Registry, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	return w.Code, w.Body.String()
}

func TestHealth(t *testing.T) {
	now := at(0)
	r := newRegistry(func() time.Time { return now })
	r.ReadyWhen(Terms{Silent: time.Minute, Drops: 0.01})
	want := func(path string, status int, body string) {
		t.Helper()
		got, text := ask(t, r, path)
		require.Equal(t, status, got, text)
		require.JSONEq(t, body, text)
	}
	now = at(29)
	want("/healthz", 200, `{"healthy":true,"heartbeat_age_seconds":29}`)
	want("/readyz", 503, `{"ready":false,"reasons":[{"reason":"starting","text":"the daemon has not reported yet"}]}`)
	now = at(30)
	want("/healthz", 503, `{"healthy":false,"heartbeat_age_seconds":30}`)
	r.Publish(tap(30, 1, 0))
	now = at(31)
	want("/healthz", 200, `{"healthy":true,"heartbeat_age_seconds":1}`)
	want("/readyz", 200, `{"ready":true}`)
	now = at(95)
	r.Publish(tap(95, 1, 0))
	want("/healthz", 200, `{"healthy":true,"heartbeat_age_seconds":0}`)
	want("/readyz", 503, `{"ready":false,"reasons":[{"reason":"silent","text":"no packet arrived for 1m5s"}]}`)
}

func TestServer(t *testing.T) {
	r := New()
	r.Built("v1.2.3")
	s, err := r.Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	r.Publish(&Snapshot{Time: time.Now()})
	get := func(method, path string) (int, string) {
		t.Helper()
		q, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr().String()+path, nil)
		require.NoError(t, err)
		a, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		return a.StatusCode, string(body)
	}
	status, body := get("GET", "/metrics")
	require.Equal(t, 200, status)
	require.Contains(t, body, `version="v1.2.3"`)
	status, body = get("GET", "/readyz")
	require.Equal(t, 200, status)
	var ready struct{ Ready bool }
	require.NoError(t, json.Unmarshal([]byte(body), &ready))
	require.True(t, ready.Ready)
	for path, want := range map[string]int{"/": 404, "/debug/pprof/": 404, "/metrics/x": 404} {
		status, _ = get("GET", path)
		require.Equal(t, want, status, path)
	}
	status, _ = get("POST", "/metrics")
	require.Equal(t, 405, status)
	status, body = get("HEAD", "/healthz")
	require.Equal(t, 200, status)
	require.Empty(t, body)

	_, err = r.Listen(s.Addr().String())
	require.Error(t, err, "two cannot have the address")
	cancel()
	require.NoError(t, <-ended)
	_, err = net.Dial("tcp", s.Addr().String())
	require.Error(t, err)
}

func TestServerRejectsLongHeaders(t *testing.T) {
	s, err := New().Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	q, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.Addr().String()+"/metrics", nil)
	require.NoError(t, err)
	q.Header.Set("X-Long", strings.Repeat("a", 64<<10))
	a, err := http.DefaultClient.Do(q)
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, a.StatusCode)
	cancel()
	require.NoError(t, <-ended)
}

// Publishing and asking at the same time is what happens.
func TestSideBySide(t *testing.T) {
	r := New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			r.Publish(whole(float64(i)))
		}
	}()
	for range 20 {
		status, _ := ask(t, r, "/metrics")
		require.Equal(t, 200, status)
		ask(t, r, "/readyz")
	}
	<-done
}

// Half requests, which never time out here, keep no whole one waiting: the oldest of them is closed.
func TestHalfRequestsKeepNobodyOut(t *testing.T) {
	s, err := New().Listen("127.0.0.1:0")
	require.NoError(t, err)
	s.http.ReadHeaderTimeout, s.http.ReadTimeout = 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	var half []net.Conn
	for range maxConnections {
		c, err := net.Dial("tcp", s.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n"))
		require.NoError(t, err)
		half = append(half, c)
	}
	client := http.Client{Timeout: time.Minute}
	a, err := client.Get("http://" + s.Addr().String() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	_, err = half[0].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the oldest is closed")
	_, err = half[maxConnections-1].Write([]byte("\r\n"))
	require.NoError(t, err)
	_, err = half[maxConnections-1].Read(make([]byte, 1))
	require.NoError(t, err, "the youngest may still become whole")
	for _, c := range half {
		c.Close()
	}
	client.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
}

// A page that makes its own name point to this address (DNS rebinding) gets no answer.
func TestHostHeaderIsChecked(t *testing.T) {
	s, err := New().Listen("localhost:0", "tap7.example.org")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:9477": 200, "[::1]:9477": 200, "[::1]": 200, "LOCALHOST:1": 200, "tap7.example.org.": 200, "Tap7.example.org:9477": 200,
		"evil.example": 421, "evil.example:9477": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
	} {
		q, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.Addr().String()+"/healthz", nil)
		require.NoError(t, err)
		q.Host = host
		a, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		require.NoError(t, a.Body.Close())
		require.Equal(t, want, a.StatusCode, host)
	}
	cancel()
	require.NoError(t, <-ended)
}
