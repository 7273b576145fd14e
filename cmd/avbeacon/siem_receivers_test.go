package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"
)

// arrivals are the alerts that a receiver has taken.
type arrivals struct {
	mu    sync.Mutex
	times map[string]int    // how often each id came
	order []string          // ids in the order in which they came first
	texts map[string]string // the record of an id that came first
	wrong []string          // what no sender may send
}

func newArrivals() arrivals { return arrivals{times: map[string]int{}, texts: map[string]string{}} }

func (a *arrivals) put(id, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.times[id]++; a.times[id] == 1 {
		a.order = append(a.order, id)
		a.texts[id] = text
	}
}

func (a *arrivals) complain(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wrong = append(a.wrong, fmt.Sprintf(format, args...))
}

// seen gives a copy: how often each id came.
func (a *arrivals) seen() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[string]int, len(a.times))
	for id, n := range a.times {
		out[id] = n
	}
	return out
}

func (a *arrivals) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.times)
}

func (a *arrivals) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times[id] > 0
}

// requireFlawless wants no word of what no sender may send.
func (a *arrivals) requireFlawless(t testing.TB) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	require.Empty(t, a.wrong)
}

// octets is a syslog collector over TCP that takes messages of RFC 5424 in octet counting and nothing else. A
// connection that ends within a message is taken for a kill; any other fault is reported.
type octets struct {
	arrivals
	net.Listener
}

func collectOctets(t testing.TB) *octets {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &octets{newArrivals(), l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.read(c)
		}
	}()
	return o
}

func (o *octets) read(c net.Conn) {
	defer c.Close()
	parser := rfc5424.NewParser()
	for r := bufio.NewReader(c); ; {
		size, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, " "))
		if err != nil || n <= 0 || n > 8192 || size[0] == '0' {
			o.complain("%q is no length of a message", size)
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		m, err := parser.Parse(b)
		if err != nil {
			o.complain("%v: %s", err, b)
			return
		}
		id := externalID(*m.(*rfc5424.SyslogMessage).Message)
		if id == "" {
			o.complain("a message without an id: %s", b)
		}
		o.put(id, *m.(*rfc5424.SyslogMessage).Message)
	}
}

// externalID takes the id from a record in CEF.
func externalID(cef string) string {
	_, rest, _ := strings.Cut(cef, " externalId=")
	id, _, _ := strings.Cut(rest, " ")
	return id
}

// bulk is the bulk API of Elasticsearch as far as it creates documents: one whose id is there gets a 409. answer, where
// not nil, is asked first and may answer instead.
type bulk struct {
	arrivals
	*httptest.Server
	slow   time.Duration // before it takes what it has read
	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request) bool
}

func collectBulk(t testing.TB) *bulk {
	t.Helper()
	b := &bulk{arrivals: newArrivals()}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bulk) instead(f func(http.ResponseWriter, *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = f
}

func (b *bulk) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	if answer != nil && answer(w, q) {
		return
	}
	body, err := io.ReadAll(q.Body)
	time.Sleep(b.slow)
	if err != nil || q.Context().Err() != nil {
		return // the sender was killed: nothing is taken of what nobody waits for
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if len(lines)%2 != 0 || !bytes.HasSuffix(body, []byte("\n")) {
		b.complain("a body of %d lines", len(lines))
	}
	var items []string
	for i := 0; i+1 < len(lines); i += 2 {
		items = append(items, fmt.Sprintf(`{"create":{"status":%d}}`, b.create(lines[i], lines[i+1])))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"errors":false,"items":[%s]}`, strings.Join(items, ","))
}

func (b *bulk) create(action, document []byte) int {
	var act struct {
		Create struct {
			ID string `json:"_id"`
		} `json:"create"`
	}
	var d document1
	if json.Unmarshal(action, &act) != nil || json.Unmarshal(document, &d) != nil || d.Event.ID != act.Create.ID || d.Event.ID == "" {
		b.complain("%s %s", action, document)
		return http.StatusBadRequest
	}
	there := b.has(d.Event.ID)
	b.put(d.Event.ID, string(document))
	if there {
		return http.StatusConflict
	}
	return http.StatusCreated
}

// document1 is what the tests read of an alert in ECS.
type document1 struct {
	Event struct {
		ID, Action string
	}
	Source   struct{ IP string }
	Avbeacon struct {
		Event   string
		Changed time.Time
		Finding struct{ ID string }
		Vendor  struct{ Key string }
	}
}

// document reads the record of an id.
func (a *arrivals) document(t testing.TB, id string) (d document1) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	require.NoError(t, json.Unmarshal([]byte(a.texts[id]), &d))
	return d
}

// requireOrder requires the alerts of one finding in order: new, then raised.
func (a *arrivals) requireOrder(t testing.TB, findingOf map[string]string, eventOf map[string]string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	raised := map[string]bool{}
	for _, id := range a.order {
		switch eventOf[id] {
		case "new":
			require.False(t, raised[findingOf[id]], "%s: raised came before new", id)
		case "raised":
			raised[findingOf[id]] = true
		}
	}
}
