package classify

import (
	"net/netip"
	"slices"
	"time"

	"avbeacon/capture"
	"avbeacon/classify/beacon"
	"avbeacon/feeds"
)

// host is what is remembered of one machine. What every flow record touches stands first, in two lines of the cache, and
// what those of DNS touch beside it in the third.
type host struct {
	active beacon.Hours
	addr   netip.Addr // the latest
	newest int64      // nanoseconds since 1970: when it was last seen
	began  int64      // as newest: from when on it was at addr; valid iff placed
	placed bool       // addr is the last of spans
	did    habits

	key     string // stable: the MAC where it is known to be the machine's own, else the first address
	spans   []AddressSpan
	mac     [6]byte
	hasMAC  bool
	own     bool   // mac is the machine's own, so that it joins addresses
	number  uint32 // internal/hosts' for the machine, 0 where the address alone is known
	name    string
	vlans   []uint16
	remarks []*remark
	tracks  []*track // in the order in which they began
	at      int      // place in hostTable.list
}

// maxSpans is how many addresses of one host stay on record; the oldest goes.
const maxSpans = 32

// see notes who the host is.
func (h *host) see(obs *capture.Observation, a netip.Addr) {
	h.seeAt(a, obs.Time)
	if obs.Marks&capture.Plain != 0 || obs.Host.Addr != a {
		return
	}
	if !h.own { // hosts takes a router's address away once it knows
		h.mac, h.hasMAC = obs.Host.MAC, obs.Host.HasMAC
	}
	if obs.Host.Name != "" {
		h.name = obs.Host.Name
	}
	if obs.Host.VLAN != 0 {
		h.seeVLAN(obs.Host.VLAN)
	}
}

// seeAt notes that the host was at an address.
func (h *host) seeAt(a netip.Addr, at time.Time) {
	now := at.UnixNano()
	if last, any := h.active.Newest(); !any || now/int64(time.Hour) != last || now < 0 {
		h.active.Set(at.Unix())
	}
	if h.placed && a == h.addr {
		h.newest = max(h.newest, now)
		if now < h.began { // a flow's record comes when the flow is over, and has the time when it began
			h.began, h.spans[len(h.spans)-1].From = now, at
		}
		return
	}
	h.moved(a, at)
	h.began = h.spans[len(h.spans)-1].From.UnixNano()
	h.newest = max(h.newest, now)
}

// moved notes that the host has another address than before. The present one is the last of spans, and its span ends
// when the host was last seen.
func (h *host) moved(a netip.Addr, at time.Time) {
	if n := len(h.spans); n > 0 {
		h.spans[n-1].To = later(h.spans[n-1].To, h.seen())
	}
	h.addr, h.placed = a, true
	for i := range h.spans {
		if s := h.spans[i]; s.Address == a {
			s.To = later(s.To, at)
			s.From = earlier(s.From, at)
			h.spans = append(append(h.spans[:i], h.spans[i+1:]...), s)
			return
		}
	}
	if len(h.spans) >= maxSpans {
		h.spans = append(h.spans[:0], h.spans[1:]...)
	}
	h.spans = append(h.spans, AddressSpan{Address: a, From: at, To: at})
}

// seen is when the host was seen last.
func (h *host) seen() time.Time { return time.Unix(0, h.newest).UTC() }

// addresses gives the spans, in the order in which they began.
func (h *host) addresses() []AddressSpan {
	out := slices.Clone(h.spans)
	if n := len(out); n > 0 {
		out[n-1].To = later(out[n-1].To, h.seen())
	}
	slices.SortStableFunc(out, func(a, b AddressSpan) int { return a.From.Compare(b.From) })
	for i := range out {
		out[i].From, out[i].To = out[i].From.UTC(), out[i].To.UTC()
	}
	return out
}

func (h *host) seeVLAN(id uint16) {
	at := 0
	for at < len(h.vlans) && h.vlans[at] < id {
		at++
	}
	if at < len(h.vlans) && h.vlans[at] == id || len(h.vlans) >= 16 {
		return
	}
	h.vlans = append(h.vlans, 0)
	copy(h.vlans[at+1:], h.vlans[at:])
	h.vlans[at] = id
}

// track gives what is remembered of a vendor on this host, nil where nothing is.
func (h *host) track(v *feeds.Vendor) *track {
	for _, t := range h.tracks {
		if t.vendor == v {
			return t
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// hostTable finds hosts by address and by MAC. It is bounded: when full it lets go the longest unseen of a sample,
// first among those without a finding.
type hostTable struct {
	byAddr  addrIndex
	byMAC   map[[6]byte]*host
	byNum   map[uint32]*host
	list    []*host
	hand    int
	max     int
	evicted uint64
}

func newHostTable(most int) hostTable {
	return hostTable{byAddr: newAddrIndex(), byMAC: map[[6]byte]*host{}, byNum: map[uint32]*host{}, max: most}
}

// find gives the host at an address, nil where none is known.
func (t *hostTable) find(a netip.Addr) *host { return t.byAddr.get(a) }

// get returns the host at an address and makes one if none is known. internal/hosts has resolved who is behind the source
// address of obs: its machine number decides, not what the address meant before. obs is nil if it is about somebody else.
func (t *hostTable) get(a netip.Addr, obs *capture.Observation) *host {
	h := t.byAddr.get(a)
	switch {
	case obs != nil && obs.Host.Machine != 0 && obs.Host.Addr == a:
		return t.numbered(a, h, obs)
	case h != nil:
		return h
	}
	return t.add(&host{key: a.String()}, a)
}

func (t *hostTable) add(h *host, a netip.Addr) *host {
	if len(t.list) >= t.max {
		t.evict()
	}
	h.addr, h.at = a, len(t.list)
	t.list = append(t.list, h)
	t.byAddr.set(a, h)
	return h
}

// sample is how many hosts eviction looks at.
const sample = 32

func (t *hostTable) evict() {
	var worst *host
	for range min(sample, len(t.list)) {
		t.hand = (t.hand + 1) % len(t.list)
		h := t.list[t.hand]
		if worst == nil || worse(h, worst) {
			worst = h
		}
	}
	t.drop(worst)
	t.evicted++
}

// worse says that a is to go before b.
func worse(a, b *host) bool {
	if (len(a.tracks) == 0) != (len(b.tracks) == 0) { // a remark keeps nobody
		return len(a.tracks) == 0
	}
	return a.newest < b.newest
}

func (t *hostTable) drop(h *host) {
	for _, s := range h.spans {
		t.byAddr.drop(s.Address, h)
	}
	t.byAddr.drop(h.addr, h)
	if h.own && t.byMAC[h.mac] == h {
		delete(t.byMAC, h.mac)
	}
	if t.byNum[h.number] == h {
		delete(t.byNum, h.number)
	}
	last := len(t.list) - 1
	t.list[h.at] = t.list[last]
	t.list[h.at].at = h.at
	t.list[last] = nil
	t.list = t.list[:last]
}

func (t *hostTable) all() []*host { return t.list }

func macText(m [6]byte) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, v := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hex[v>>4], hex[v&15])
	}
	return string(b)
}
