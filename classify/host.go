package classify

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"avbeacon/capture"
	"avbeacon/classify/beacon"
	"avbeacon/feeds"
)

// host is one machine. Fields that every flow record touches come first, in two cache lines; the third has those that records
// of DNS touch too.
type host struct {
	active  beacon.Hours
	addr    netip.Addr // the latest
	newest  int64      // nanoseconds since 1970: when it was last seen
	began   int64      // as newest: since when it has been at addr; valid iff spanned
	spanned bool       // addr is the last of spans
	did     habits

	key     string // stable: the MAC if known to be the machine's own when first seen, else the first address; part of finding ids
	spans   []AddressSpan
	mac     [6]byte
	hasMAC  bool
	own     bool            // mac is the machine's own
	machine capture.Machine // 0 if only the address is known
	name    string
	vlans   []uint16
	remarks []*remark
	tracks  []*track // in the order in which they began
	at      int      // index in hostTable.list
	touched bool     // it is in hostTable.touched.list
	saved   uint64   // its sum when a Saver last returned it; 0 for never
}

// maxSpans is how many addresses of one host stay on record; the oldest goes.
const maxSpans = 32

// see notes who the host is.
func (h *host) see(obs *capture.Observation, a netip.Addr) {
	h.seeAt(a, obs.Time)
	if obs.Marks&capture.Plain != 0 || obs.Host.Addr != a {
		return
	}
	if !h.own { // internal/hosts removes a router's MAC once it knows
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
	if h.spanned && a == h.addr {
		h.newest = max(h.newest, now)
		if now < h.began { // a flow's record arrives at the flow's end, with the time of its beginning
			h.began, h.spans[len(h.spans)-1].From = now, at
		}
		return
	}
	h.moved(a, at)
	h.began = h.spans[len(h.spans)-1].From.UnixNano()
	h.newest = max(h.newest, now)
}

// moved notes that the host has another address than before. The present one is the last of spans; its span ends when the host
// was last seen.
func (h *host) moved(a netip.Addr, at time.Time) {
	if n := len(h.spans); n > 0 {
		h.spans[n-1].To = later(h.spans[n-1].To, h.seen())
	}
	h.addr, h.spanned = a, true
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

// addresses returns the spans, in the order in which they began.
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

// track returns what is remembered of a vendor on this host, nil if nothing is.
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

// hostTable holds the hosts by the machine that internal/hosts resolved, and by address, the key of those without
// one. It is bounded: when full, the longest unseen of a sample goes, those without a finding first.
type hostTable struct {
	byAddr    addrIndex
	byMachine map[capture.Machine]*host
	list      []*host
	hand      int
	max       int
	evicted   uint64
	touched   touched
}

// touched lists the hosts that something may have changed since a Saver last asked, each once. Whoever hands out a host that is
// then written to adds it, so that a Saver need not look at the others.
type touched struct {
	on   bool // there is a Saver
	list []*host
}

func (t *touched) add(h *host) {
	if t.on && h != nil && !h.touched {
		h.touched = true
		t.list = append(t.list, h)
	}
}

func newHostTable(most int) hostTable {
	return hostTable{byAddr: newAddrIndex(), byMachine: map[capture.Machine]*host{}, max: most}
}

// find returns the host at an address, nil if none is known.
func (t *hostTable) find(a netip.Addr) *host {
	h := t.byAddr.get(a)
	t.touched.add(h)
	return h
}

// get returns the host at an address and makes one if none is known. internal/hosts has resolved who is behind the source
// address of obs: its machine decides, not what the address meant before. obs is nil if it is about somebody else.
func (t *hostTable) get(a netip.Addr, obs *capture.Observation) *host {
	h := t.byAddr.get(a)
	switch {
	case obs != nil && obs.Host.Machine != 0 && obs.Host.Addr == a:
		h = t.machine(a, h, obs)
	case h == nil:
		h = t.add(&host{key: a.String()}, a)
	}
	t.touched.add(h)
	return h
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

// worse reports whether a is to go before b.
func worse(a, b *host) bool {
	if (len(a.tracks) == 0) != (len(b.tracks) == 0) { // remarks alone keep no host
		return len(a.tracks) == 0
	}
	return a.newest < b.newest
}

func (t *hostTable) drop(h *host) {
	for _, s := range h.spans {
		t.byAddr.drop(s.Address, h)
	}
	t.byAddr.drop(h.addr, h)
	if t.byMachine[h.machine] == h {
		delete(t.byMachine, h.machine)
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

// machine returns the host that is the machine in obs and indexes it by the address. h, the host at the address, is that machine if only
// its address was known. If it is another machine it keeps its evidence.
func (t *hostTable) machine(a netip.Addr, h *host, obs *capture.Observation) *host {
	who := &obs.Host
	if h == nil || h.machine != who.Machine {
		known := t.byMachine[who.Machine]
		switch {
		case known == nil && h != nil && h.machine == 0:
			known = h
		case known == nil:
			known = t.add(&host{key: keyOfMachine(h, obs)}, a)
		case h != nil && h.machine == 0 && len(h.tracks) == 0:
			t.drop(h)
		}
		t.is(known, who.Machine)
		t.byAddr.set(a, known)
		h = known
	}
	if who.Own && who.HasMAC {
		h.mac, h.hasMAC, h.own = who.MAC, true, true
	}
	return h
}

// is notes which machine a host is.
func (t *hostTable) is(h *host, m capture.Machine) { h.machine, t.byMachine[m] = m, h }

// withoutAddress makes a host known only by the MAC that a forwarder sent in EDNS. It reports the forwarder's address, but is not
// indexed by it.
func (t *hostTable) withoutAddress(obs *capture.Observation) *host {
	if len(t.list) >= t.max {
		t.evict()
	}
	h := &host{key: macText(obs.Host.MAC), addr: obs.Src.Addr(), at: len(t.list), mac: obs.Host.MAC, hasMAC: true, own: true}
	t.list = append(t.list, h)
	t.is(h, obs.Host.Machine)
	return h
}

// keyOfMachine returns the stable key of a machine first seen now: its own MAC, else its address, with the time added if former,
// another machine, had the address before.
func keyOfMachine(former *host, obs *capture.Observation) string {
	if obs.Host.Own && obs.Host.HasMAC {
		return macText(obs.Host.MAC)
	}
	key := obs.Host.Addr.String()
	if former != nil {
		key += "@" + strconv.FormatInt(obs.Time.Unix(), 10)
	}
	return key
}

// clientOf returns the host that a forwarder names as its client; nil if that client is not of the site.
func (c *Classifier) clientOf(obs *capture.Observation) *host {
	who := &obs.Host
	if who.Addr.IsValid() {
		if !c.home(who.Addr) {
			return nil
		}
		h := c.hosts.get(who.Addr, obs)
		h.see(obs, who.Addr)
		return h
	}
	h := c.hosts.byMachine[who.Machine]
	if h == nil {
		h = c.hosts.withoutAddress(obs)
	}
	c.hosts.touched.add(h)
	h.seeAt(h.addr, obs.Time)
	if who.Name != "" {
		h.name = who.Name
	}
	return h
}

// forwards counts a query that a forwarder sent for its client.
func (c *Classifier) forwards(obs *capture.Observation) {
	f := c.hosts.get(obs.Src.Addr(), nil)
	f.seeAt(obs.Src.Addr(), obs.Time)
	f.did.lookups++
	c.asked(&f.did, obs.Time)
}

// shared is the range of carrier-grade NAT (RFC 6598).
var shared = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)

// DefaultHome lists the ranges that are the site's own if Options.Home is nil: private (RFC 1918, RFC 4193),
// link-local, loopback and carrier-grade NAT's.
func DefaultHome() []netip.Prefix {
	var list []netip.Prefix
	for _, p := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10", "127.0.0.0/8", "::1/128"} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return append(list, shared)
}

// home reports whether an address is the site's own.
func (c *Classifier) home(a netip.Addr) bool {
	if c.opt.Home == nil {
		return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || shared.Contains(a)
	}
	for _, p := range c.opt.Home {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// sides returns client and server of an Observation.
func sides(obs *capture.Observation) (client, server netip.AddrPort) {
	if obs.FromClient || obs.Kind == capture.Contact {
		return obs.Src, obs.Dst
	}
	return obs.Dst, obs.Src
}

// subject returns the host that an Observation is about: the client. It is nil if the connection comes from outside, and if there is
// no usable address.
func (c *Classifier) subject(obs *capture.Observation) *host {
	client, server := sides(obs)
	a := client.Addr()
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return nil
	}
	if !c.home(a) && c.home(server.Addr()) {
		return nil
	}
	if obs.Marks&capture.ForClient != 0 {
		if h := c.clientOf(obs); h != nil {
			return h
		}
	}
	h := c.hosts.get(a, obs)
	h.see(obs, a)
	return h
}

// called returns the host on the server's side: one of the site, or one outside that has opened connections before; else nil.
func (c *Classifier) called(server netip.Addr, obs *capture.Observation) *host {
	if !server.IsValid() || server.IsMulticast() || server.IsUnspecified() {
		return nil
	}
	if c.home(server) {
		return c.hosts.get(server, nil)
	}
	if c.hosts.byAddr.stranger(server) {
		return nil
	}
	return c.hosts.find(server)
}
