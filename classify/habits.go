package classify

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// habits is how a host behaves, whatever the vendors: what host roles are read from.
type habits struct {
	// What a client's flows touch stands first: see host.
	opened        uint32 // flows that are not DNS
	mostAsked     uint32 // questions in one hour
	dnsFlows      uint32 // packets to DNS servers in DNS flows
	flowHourAsked uint32 // questions in DNS flows that ended in flowHour
	flowHour      int64
	relay         *relay
	ttls          [6]ttlCount
	flowStream    stream // of DNS flows

	accepted uint32 // flows that are not DNS
	stream   stream // of questions seen one by one

	lookups     uint32 // DNS questions seen, of interest or not, as far as they come here
	answersGot  uint32
	noRecursion uint32 // of lookups
	iterative   uint32 // look-ups of interest that a server answered for itself alone
	hour        int64  // of hourAsked
	hourAsked   uint32

	answeredFlows uint32 // DNS flows in which it answered
	answersGiven  uint32
	askers        smallSet // who asked it

	proxied  uint32 // CONNECT and absolute requests that it took
	via      uint32 // requests that it sent with Via or X-Forwarded-For
	clients  smallSet
	systems  systems
	editions editions

	installations uint8         // of one product, that took turns
	versions      uint8         // of one program, that took turns
	phases        uint8         // machines that keep one beat each
	console       *feeds.Vendor // of consoles
	agents        smallSet
	consoles      smallSet // vendor LAN ports on which it took flows
	managed       smallSet // who opened them
}

// smallSet counts distinct values up to its size.
type smallSet struct {
	n uint8
	v [8]uint32
}

func (s *smallSet) has(v uint32) bool { return slices.Contains(s.v[:s.n], v) }

func (s *smallSet) add(v uint32) {
	for _, x := range s.v[:s.n] {
		if x == v {
			return
		}
	}
	if int(s.n) < len(s.v) {
		s.v[s.n] = v
		s.n++
	}
}

// hashAddr is the upper half of hashOf; hashText is FNV-1a.
func hashAddr(a netip.Addr) uint32 { return uint32(hashOf(a) >> 32) }

func hashText(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

type ttlCount struct {
	ttl   uint8
	flows uint32
}

func (d *habits) seeTTL(ttl uint8) {
	if ttl == 0 {
		return
	}
	for i := range d.ttls {
		t := &d.ttls[i]
		if t.ttl == ttl || t.flows == 0 {
			t.ttl = ttl
			t.flows++
			return
		}
	}
}

// systems is a set of operating systems.
type systems uint8

const (
	windows systems = 1 << iota
	macOS
	linux
	mobile
)

// editions is a set of editions of Windows.
type editions uint8

// editionOf reads the edition of Windows from a User-Agent ("Windows NT 6.1"); 0 where it tells none.
func editionOf(ua string) editions {
	_, v, ok := strings.Cut(ua, "Windows NT ")
	if !ok {
		return 0
	}
	for i, known := range [...]string{"5.", "6.0", "6.1", "6.2", "6.3", "10."} {
		if strings.HasPrefix(v, known) {
			return 1 << i
		}
	}
	return 0
}

// systemOf reads the operating system from a User-Agent; 0 where it tells none.
func systemOf(ua string) systems {
	switch {
	case strings.Contains(ua, "Windows NT"), strings.HasPrefix(ua, "Microsoft-CryptoAPI/"), strings.HasPrefix(ua, "Windows-Update-Agent/"):
		return windows
	case strings.Contains(ua, "iPhone"), strings.Contains(ua, "Android"), strings.Contains(ua, "iPad"):
		return mobile
	case strings.Contains(ua, "Macintosh"), strings.Contains(ua, "Mac OS X"):
		return macOS
	case strings.Contains(ua, "X11; "), strings.HasPrefix(ua, "Debian APT-"):
		return linux
	}
	return 0
}

// asked counts a question of the host.
func (c *Classifier) asked(d *habits, at time.Time) {
	c.traffic.lookups++
	d.stream.ask(at.Unix())
	hour := hourOf(at)
	if hour != d.hour {
		d.hour, d.hourAsked = hour, 0
	}
	d.hourAsked++
	d.mostAsked = max(d.mostAsked, d.hourAsked)
}

// askedInFlow counts the questions of a DNS flow, of which only those of interest come here one by one.
func (c *Classifier) askedInFlow(h *host, rec *capture.FlowRecord) {
	d := &h.did
	c.traffic.flowLookups += uint64(rec.Lookups)
	hours := uint32(rec.Last.Sub(rec.First)/time.Hour) + 1
	hour := hourOf(rec.Last)
	if hour != d.flowHour {
		d.flowHour, d.flowHourAsked = hour, 0
	}
	d.flowHourAsked += min(rec.Lookups, 1<<20) / hours
	d.flowStream.flow(rec)
	d.mostAsked = max(d.mostAsked, d.flowHourAsked)
}

// asked says how many questions the host asked, by whichever count saw most.
func (d *habits) asked() uint32 { return max(d.lookups, d.answersGot, d.dnsFlows) }

// asksAsResolver says that it asks servers to answer for themselves, as only resolvers do.
func (d *habits) asksAsResolver() bool {
	if d.noRecursion > 0 && 2*d.noRecursion >= d.lookups {
		return true
	}
	return d.iterative >= 2 && 2*d.iterative >= d.lookups && 2*d.opened <= d.lookups
}

// seeFlow notes a flow's end for the roles of both sides; server is nil where it is of no interest.
func (c *Classifier) seeFlow(obs *capture.Observation, client, server *host) {
	rec := obs.Flow
	dns := rec.Proto == capture.DNS || rec.Proto == capture.MDNS || rec.Proto == capture.LLMNR || rec.Proto == capture.NBNS
	if client != nil && obs.Transport == capture.TCP {
		client.did.seeTTL(rec.TTL)
	}
	switch {
	case dns:
		if client != nil && rec.Proto == capture.DNS && rec.Final {
			client.did.dnsFlows += uint32(min(rec.PacketsOut, 1<<20))
			c.askedInFlow(client, rec)
		}
		if server != nil && client != server && rec.Proto == capture.DNS && rec.Final && rec.PacketsIn > 0 {
			server.did.answeredFlows++
			server.did.askers.add(hashAddr(obs.Src.Addr()))
		}
		return
	case !rec.Final || rec.Outcome == capture.NoAnswer || rec.Outcome == capture.Refused:
		if client != nil && rec.Final {
			client.did.opened++
		}
		return
	}
	c.traffic.flows++
	if rec.Outcome == capture.Established {
		c.traffic.heard++
	}
	inside := c.home(obs.Dst.Addr())
	if client != nil {
		client.did.opened++
		if !inside {
			client.did.noteRelay(false, rec.First)
		}
	}
	if server != nil && client != server {
		server.did.accepted++
		server.did.clients.add(hashAddr(obs.Src.Addr()))
		if inside && client != nil {
			server.did.noteRelay(true, rec.First)
		}
	}
}
