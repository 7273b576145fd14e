package deliver

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

// everyKind runs a test for each delivery over HTTP.
func everyKind(t *testing.T, test func(t *testing.T, kind string)) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) { test(t, kind) })
	}
}

// untilDone offers a batch again and again, as the spool does, and gives all rejections by their index in it.
func untilDone(t *testing.T, s alert.Sink, batch []*alert.Alert) []alert.Rejection {
	t.Helper()
	var rejected []alert.Rejection
	var last error
	for from, tries := 0, 0; from < len(batch); tries++ {
		require.Less(t, tries, 200, "last: %v", last)
		n, bad, err := s.Deliver(t.Context(), batch[from:])
		if last = err; err != nil {
			time.Sleep(10 * time.Millisecond)
		}
		for _, r := range bad {
			require.Less(t, r.Index, n)
			rejected = append(rejected, alert.Rejection{Index: from + r.Index, Reason: r.Reason})
		}
		from += n
	}
	return rejected
}

func TestHTTPDelivers(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		r := newHTTPReceiver(t, kind)
		s := opened(t, sinkFor(kind, served(t, r).URL), Options{})
		delivered(t, s, samples.Numbered(0, 1200))
		delivered(t, s, samples.Numbered(1200, 1201))
		require.Equal(t, idRange(0, 1201), r.all())
	})
}

// One bad alert is rejected alone, and its neighbours arrive once, in order, however the receiver names it.
func TestHTTPRejectsOneAlone(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		for _, numbers := range []bool{false, true} {
			r := newHTTPReceiver(t, kind)
			r.numbered = numbers
			r.rejects = func(id string) bool { return id == "a0000" || id == "a0037" || id == "a0038" || id == "a0299" }
			var requests atomic.Int32
			counted := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				requests.Add(1)
				r.ServeHTTP(w, q)
			})
			s := opened(t, sinkFor(kind, served(t, counted).URL), Options{})
			n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 300))
			require.NoError(t, err)
			require.Equal(t, 300, n)
			if kind == "elastic" || kind == "splunk" && numbers {
				require.Less(t, requests.Load(), int32(24), "the receiver names the bad alert, so no search is needed")
			}
			var at []int
			for _, one := range rejected {
				at = append(at, one.Index)
				require.Regexp(t, "answers (code 6: Invalid data format|400|422)", one.Reason)
			}
			require.Equal(t, []int{0, 37, 38, 299}, at)
			require.Equal(t, append(idRange(1, 37), idRange(39, 299)...), r.all())
		}
	})
}

// meddler spoils requests before they reach the receiver, or answers after them, while spoil is set.
type meddler struct {
	http.Handler
	spoil atomic.Pointer[func(w http.ResponseWriter, q *http.Request) (handled bool)]
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if f := m.spoil.Load(); f != nil && (*f)(w, q) {
		return
	}
	m.Handler.ServeHTTP(w, q)
}

func (m *meddler) set(f func(w http.ResponseWriter, q *http.Request) bool) { m.spoil.Store(&f) }

// meddled opens a sink on a receiver with a meddler before it.
func meddled(t *testing.T, kind string) (*meddler, *httpReceiver, alert.Sink) {
	r := newHTTPReceiver(t, kind)
	m := &meddler{Handler: r}
	cfg := sinkFor(kind, served(t, m).URL)
	cfg.Timeout = 500 * time.Millisecond
	return m, r, opened(t, cfg, Options{})
}

// hangUp breaks a connection off after these bytes.
func hangUp(w http.ResponseWriter, text string) {
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err == nil {
		buffer.WriteString(text)
		buffer.Flush()
		conn.Close()
	}
}

func TestHTTPReceiverAsksForTime(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		for _, status := range []int{429, 503} {
			m, r, s := meddled(t, kind)
			m.set(func(w http.ResponseWriter, q *http.Request) bool {
				w.Header().Set("Retry-After", "7")
				answer(w, status, `{"text":"Server is busy","code":9}`)
				return true
			})
			n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 10))
			require.Zero(t, n)
			require.Empty(t, rejected)
			var busy *Busy
			require.ErrorAs(t, err, &busy)
			require.Equal(t, 7*time.Second, busy.After)
			var says interface{ RetryAfter() time.Duration } // as the spool asks
			require.ErrorAs(t, err, &says)
			require.Equal(t, 7*time.Second, says.RetryAfter())
			require.Empty(t, r.all())
			m.set(func(http.ResponseWriter, *http.Request) bool { return false })
			delivered(t, s, samples.Numbered(0, 10))
			require.Equal(t, idRange(0, 10), r.all())
		}
	})
}

// A body that is too large is halved until it fits; an alert that does not fit alone is rejected.
func TestHTTPTooLarge(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, kind string) {
		r := newHTTPReceiver(t, kind)
		m := &meddler{Handler: r}
		cfg := sinkFor(kind, served(t, m).URL)
		cfg.HTTP.Gzip = false
		s := opened(t, cfg, Options{})
		m.set(func(w http.ResponseWriter, q *http.Request) bool {
			if q.ContentLength > 4500 {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return true
			}
			return false
		})
		batch := samples.Numbered(0, 300)
		batch[150].Evidence = slices.Repeat([]alert.Evidence{{Kind: "tls_sni", Value: strings.Repeat("x", 500), Strength: "strong"}}, 8)
		rejected := untilDone(t, s, batch)
		require.Len(t, rejected, 1)
		require.Equal(t, 150, rejected[0].Index)
		require.Contains(t, rejected[0].Reason, "answers 413")
		require.Equal(t, append(idRange(0, 150), idRange(151, 300)...), r.all())
	})
}

// An answer that breaks off says nothing: the alerts come again, and a receiver that knows ids keeps each once.
func TestHTTPHalfAnAnswer(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		m, r, s := meddled(t, kind)
		m.set(func(w http.ResponseWriter, q *http.Request) bool {
			r.ServeHTTP(httptest.NewRecorder(), q) // it has them, and dies before it says so
			hangUp(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"text\":\"Succ")
			return true
		})
		n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 5))
		require.ErrorContains(t, err, "breaks off")
		require.Zero(t, n)
		require.Empty(t, rejected)
		m.set(func(http.ResponseWriter, *http.Request) bool { return false })
		delivered(t, s, samples.Numbered(0, 5))
		if kind == "splunk" {
			require.Equal(t, append(idRange(0, 5), idRange(0, 5)...), r.all(), "Splunk keeps both, with the same ids")
			return
		}
		require.Equal(t, idRange(0, 5), r.all())
	})
}

// An answer is read up to a bound, and the rest is left with its connection.
func TestHTTPHugeAnswer(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		var written atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body)
			for range 1000 {
				n, err := w.Write(make([]byte, 1<<20))
				if written.Add(int64(n)); err != nil {
					return
				}
			}
		}))
		n, _, err := opened(t, sinkFor(kind, server.URL), Options{}).Deliver(t.Context(), samples.Numbered(0, 5))
		server.CloseClientConnections()
		server.Close() // waits for the handler
		require.Less(t, written.Load(), int64(64<<20), "what is beyond the bound is not read")
		require.Positive(t, written.Load())
		if kind == "webhook" { // its status says all
			require.NoError(t, err)
			return
		}
		require.Error(t, err)
		require.Zero(t, n)
	})
}

// slow is how long a delivery may take on a busy machine that does not hold it up. One that waits for its receiver takes
// defaultTimeout, 30 s, or never ends.
const slow = 25 * time.Second

// A receiver that takes connections and never says a word costs the timeout, and less where the caller has no more time.
func TestHTTPReceiverSaysNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	everyKind(t, func(t *testing.T, kind string) {
		cfg := sinkFor(kind, "http://"+l.Addr().String())
		cfg.Timeout = 300 * time.Millisecond
		s := opened(t, cfg, Options{})
		began := time.Now()
		n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 5))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, n)
		require.Empty(t, rejected)
		require.Less(t, time.Since(began), slow)

		cfg.Timeout = time.Hour
		s = opened(t, cfg, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		_, _, err = s.Deliver(ctx, samples.Numbered(0, 5))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(began), slow)
	})
}

func TestHTTPNameIsGone(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		n, rejected, err := opened(t, sinkFor(kind, "http://siem.invalid:8088"), Options{}).Deliver(t.Context(), samples.Numbered(0, 5))
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.Zero(t, n)
		require.Empty(t, rejected)
	})
}

// The receiver dies with requests under way, is away, and comes back at the same address.
func TestHTTPReceiverRestarts(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, kind string) {
		r := newHTTPReceiver(t, kind)
		first := httptest.NewServer(r)
		cfg := sinkFor(kind, first.URL)
		cfg.Batch = 10
		s := opened(t, cfg, Options{})
		died := make(chan struct{})
		go func() {
			defer close(died)
			for len(r.all()) < 200 {
				time.Sleep(time.Millisecond)
			}
			first.CloseClientConnections()
			first.Close()
		}()
		done := 0
		for all := samples.Numbered(0, 2000); done < len(all); {
			n, rejected, err := s.Deliver(t.Context(), all[done:min(done+50, len(all))])
			require.Empty(t, rejected)
			if done += n; err != nil {
				break
			}
		}
		<-died
		if done < 2000 {
			_, _, err := s.Deliver(t.Context(), samples.Numbered(done, done+1))
			require.Error(t, err, "nobody is there")
		}
		servedAt(t, strings.TrimPrefix(first.URL, "http://"), r)
		require.Empty(t, untilDone(t, s, samples.Numbered(done, 2000)))
		require.Subset(t, r.all(), idRange(0, 2000))
		if kind == "elastic" {
			require.Len(t, r.all(), 2000, "each once")
		}
		require.Less(t, len(r.all()), 2000+60, "only what was under way comes twice")
	})
}

func TestHTTPCertificates(t *testing.T) {
	good, other := newAuthority(t, "good"), newAuthority(t, "other")
	everyKind(t, func(t *testing.T, kind string) {
		for _, c := range []struct {
			name   string
			shown  TLS
			trust  TLS
			denied string
		}{
			{"fine", good.sign(t, "127.0.0.1", time.Hour), TLS{CA: good.file}, ""},
			{"expired", good.sign(t, "127.0.0.1", -time.Minute), TLS{CA: good.file}, "certificate expired on"},
			{"other authority", other.sign(t, "127.0.0.1", time.Hour), TLS{CA: good.file}, "tls.ca"},
			{"other name", good.sign(t, "192.0.2.1", time.Hour), TLS{CA: good.file}, "tls.server-name"},
			{"not checked", other.sign(t, "192.0.2.1", -time.Minute), TLS{Insecure: true}, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := newHTTPReceiver(t, kind)
				pair, err := tls.LoadX509KeyPair(c.shown.Cert, c.shown.Key)
				require.NoError(t, err)
				server := httptest.NewUnstartedServer(r)
				server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
				server.Config.ErrorLog = quiet()
				server.StartTLS()
				defer server.Close()
				cfg := sinkFor(kind, server.URL)
				cfg.TLS = c.trust
				s := opened(t, cfg, Options{})
				if c.denied == "" {
					delivered(t, s, samples.Numbered(0, 3))
					return
				}
				n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 3))
				var denied *Denied
				require.ErrorAs(t, err, &denied)
				require.ErrorContains(t, err, c.denied)
				require.Zero(t, n)
				require.Empty(t, rejected)
				require.Empty(t, r.all())
			})
		}
	})
}

// A token that is not taken, and a redirection, need a person: nothing is rejected, nothing goes elsewhere.
func TestHTTPDenied(t *testing.T) {
	elsewhere := served(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("alerts go where nobody sent them") }))
	everyKind(t, func(t *testing.T, kind string) {
		for _, status := range []int{301, 307, 308, 401, 403, 404, 405, 407} {
			m, _, s := meddled(t, kind)
			m.set(func(w http.ResponseWriter, q *http.Request) bool {
				w.Header().Set("Location", elsewhere.URL)
				answer(w, status, "no")
				return true
			})
			n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 3))
			var denied *Denied
			require.ErrorAs(t, err, &denied, "%d", status)
			require.Zero(t, n)
			require.Empty(t, rejected)
		}
	})
}

// Whatever a receiver echoes, no error or reason contains a secret.
func TestHTTPKeepsSecrets(t *testing.T) {
	secrets := []string{hecToken, elasticKey, bearer, hmacKey, "hook-8f3b1c0d9e7a6655", "header-value-secret", "query-value-secret-1234", "password-of-basic"}
	for _, status := range []int{200, 302, 400, 403, 500} {
		everyKind(t, func(t *testing.T, kind string) {
			server := served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				w.WriteHeader(status)
				fmt.Fprintf(w, "%s %s %v\n%s", q.Method, q.URL, q.Header, strings.Join(secrets, " "))
			}))
			for _, url := range []string{server.URL, "http://127.0.0.1:1"} {
				cfg := sinkFor(kind, url+"/hook-8f3b1c0d9e7a6655/?key=query-value-secret-1234")
				cfg.HTTP.Headers = map[string]string{"X-Key": "header-value-secret"}
				cfg.HTTP.Password = "password-of-basic"
				if cfg.HTTP.HMACKey == "" {
					cfg.HTTP.HMACKey = hmacKey
				}
				_, rejected, err := unchecked(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 2))
				said := fmt.Sprint(rejected, err)
				for _, secret := range []string{string(cfg.HTTP.Token), hmacKey, "hook-8f3b", "header-value", "query-value", "password-of"} {
					require.NotContains(t, said, secret)
				}
			}
		})
	}
}

// proxied is a proxy for plain HTTP, which gets whole URLs.
func proxied(t *testing.T, seen *atomic.Int32) string {
	return served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		seen.Add(1)
		onward, err := http.NewRequest(q.Method, q.URL.String(), q.Body)
		if err != nil {
			t.Error(err)
			return
		}
		onward.Header = q.Header
		onward.URL.Host = strings.TrimPrefix(q.URL.Query().Get("real"), "http://")
		r, err := http.DefaultTransport.RoundTrip(onward)
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Body.Close()
		w.WriteHeader(r.StatusCode)
		io.Copy(w, r.Body)
	})).URL
}

func TestHTTPProxy(t *testing.T) {
	everyKind(t, func(t *testing.T, kind string) {
		var seen atomic.Int32
		r := newHTTPReceiver(t, kind)
		real := served(t, r).URL
		proxy := proxied(t, &seen)
		// A name that only the proxy can resolve.
		cfg := sinkFor(kind, "http://siem.invalid:8088/?real="+url.QueryEscape(real))
		cfg.Proxy = proxy
		delivered(t, opened(t, cfg, Options{}), samples.Numbered(0, 3))
		require.EqualValues(t, 1, seen.Load())

		t.Setenv("HTTP_PROXY", proxy)
		t.Setenv("NO_PROXY", "")
		cfg.Proxy = "environment"
		delivered(t, opened(t, cfg, Options{}), samples.Numbered(3, 6))
		require.EqualValues(t, 2, seen.Load())

		cfg.Proxy = ""
		_, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(6, 9))
		require.Error(t, err, "the environment counts only where it is asked for")
		require.EqualValues(t, 2, seen.Load())
	})
}

func TestHTTPConfiguration(t *testing.T) {
	for text, change := range map[string]func(*Sink){
		"http.url: must be a URL":           func(c *Sink) { c.HTTP.URL = "ftp://x" },
		"http.url: must be a URL that":      func(c *Sink) { c.HTTP.URL = "https://" },
		"http.url: contains control":        func(c *Sink) { c.HTTP.URL = "https://x\x7f" },
		"http.url: must not contain a user": func(c *Sink) { c.HTTP.URL = "https://me:pass@x" },
		"http.url: must not contain a #":    func(c *Sink) { c.HTTP.URL = "https://x/#y" },
		"proxy: is not a URL":               func(c *Sink) { c.Proxy = "http://me:pass@x y" },
		"tls.ca:":                           func(c *Sink) { c.TLS.CA = "/nonexistent" },
		"format: unknown format \"sonnet\"": func(c *Sink) { c.Format = "sonnet" },
	} {
		everyKind(t, func(t *testing.T, kind string) {
			cfg := sinkFor(kind, "https://siem.example")
			change(&cfg)
			_, err := Open(cfg, Options{})
			require.ErrorContains(t, err, "sink "+kind+": "+text)
			require.NotContains(t, err.Error(), "pass@")
		})
	}
}

func TestRetryAfter(t *testing.T) {
	date := "Tue, 24 Nov 2026 10:00:00 GMT"
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"120":                           2 * time.Minute,
		" 5 ":                           5 * time.Second,
		"-5":                            0,
		"soon":                          0,
		"99999999":                      maxAfter,
		"99999999999999999999":          0,
		"Tue, 24 Nov 2026 10:00:30 GMT": 30 * time.Second,
		"Tue, 24 Nov 2026 09:00:00 GMT": 0,
		"Tue, 24 Nov 2099 10:00:00 GMT": maxAfter,
	} {
		require.Equal(t, want, pauseAsked(http.Header{"Retry-After": {text}, "Date": {date}}), text)
	}
	require.Zero(t, pauseAsked(http.Header{"Retry-After": {date}}), "a date without the receiver's own says nothing")
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
