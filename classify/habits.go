package classify

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// habits is how a host behaves, independent of vendors. Its role is derived from it.
type habits struct {
	// What a client's flows touch comes first: see host.
	opened        uint32 // flows other than DNS
	mostAsked     uint32 // queries in one hour
	dnsFlows      uint32 // packets to DNS servers in DNS flows
	flowHourAsked uint32 // queries in DNS flows that ended in flowHour
	flowHour      int64
	relay         *relay
	ttls          [6]ttlCount
	flowStream    stream // of DNS flows

	accepted uint32 // flows other than DNS
	stream   stream // of queries seen one by one

	lookups     uint32 // DNS queries seen, of interest or not
	answersGot  uint32
	noRecursion uint32 // of lookups
	iterative   uint32 // DNS queries of interest that an authoritative server answered
	hour        int64  // of hourAsked
	hourAsked   uint32

	answeredFlows uint32 // DNS flows in which it answered
	answersGiven  uint32
	askers        smallSet // who queried it

	proxied  uint32 // CONNECT and absolute-form requests received
	via      uint32 // requests sent with Via or X-Forwarded-For
	clients  smallSet
	systems  systems
	editions editions

	installations uint8         // of one product, alternating
	versions      uint8         // of one program, alternating
	phases        uint8         // machines, by the phases of one beat
	console       *feeds.Vendor // of consoles
	agents        smallSet
	consoles      smallSet // vendor LAN ports on which it accepted connections
	managed       smallSet // clients of those
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

// editionOf reads the edition of Windows from a User-Agent ("Windows NT 6.1"); 0 if it names none.
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

// systemOf reads the operating system from a User-Agent; 0 if it names none.
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

// asked counts a DNS query of the host.
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

// askedInFlow counts the queries of a DNS flow. Only those of interest arrive here one by one.
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

// asked returns how many DNS queries the host sent, by whichever count saw most.
func (d *habits) asked() uint32 { return max(d.lookups, d.answersGot, d.dnsFlows) }

// asksAsResolver reports whether it queries authoritative servers, as only resolvers do.
func (d *habits) asksAsResolver() bool {
	if d.noRecursion > 0 && 2*d.noRecursion >= d.lookups {
		return true
	}
	return d.iterative >= 2 && 2*d.iterative >= d.lookups && 2*d.opened <= d.lookups
}

// seeFlow notes a flow's end for the roles of both sides; server is nil if it is of no interest.
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

// stream detects queries at an even pace, many each second: those of a load generator or a busy forwarder. A person's programs send
// as many in one second, but in bursts, and each from its own port.
type stream struct {
	even   bool   // such a stream was seen
	second int64  // since 1970, of asked
	asked  uint32 // in that second
	most   uint32 // in one second of the run
	sum    uint32 // in the run, asked left out
	run    uint32 // seconds in a row before this one with streamPace queries or more
}

// What makes a stream.
const (
	streamPace = 10 // queries a second
	streamRun  = 8  // seconds in a row
	streamEven = 2  // the fullest second of a run, at most, as a multiple of the mean
	streamPort = 50 // queries from one port at such a pace
)

// ask notes a query at a second since 1970. Late ones are ignored.
func (s *stream) ask(at int64) {
	switch {
	case at == s.second:
		s.asked++
		return
	case at < s.second:
		return
	case s.asked < streamPace:
		s.run, s.sum, s.most = 0, 0, 0
	default:
		s.run, s.sum, s.most = s.run+1, s.sum+min(s.asked, 1<<20), max(s.most, s.asked)
		s.even = s.even || s.run >= streamRun && uint64(s.most)*uint64(s.run) <= streamEven*uint64(s.sum)
	}
	if at != s.second+1 {
		s.run, s.sum, s.most = 0, 0, 0
	}
	s.second, s.asked = at, 1
}

// flow takes a DNS flow. Ordinary clients send one query or a few from each port, never many.
func (s *stream) flow(rec *capture.FlowRecord) {
	if rec.Lookups > 0 {
		s.ask(rec.First.Unix())
	}
	seconds := uint32(min(max(rec.Last.Sub(rec.First)/time.Second, 0), 1<<20)) + 1
	s.even = s.even || rec.Lookups >= streamPort && rec.Lookups >= streamPace*seconds
}

// relay pairs connections that a host accepts from inside the site with those that it opens to the outside. A proxy that does not
// announce itself opens one upstream connection for each client's, at once.
type relay struct {
	in, out     starts
	taken, made uint32 // connections from inside, connections to the outside
	paired      uint32
}

// starts holds when the newest unpaired connections began, nanoseconds since 1970; 0 is an empty slot.
type starts struct {
	at   [16]int64
	next uint8
}

func (s *starts) put(at int64) {
	s.at[s.next] = at
	s.next = (s.next + 1) % uint8(len(s.at))
}

// take removes the start nearest to at, between from and to; false if there is none.
func (s *starts) take(from, to, at int64) bool {
	best := -1
	for i, x := range s.at {
		if x != 0 && x >= from && x <= to && (best < 0 || abs(x-at) < abs(s.at[best]-at)) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	s.at[best] = 0
	return true
}

// What makes a proxy by its connections alone: how soon the upstream one follows the client's, and how many pairs there are. An
// upstream connection may seem to begin a little earlier, because the clocks of two taps differ.
const (
	relayDelay = int64(time.Second)
	relayEarly = int64(20 * time.Millisecond)
	leastPairs = 8
)

func (r *relay) takes(at int64) {
	r.taken++
	if r.out.take(at-relayEarly, at+relayDelay, at) {
		r.paired++
		return
	}
	r.in.put(at)
}

func (r *relay) opens(at int64) {
	r.made++
	if r.in.take(at-relayDelay, at+relayEarly, at) {
		r.paired++
		return
	}
	r.out.put(at)
}

// proxies reports whether most of what comes in goes out again, and little else does. A nil relay is a host without connections in
// both directions.
func (r *relay) proxies() bool {
	return r != nil && r.paired >= leastPairs && 4*r.paired >= 3*r.taken && 2*r.paired >= r.made
}

// noteRelay notes a connection that the host accepted from inside the site (takes), or opened to the outside.
func (d *habits) noteRelay(takes bool, at time.Time) {
	if d.relay == nil {
		if d.accepted == 0 || d.opened == 0 {
			return
		}
		d.relay = &relay{}
	}
	if takes {
		d.relay.takes(at.UnixNano())
		return
	}
	d.relay.opens(at.UnixNano())
}
