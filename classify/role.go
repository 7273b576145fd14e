package classify

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"avbeacon/feeds"
)

// What makes a resolver by sheer number: queries in one hour, and queries per other connection. If the capture holds hardly anything but
// DNS, missing connections prove nothing, and the number must be that of a busy resolver.
const (
	manyAsked        = 100
	askedPerFlow     = 20
	manyAskedDNSOnly = 500
)

// roles returns what the host does, leading role first; nothing if too little was seen.
func (c *Classifier) roles(h *host) []HostRole {
	d := &h.did
	var rs []HostRole
	add := func(is bool, r HostRole) {
		if is {
			rs = append(rs, r)
		}
	}
	add(c.resolver(d), HostResolver)
	add(d.proxied > 0 || d.via > 0 || d.relay.proxies(), HostProxy)
	add(c.manages(h), HostManagement)
	add(natted(d), HostNAT)
	add(d.accepted >= 3 && d.accepted >= 4*d.opened, HostServer)
	add(len(rs) == 0 && d.opened > 0, HostEndpoint)
	return rs
}

// manages reports whether the host accepted connections on two console ports of a vendor, on one from several machines, or on one while it
// connects to that vendor itself.
func (c *Classifier) manages(h *host) bool {
	d := &h.did
	if d.consoles.n != 1 {
		return d.consoles.n > 0
	}
	return d.managed.n >= 2 || slices.ContainsFunc(h.tracks, func(t *track) bool { return t.vendor == d.console && t.calls() })
}

func (c *Classifier) resolver(d *habits) bool {
	if answers := d.answersGiven + d.answeredFlows; answers > 0 && (d.askers.n >= 2 || d.asked() > 0 || answers >= 3) || d.asksAsResolver() {
		return true
	}
	if (d.stream.even || d.flowStream.even) && d.asked() >= askedPerFlow*max(1, d.opened) {
		return true
	}
	if c.dnsAlone(d) {
		return d.mostAsked >= manyAskedDNSOnly
	}
	return d.mostAsked >= manyAsked && d.asked() >= askedPerFlow*max(1, d.opened)
}

// fewFlows is below how many connections a capture counts as DNS only.
const fewFlows = 5

// dnsAlone reports whether the capture holds hardly anything but DNS, by what the other hosts do: one resolver
// for all of them would decide by itself.
func (c *Classifier) dnsAlone(d *habits) bool {
	all, own := max(c.traffic.lookups, c.traffic.flowLookups), uint64(d.asked())
	return c.traffic.flows < fewFlows || 10*c.traffic.flows < all-min(all, own)
}

// initialTTL returns the class of the value a packet started with: 32, 64, 128 or 255.
func initialTTL(ttl uint8) int {
	switch {
	case ttl <= 32:
		return 0
	case ttl <= 64:
		return 1
	case ttl <= 128:
		return 2
	}
	return 3
}

// behind estimates how many machines are behind a host of these roles; nil if it acts for itself.
func behind(h *host, roles []HostRole) *Behind {
	if len(roles) == 0 {
		return nil
	}
	d := &h.did
	switch roles[0] {
	case HostResolver:
		return crowd(int(d.askers.n), "resolves names for other hosts", "queried it")
	case HostProxy:
		return crowd(int(d.clients.n), "is a proxy for other hosts", "used it")
	case HostManagement:
		return crowd(int(d.managed.n), "serves the vendor's product on the site", "connected to its console ports")
	case HostNAT:
		return behindNAT(d)
	}
	return nil
}

func crowd(n int, does, did string) *Behind {
	b := &Behind{Estimate: n, AtLeast: n, Words: does}
	switch {
	case n == len(smallSet{}.v):
		b.Words = fmt.Sprintf("%s; at least %d hosts %s", does, n, did)
	case n == 1:
		b.Words = fmt.Sprintf("%s; 1 host %s", does, did)
	case n > 1:
		b.Words = fmt.Sprintf("%s; %d hosts %s", does, n, did)
	}
	return b
}

// capsAt returns the highest verdict for a host of this leading role.
func capsAt(r HostRole) Verdict {
	if r == HostResolver || r == HostProxy {
		return Possible
	}
	return Installed
}

// hasRole reports whether the purpose of a name counts: unknown ones and those that a person causes do not.
func hasRole(r feeds.Role) bool {
	return r != feeds.RoleUnknown && r != feeds.RoleWeb && r != feeds.RoleDownload
}

// machines counts what shows several machines behind one address; each count is 0 or 1 if nothing does.
type machines struct {
	systems  int // operating systems of several makers, by User-Agent
	editions int // editions of Windows, by User-Agent
	ttls     int // TTLs of different systems, or of different paths to the tap
	classes  int // of those: different initial values (64, 128, 255)
	ids      int // alternating installations
	versions int // of one program, alternating
	phases   int // machines, by the phases of one beat
}

// steadyTTL is how many TCP connections must show a TTL before it counts; surely is how many must show each of two before they decide
// alone.
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

// natted reports whether several machines show. What a single machine can show too (a second system in a
// browser's User-Agent, a TTL that changes with the path) needs a second piece of evidence.
func natted(d *habits) bool { return d.phases >= 2 || nattedBeside(d) }

// nattedBeside reports whether something other than the phases of a beat shows it.
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

// installs is the installations that one entry of the catalogue distinguished by their ids.
type installs struct {
	entry *feeds.Entry
	last  uint32
	seen  smallSet
}

// installation notes the id of an installation in a sign. Two that alternate are two machines; one that follows another may be the same
// machine, reinstalled.
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

// identifies reports whether what the entry hides is the id of an installation or a machine. Other hidden values may change each time.
func identifies(e *feeds.Entry) bool {
	if e.Mask == "" || e.Signal == feeds.SignalName || e.Signal == feeds.SignalPath {
		return false
	}
	return e.Mask != feeds.MaskValue || e.Installation
}
