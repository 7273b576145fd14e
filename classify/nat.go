package classify

import (
	"fmt"
	"math/bits"
	"strings"

	"avbeacon/feeds"
)

// machines is what shows that several machines speak from one address, each count 0 or 1 where nothing does.
type machines struct {
	systems  int // operating systems of several makers, by User-Agent
	editions int // editions of Windows, by User-Agent
	ttls     int // TTLs that stand for different systems, or different ways to the tap
	classes  int // of those, that differ in what they began with (64, 128, 255)
	ids      int // installations that spoke in turn
	versions int // of one program, that took turns
	phases   int // machines that keep one beat each
}

// steadyTTL is how many TCP flows show a TTL before it counts; surely is how many show two before they decide alone.
const (
	steadyTTL = 3
	surely    = 6
)

func (d *habits) machines() (m machines, ttlsDecide bool) {
	m = machines{systems: bits.OnesCount8(uint8(d.systems & (windows | macOS | linux | mobile))),
		editions: bits.OnesCount8(uint8(d.editions)), ids: int(d.installations), versions: int(d.versions), phases: int(d.phases)}
	seen, sure := 0, 0
	for _, t := range d.ttls {
		if t.flows < steadyTTL {
			continue
		}
		m.ttls++
		seen |= 1 << initialTTL(t.ttl)
		if t.flows >= surely {
			sure++
		}
	}
	m.classes = bits.OnesCount(uint(seen))
	return m, m.classes >= 2 && sure >= 2
}

// natted says that several machines show. What a single machine can show too (a second system in a browser's User-Agent, a
// TTL that changes with the way) needs a second witness.
func natted(d *habits) bool { return d.phases >= 2 || nattedBeside(d) }

// nattedBeside says that something other than the phases of a beat shows it.
func nattedBeside(d *habits) bool {
	m, ttlsDecide := d.machines()
	agents := m.systems >= 2 || m.editions >= 2
	switch {
	case m.ids >= 2, m.versions >= 2, ttlsDecide:
		return true
	case m.ttls >= 2 && agents:
		return true
	}
	return m.systems >= 3 && d.agents.n >= 6
}

// behindNAT estimates how many machines there are.
func behindNAT(d *habits) *Behind {
	m, _ := d.machines()
	n := max(2, m.systems, m.editions, m.ttls, m.ids, m.versions, m.phases)
	var shows []string
	say := func(n int, what string) {
		if n >= 2 {
			shows = append(shows, fmt.Sprintf("%d %s", n, what))
		}
	}
	say(m.ttls, "TTLs")
	say(m.systems, "operating systems")
	say(m.editions, "editions of Windows")
	say(m.ids, "alternating installations of one product")
	say(m.versions, "alternating versions of one program")
	say(m.phases, "phases of one rhythm")
	return &Behind{Estimate: n, AtLeast: max(2, m.ids), Words: "is one address shared by several machines: it shows " + strings.Join(shows, ", ")}
}

// installs is the installations that one entry of the catalogue told apart by their ids.
type installs struct {
	entry *feeds.Entry
	last  uint32
	seen  smallSet
}

// installation notes the id of an installation that a sign bears. Two that take turns are two machines; one that follows
// another may be the same machine, installed anew.
func (t *track) installation(e *feeds.Entry, value string) {
	if !identifies(e) {
		return
	}
	id := ""
	e.Hide(value, func(s string) string {
		if id == "" {
			id = s
		}
		return "-"
	})
	if id == "" {
		return
	}
	h := hashText(id)
	for i := range t.installs {
		u := &t.installs[i]
		if u.entry != e {
			continue
		}
		known := u.seen.has(h)
		if known && u.last != h {
			t.host.did.installations = max(t.host.did.installations, u.seen.n)
		}
		u.seen.add(h)
		if t.host.did.installations >= 2 {
			t.host.did.installations = max(t.host.did.installations, u.seen.n)
		}
		u.last = h
		return
	}
	u := installs{entry: e, last: h}
	u.seen.add(h)
	t.installs = append(t.installs, u)
}

// identifies says that what the entry hides is an installation's or a machine's own. Other values that are hidden whole
// may be new each time.
func identifies(e *feeds.Entry) bool {
	switch {
	case e.Mask == "" || e.Signal == feeds.SignalName || e.Signal == feeds.SignalPath:
		return false
	case e.Mask != feeds.MaskValue:
		return true
	}
	return strings.Contains(e.Note, "installation id") || strings.Contains(e.Note, "hash of the machine")
}
