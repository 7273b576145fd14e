package metrics

import (
	"fmt"
	"slices"
	"time"
)

// beatLimit is how old the last Snapshot may be before the daemon counts as stuck, and how long the first one may take.
const beatLimit = 30 * time.Second

// dropWindow is the period over which the share of dropped packets is computed.
const dropWindow = time.Minute

// Terms are the configurable conditions of readiness, checked in addition to the fixed ones.
type Terms struct {
	Silent time.Duration // not ready when no packet arrived for longer; 0 disables the check
	Drops  float64       // not ready if more than this share of the last minute's packets was lost; negative disables the check
}

// Reason is why the daemon is not ready.
type Reason struct {
	Reason string `json:"reason"` // one of the codes of README.md
	Text   string `json:"text"`   // for people
}

// history is what readiness needs from Snapshots before the last one.
type history struct {
	began   time.Time
	moved   time.Time // when the last packet arrived; before the first packet, when the first Snapshot arrived
	packets uint64
	marks   []mark // at least a second apart, the oldest first, of about the last minute
}

// mark is how many packets had been seen and lost at a given time.
type mark struct {
	at            time.Time
	packets, lost uint64
}

// add records a Snapshot.
func (h *history) add(s *Snapshot) {
	m := mark{at: s.Time}
	for _, i := range s.Interfaces {
		m.packets += i.Packets
		m.lost += i.Kernel
	}
	if m.packets != h.packets || h.moved.IsZero() {
		h.packets, h.moved = m.packets, s.Time
	}
	if n := len(h.marks); n > 0 {
		last := h.marks[n-1]
		if m.packets < last.packets || m.lost < last.lost || m.at.Before(last.at) {
			h.marks = nil // the counters restarted, or the clock was set back
		} else if n > 1 && m.at.Sub(h.marks[n-2].at) < time.Second {
			h.marks = h.marks[:n-1]
		}
	}
	h.marks = append(h.marks, m)
	old := 0
	for old < len(h.marks)-1 && m.at.Sub(h.marks[old+1].at) >= dropWindow {
		old++
	}
	h.marks = slices.Delete(h.marks, 0, old)
}

// drops returns the share of the last minute's packets that was lost.
func (h *history) drops() (share float64, lost uint64) {
	if len(h.marks) == 0 {
		return 0, 0
	}
	first, last := h.marks[0], h.marks[len(h.marks)-1]
	lost = last.lost - first.lost
	if all := lost + last.packets - first.packets; all > 0 {
		share = float64(lost) / float64(all)
	}
	return share, lost
}

// beats reports whether the daemon's loop runs, and how old its last Snapshot is.
func (h *history) beats(s *Snapshot, now time.Time) (ok bool, age time.Duration) {
	since := h.began
	if s != nil {
		since = s.Time
	}
	age = max(now.Sub(since), 0)
	return age < beatLimit, age
}

// unready returns all reasons why the daemon is not ready at now; none if it is ready.
func (h *history) unready(s *Snapshot, t Terms, now time.Time) []Reason {
	if s == nil {
		return []Reason{{"starting", "the daemon has not reported yet"}}
	}
	var list []Reason
	because := func(is bool, code, format string, args ...any) {
		if is {
			list = append(list, Reason{code, fmt.Sprintf(format, args...)})
		}
	}
	ok, age := h.beats(s, now)
	silent := now.Sub(h.moved)
	share, lost := h.drops()
	down := len(s.Interfaces) > 0 && !slices.ContainsFunc(s.Interfaces, func(i Interface) bool { return i.Up })
	because(s.Draining, "draining", "the daemon is shutting down")
	because(!ok, "stuck", "the daemon has not reported for %s", age.Round(time.Second))
	because(down, "interfaces_down", "none of the %d interfaces is up", len(s.Interfaces))
	because(t.Silent > 0 && silent > t.Silent, "silent", "no packet arrived for %s", silent.Round(time.Second))
	because(t.Drops >= 0 && lost > 0 && share > t.Drops, "drops", "%.1f %% of the last minute's packets were lost (%d)", 100*share, lost)
	because(s.StoreErr != "", "store", "the store cannot be written: %s", label(s.StoreErr))
	because(s.SpoolErr != "", "spool", "alerts cannot be written: %s", label(s.SpoolErr))
	return list
}
