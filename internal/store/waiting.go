package store

import (
	"cmp"
	"maps"
	"slices"
)

// severities is how many there are: those of policy.Severity, 0 the least.
const severities = 5

// waiting holds the alerts of a batch in the order in which they came. Those that are to be sent are bounded: if there are
// too many, the oldest of the lowest severity is dropped, because on a full disk they can only wait in memory.
type waiting struct {
	limit int
	byID  map[string]turned
	ids   map[string][]string  // of each finding's alerts; some may have been dropped
	sends [severities][]string // ids of those to be sent, oldest first
	count int                  // of ids in sends
	turn  uint64
	lost  *[severities]uint64 // counts dropped alerts
}

// turned is an alert with its place in the order of arrival.
type turned struct {
	Alert
	turn uint64
}

func newWaiting(limit int, lost *[severities]uint64) *waiting {
	return &waiting{limit: limit, byID: map[string]turned{}, ids: map[string][]string{}, lost: lost}
}

func (w *waiting) put(a Alert) {
	old, known := w.byID[a.ID]
	if !known {
		w.turn++
		old.turn = w.turn
		w.ids[a.Finding] = append(w.ids[a.Finding], a.ID)
	}
	fresh := a.Send && !old.Send
	if old.Send && !a.Send { // the same alert in a later state
		a.Send, a.Sent, a.Value = old.Send, old.Sent, nil
	}
	w.byID[a.ID] = turned{a, old.turn}
	if !fresh {
		return
	}
	at := level(a.Severity)
	w.sends[at] = append(w.sends[at], a.ID)
	for w.count++; w.count > w.limit; w.count-- {
		w.evict()
	}
}

// of returns a finding's alerts.
func (w *waiting) of(finding string) (out []Alert) {
	for _, id := range w.ids[finding] {
		if a, there := w.byID[id]; there {
			out = append(out, a.Alert)
		}
	}
	return out
}

func (w *waiting) evict() {
	for at := range w.sends {
		if list := w.sends[at]; len(list) > 0 {
			delete(w.byID, list[0])
			w.sends[at] = list[1:]
			w.lost[at]++
			return
		}
	}
}

// under merges the alerts of an older batch before those that came since.
func (w *waiting) under(old *waiting) {
	newer := w.sorted()
	*w = *old
	for _, a := range newer {
		w.put(a.Alert)
	}
}

// keep forgets all but some of the alerts, which are in order.
func (w *waiting) keep(some []turned) {
	*w = *newWaiting(w.limit, w.lost)
	for _, a := range some {
		w.put(a.Alert)
	}
}

func (w *waiting) sorted() []turned {
	return slices.SortedFunc(maps.Values(w.byID), func(a, b turned) int { return cmp.Compare(a.turn, b.turn) })
}

func level[S ~uint8](s S) int { return min(int(s), severities-1) }
