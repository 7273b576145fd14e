package spool

import (
	"sync"

	"avbeacon/internal/alert"
)

// severities is how many there are; level is that of an alert, 0 the least.
const severities = 5

func level(a *alert.Alert) int { return min(int(a.Severity), severities-1) }

// severity is policy.Severity's word for a level: a part of the subject.
func severity(level int) string {
	return [severities]string{"info", "low", "medium", "high", "critical"}[level]
}

// waiting is an alert with its turn; turns are given in the order of arrival.
type waiting struct {
	turn  uint64
	alert *alert.Alert
}

// queue holds alerts that wait to be written, at most limit. When full, the oldest of the lowest severity goes.
type queue struct {
	limit int
	ready chan struct{} // holds a token while there may be something to take

	mu      sync.Mutex
	rows    [severities]row
	size    int
	turn    uint64
	offered uint64
	dropped [severities]uint64
	shut    bool
}

func newQueue(limit int) *queue { return &queue{limit: limit, ready: make(chan struct{}, 1)} }

func (q *queue) offer(a *alert.Alert) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.offered++
	at := level(a)
	if q.shut || q.size >= q.limit && !q.evict(at) {
		q.dropped[at]++
		return false
	}
	q.turn++
	q.rows[at].push(waiting{q.turn, a})
	q.size++
	q.wake()
	return true
}

// evict drops the oldest of the lowest severity, unless that is above most.
func (q *queue) evict(most int) bool {
	for at := range most + 1 {
		if q.rows[at].len() > 0 {
			q.rows[at].pop()
			q.size--
			q.dropped[at]++
			return true
		}
	}
	return false
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take gives the alert whose turn it is; nil where none waits.
func (q *queue) take() *alert.Alert {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := -1
	for at := range q.rows {
		if q.rows[at].len() > 0 && (first < 0 || q.rows[at].front().turn < q.rows[first].front().turn) {
			first = at
		}
	}
	if first < 0 {
		return nil
	}
	q.size--
	return q.rows[first].pop().alert
}

// close lets nothing more in.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = true
	q.wake()
}

// done says that nothing waits, and nothing will.
func (q *queue) done() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shut && q.size == 0
}

func (q *queue) stats() (size int, offered uint64, dropped [severities]uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size, q.offered, q.dropped
}

// row is a list that is pushed at its end and popped at its front.
type row struct {
	all  []waiting
	head int
}

func (r *row) len() int         { return len(r.all) - r.head }
func (r *row) front() waiting   { return r.all[r.head] }
func (r *row) push(one waiting) { r.all = append(r.all, one) }

// pop moves the rest forward when half of the memory is behind the head.
func (r *row) pop() waiting {
	one := r.all[r.head]
	r.all[r.head] = waiting{}
	r.head++
	if r.head >= 64 && r.head*2 >= len(r.all) {
		n := copy(r.all, r.all[r.head:])
		clear(r.all[n:])
		r.all, r.head = r.all[:n], 0
	}
	return one
}
