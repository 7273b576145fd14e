package classify

import (
	"net/netip"
	"time"

	"avbeacon/capture"
)

type flowKey struct {
	client, server netip.AddrPort
	transport      capture.Proto
}

// flow is one open flow of interest, so that its hello, requests and end count as one contact.
type flow struct {
	host    *host
	start   time.Time
	tool    string // the tool whose User-Agent was seen in it
	browser bool   // ... or that of a person's browser
	named   bool   // a server name was seen
	derived bool   // a name that a look-up gave the address was taken
	proxy   bool   // the server is a proxy
	network bool   // its address was looked at
	payload bool   // its first bytes were counted
	tracks  []*track
}

func (f *flow) has(t *track) bool {
	for _, x := range f.tracks {
		if x == t {
			return true
		}
	}
	return false
}

// fifo remembers in which order keys came, at most max of them. Keys may be taken out of the owner's map before they
// come up: the owner skips those.
type fifo[K any] struct {
	ring []K
	head int
	n    int
}

func newFIFO[K any](most int) fifo[K] { return fifo[K]{ring: make([]K, most)} }

func (q *fifo[K]) full() bool { return q.n == len(q.ring) }

func (q *fifo[K]) push(k K) {
	q.ring[(q.head+q.n)%len(q.ring)] = k
	q.n++
}

func (q *fifo[K]) peek() K { return q.ring[q.head] }

func (q *fifo[K]) pop() K {
	k := q.ring[q.head]
	var none K
	q.ring[q.head] = none
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return k
}

// flowTable remembers flows of interest while they are open. When full the oldest goes.
type flowTable struct {
	flows   map[flowKey]*flow
	order   fifo[*flowSlot]
	evicted uint64
	over    flow // stands in slots for flows that ended
}

type flowSlot struct {
	key  flowKey
	flow *flow
}

func newFlowTable(most int) flowTable {
	return flowTable{flows: map[flowKey]*flow{}, order: newFIFO[*flowSlot](most)}
}

func keyOf(obs *capture.Observation) flowKey {
	client, server := sides(obs)
	return flowKey{client: client, server: server, transport: obs.Transport}
}

// reuse is after how long the same addresses and ports are another flow, where the end was not seen.
const reuse = 24 * time.Hour

// find gives the flow, nil where it is not remembered.
func (t *flowTable) find(k flowKey) *flow {
	if len(t.flows) == 0 {
		return nil
	}
	return t.flows[k]
}

// get gives the flow, made anew where none is remembered.
func (t *flowTable) get(k flowKey, h *host, at time.Time) *flow {
	if f := t.flows[k]; f != nil && at.Sub(f.start) < reuse {
		return f
	}
	if t.order.full() {
		t.evict()
	}
	f := &flow{host: h, start: at}
	t.flows[k] = f
	t.order.push(&flowSlot{key: k, flow: f})
	return f
}

// evict makes room for one. Flows that ended leave their place only here; while there are many of them, those that are
// still open go back in the queue.
func (t *flowTable) evict() {
	for range len(t.order.ring) {
		s := t.order.pop()
		if t.flows[s.key] != s.flow {
			return
		}
		if len(t.flows) > len(t.order.ring)/2 {
			delete(t.flows, s.key)
			t.evicted++
			return
		}
		t.order.push(s)
	}
	delete(t.flows, t.order.pop().key)
	t.evicted++
}

// end forgets a flow.
func (t *flowTable) end(k flowKey) { delete(t.flows, k) }
