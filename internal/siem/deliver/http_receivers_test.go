package deliver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shelf is what a receiver has taken: ids in order, each as often as it came.
type shelf struct {
	mu  sync.Mutex
	ids []string
}

func (s *shelf) put(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, ids...)
}

func (s *shelf) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func (s *shelf) has(id string) bool { return slices.Contains(s.all(), id) }

// httpReceiver is a strict stand-in for a SIEM behind HTTP: whatever its protocol does not allow is an error of the test.
type httpReceiver struct {
	shelf
	t       *testing.T
	kind    string // Sink.Type
	rejects func(id string) bool

	acks     bool // splunk: indexer acknowledgement
	numbered bool // splunk: says which event is bad
	mu       sync.Mutex
	polls    int              // splunk: questions before an acknowledgement
	open     map[int64]posted // splunk: not indexed yet
	next     int64            // splunk: acknowledgement id
	keys     map[string]bool  // webhook: idempotency keys
}

type posted struct {
	ids   []string
	asked int
}

const (
	hecToken   = "b1946ac9-2f6e-4d1a-8a55-5c7d0a8b1e11"
	elasticKey = "Rm9vQmFyQmF6UXV4OnNlY3JldA=="
	bearer     = "bearer-token-of-the-webhook"
	hmacKey    = "the key that both sides know"
)

func newHTTPReceiver(t *testing.T, kind string) *httpReceiver {
	return &httpReceiver{t: t, kind: kind, rejects: func(string) bool { return false },
		open: map[int64]posted{}, keys: map[string]bool{}}
}

// kinds are the deliveries over HTTP.
func kinds() []string { return []string{"splunk", "elastic", "webhook"} }

// sinkFor is the configuration for a receiver at a URL.
func sinkFor(kind, url string) Sink {
	cfg := Sink{Name: kind, Type: kind, Timeout: 5 * time.Second, HTTP: HTTP{URL: url, Gzip: true}}
	switch kind {
	case "splunk":
		cfg.HTTP.Token, cfg.HTTP.Index = hecToken, "ids"
	case "elastic":
		cfg.HTTP.Token = elasticKey
	case "webhook":
		cfg.HTTP.Token, cfg.HTTP.HMACKey = bearer, hmacKey
	}
	return cfg
}

func (r *httpReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodPost {
		r.t.Errorf("%s %s", q.Method, q.URL)
	}
	switch r.kind {
	case "splunk":
		r.splunk(w, q)
	case "elastic":
		r.elastic(w, q)
	default:
		r.webhook(w, q)
	}
}

// body unpacks the request's.
func (r *httpReceiver) body(q *http.Request) []byte {
	var from io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(q.Body)
		if err != nil {
			r.t.Errorf("gzip: %v", err)
			return nil
		}
		from = z
	}
	text, err := io.ReadAll(from)
	if err != nil {
		r.t.Logf("a request breaks off: %v", err)
		return nil
	}
	return text
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

var guid = regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)

func (r *httpReceiver) splunk(w http.ResponseWriter, q *http.Request) {
	if q.Header.Get("Authorization") != "Splunk "+hecToken {
		answer(w, http.StatusForbidden, `{"text":"Invalid token","code":4}`)
		return
	}
	channel := q.Header.Get("X-Splunk-Request-Channel")
	if !guid.MatchString(channel) {
		answer(w, http.StatusBadRequest, `{"text":"Data channel is missing","code":10}`)
		return
	}
	switch q.URL.Path {
	case "/services/collector/event":
		r.events(w, q)
	case "/services/collector/ack":
		if q.URL.Query().Get("channel") != channel {
			answer(w, http.StatusBadRequest, `{"text":"Invalid data channel","code":11}`)
			return
		}
		r.acknowledge(w, q)
	default:
		r.t.Errorf("path %s", q.URL.Path)
		http.NotFound(w, q)
	}
}

// hecEvent has the keys of an event, and no others.
type hecEvent struct {
	Time       json.Number         `json:"time"`
	Host       string              `json:"host"`
	Source     string              `json:"source"`
	Sourcetype string              `json:"sourcetype"`
	Index      string              `json:"index"`
	Event      json.RawMessage     `json:"event"`
	Fields     map[string]flatText `json:"fields"`
}

// flatText is a text or a list of texts: what Splunk takes as an indexed field.
type flatText string

func (f *flatText) UnmarshalJSON(b []byte) error {
	var one string
	var many []string
	if json.Unmarshal(b, &one) != nil && json.Unmarshal(b, &many) != nil {
		return fmt.Errorf("indexed field %s", b)
	}
	return nil
}

// events takes events back to back.
func (r *httpReceiver) events(w http.ResponseWriter, q *http.Request) {
	body := r.body(q)
	if len(body) > 1_000_000 {
		answer(w, http.StatusRequestEntityTooLarge, "")
		return
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var ids []string
	for {
		var e hecEvent
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			r.t.Errorf("event: %v", err)
			answer(w, http.StatusBadRequest, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`)
			return
		}
		seconds, err := e.Time.Float64()
		if err != nil || seconds < 1e9 || seconds > 1e10 || e.Index != "ids" || len(e.Event) > 10_000 {
			r.t.Errorf("event: time %s, index %s, %d bytes", e.Time, e.Index, len(e.Event))
		}
		id := alertID(e.Event)
		if r.rejects(id) {
			number := ""
			if r.numbered {
				number = `,"invalid-event-number":` + strconv.Itoa(len(ids))
			}
			answer(w, http.StatusBadRequest, `{"text":"Invalid data format","code":6`+number+`}`)
			return
		}
		ids = append(ids, id)
	}
	r.take(w, ids)
}

func (r *httpReceiver) take(w http.ResponseWriter, ids []string) {
	if !r.acks {
		r.put(ids...)
		answer(w, http.StatusOK, `{"text":"Success","code":0}`)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[r.next] = posted{ids: ids}
	http.SetCookie(w, &http.Cookie{Name: "AWSELB", Value: "indexer-2"})
	answer(w, http.StatusOK, fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, r.next))
	r.next++
}

// acknowledge reports a request as indexed once, after enough queries, and then forgets it.
func (r *httpReceiver) acknowledge(w http.ResponseWriter, q *http.Request) {
	var question struct {
		Acks []int64 `json:"acks"`
	}
	if err := json.Unmarshal(r.body(q), &question); err != nil || len(question.Acks) == 0 {
		r.t.Errorf("question for acknowledgements: %v", err)
	}
	if cookie, err := q.Cookie("AWSELB"); err != nil || cookie.Value != "indexer-2" {
		r.t.Errorf("the balancer's cookie does not come back: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	said := map[string]bool{}
	for _, id := range question.Acks {
		p, known := r.open[id]
		p.asked++
		done := known && p.asked > r.polls
		said[strconv.FormatInt(id, 10)] = done
		if done {
			r.put(p.ids...)
			delete(r.open, id)
		} else if known {
			r.open[id] = p
		}
	}
	text, _ := json.Marshal(map[string]any{"acks": said})
	answer(w, http.StatusOK, string(text))
}

// webhook checks as a careful receiver would: signature, age, replay; and takes a request that it had only once.
func (r *httpReceiver) webhook(w http.ResponseWriter, q *http.Request) {
	body := r.body(q)
	stamp, signature := q.Header.Get("X-Avbeacon-Timestamp"), q.Header.Get("X-Avbeacon-Signature")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	age := time.Since(time.Unix(seconds, 0)).Abs()
	if err != nil || age > time.Minute || signature != "sha256="+sign([]byte(hmacKey), stamp, body) ||
		q.Header.Get("Authorization") != "Bearer "+bearer {
		r.t.Errorf("not signed: %q %q", stamp, signature)
		answer(w, http.StatusUnauthorized, "")
		return
	}
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil || q.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("no array: %v", err)
	}
	var ids []string
	for _, one := range list {
		ids = append(ids, alertID(one))
	}
	if slices.ContainsFunc(ids, r.rejects) {
		answer(w, http.StatusUnprocessableEntity, `{"error":"one of them is bad"}`)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if key := q.Header.Get("Idempotency-Key"); key == "" || !r.keys[key] {
		r.keys[key] = true
		r.put(ids...)
	}
	answer(w, http.StatusAccepted, "")
}

// alertID finds an alert's id in the records that receivers get: ECS, or the event of HEC.
func alertID(record []byte) string {
	var r struct {
		ID    string
		Event struct{ ID string }
	}
	if json.Unmarshal(record, &r) == nil && r.Event.ID != "" {
		return r.Event.ID
	}
	return r.ID
}

// served starts a receiver on loopback.
func served(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// servedAt starts a receiver at an address that another one had.
func servedAt(t *testing.T, address string, h http.Handler) *httptest.Server {
	t.Helper()
	var l net.Listener
	require.Eventually(t, func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}
