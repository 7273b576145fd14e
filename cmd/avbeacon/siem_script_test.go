package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// receivers are those of one script, by name.
type receivers struct {
	t    testing.TB
	hook map[string]*hook
	log  map[string]*octets
}

// receiversKey is where a script's receivers are.
type receiversKey struct{}

func withReceivers(t testing.TB, env *testscript.Env) {
	env.Values[receiversKey{}] = &receivers{t, map[string]*hook{}, map[string]*octets{}}
}

// hook is a webhook that answers with a status of the test's choice.
type hook struct {
	arrivals
	mu     sync.Mutex
	status int
}

func (h *hook) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var list []json.RawMessage
	if err != nil || json.Unmarshal(body, &list) != nil {
		h.complain("%v %s", err, body)
	}
	h.mu.Lock()
	status := h.status
	h.mu.Unlock()
	w.WriteHeader(status)
	if status != http.StatusOK {
		fmt.Fprint(w, "the hook does not like it")
		return
	}
	for _, one := range list {
		var d document1
		if json.Unmarshal(one, &d) != nil || d.Event.ID == "" {
			h.complain("%s", one)
		}
		h.put(d.Event.ID, string(one))
	}
}

// receiver KIND NAME: starts a receiver of the kind syslog (TCP, octet counting, records in CEF) or webhook; $NAME is its
// address or its URL.
func receiverStarts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: receiver syslog|webhook NAME")
	}
	all := ts.Value(receiversKey{}).(*receivers)
	switch args[0] {
	case "syslog":
		o := collectOctets(all.t)
		all.log[args[1]] = o
		ts.Setenv(args[1], o.Addr().String())
	case "webhook":
		h := &hook{arrivals: newArrivals(), status: http.StatusOK}
		s := httptest.NewServer(h)
		ts.Defer(s.Close)
		all.hook[args[1]] = h
		ts.Setenv(args[1], s.URL)
	default:
		ts.Fatalf("no receiver is a %s", args[0])
	}
}

// answers NAME STATUS: what a webhook answers from now on.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	h := ts.Value(receiversKey{}).(*receivers).hook[args[0]]
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// received NAME N: the receiver has N alerts, or soon has; their records, in the order of ids, become the file NAME.
func received(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: received NAME N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	all := ts.Value(receiversKey{}).(*receivers)
	var a *arrivals
	if h := all.hook[args[0]]; h != nil {
		a = &h.arrivals
	} else {
		a = &all.log[args[0]].arrivals
	}
	for deadline := time.Now().Add(10 * time.Second); a.len() < want && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.times) != want || len(a.wrong) > 0 {
		ts.Fatalf("%s has %d alerts, not %d; %s", args[0], len(a.times), want, strings.Join(a.wrong, "; "))
	}
	ids := slices.Sorted(maps.Keys(a.times))
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(a.texts[id] + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
}

// expand FILE: puts the script's variables into a file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}

// sameids FILE FILE: what the second has of alerts in ECS is in the first, under the same ids.
func sameIDs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sameids FILE FILE")
	}
	there := map[string]bool{}
	for i, name := range args {
		for line := range strings.Lines(ts.ReadFile(name)) {
			var d document1
			ts.Check(json.Unmarshal([]byte(line), &d))
			if i == 0 {
				there[d.Event.ID] = true
			} else if !there[d.Event.ID] {
				ts.Fatalf("%s has no %s", args[0], d.Event.ID)
			}
		}
	}
}
