package feeds

import (
	"net/netip"
	"slices"
	"strings"
)

// Peer is whom a host talks to, as far as it is known: for signs that count only towards certain peers.
type Peer struct {
	Name string     // lower case, no trailing dot; "" where unknown or a bare address
	Addr netip.Addr // the zero Addr where unknown
}

// Applies reports whether what an entry needs is true of a peer. An entry that needs nothing always applies.
func (c *Catalog) Applies(e *Entry, p Peer) bool {
	byHost := slices.ContainsFunc(e.Hosts, func(h string) bool { return under(p.Name, h) })
	switch e.Need {
	case NeedNothing:
		return true
	case NeedHost:
		return byHost
	case NeedNetwork:
		return c.InNetwork(p.Addr, e.Vendor)
	}
	ofVendor := func(o *Entry) bool { return o.Vendor == e.Vendor }
	return byHost || c.InNetwork(p.Addr, e.Vendor) || slices.ContainsFunc(c.MatchName(p.Name), ofVendor)
}

// under reports whether a name is host or a subdomain of it.
func under(name, host string) bool {
	rest, ok := strings.CutSuffix(name, host)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// applying drops the entries whose need is not met.
func (c *Catalog) applying(list []*Entry, p Peer) []*Entry {
	return slices.DeleteFunc(slices.Clone(list), func(e *Entry) bool { return !c.Applies(e, p) })
}

// matching returns the entries of one kind whose expression matches s.
func (c *Catalog) matching(kind Signal, s string) []*Entry {
	var out []*Entry
	for _, e := range c.signs[kind] {
		if s != "" && e.may(s) && e.re.regexp().MatchString(s) {
			out = append(out, e)
		}
	}
	return out
}

func (c *Catalog) matchingBytes(kind Signal, b []byte) []*Entry {
	var out []*Entry
	for _, e := range c.signs[kind] {
		if e.matchesBytes(b) {
			out = append(out, e)
		}
	}
	return out
}

// matchesBytes reports whether a sign's expression matches b.
func (e *Entry) matchesBytes(b []byte) bool {
	return len(b) > 0 && e.mayBytes(b) && e.re.regexp().Match(b)
}

// MatchPathTo returns the entries that match an HTTP target's path (from its first "/", without the query) and need no certain
// peer, and those whose need this peer meets.
func (c *Catalog) MatchPathTo(path string, p Peer) []*Entry {
	return c.applying(c.matching(SignalPath, path), p)
}

// MatchQuery returns the entries that match an HTTP target's query (without its "?").
func (c *Catalog) MatchQuery(query string) []*Entry {
	return c.applying(c.matching(SignalQuery, query), Peer{})
}

// MatchUserAgent returns the entries that match a User-Agent and need no certain peer.
func (c *Catalog) MatchUserAgent(ua string) []*Entry { return c.MatchUserAgentTo(ua, Peer{}) }

// MatchUserAgentTo returns the entries that match a User-Agent sent to a certain peer: those of MatchUserAgent, and those
// whose need the peer meets.
func (c *Catalog) MatchUserAgentTo(ua string, p Peer) []*Entry {
	return c.applying(c.matching(SignalUserAgent, ua), p)
}

// MatchHeader returns the entries for a request header's name, in whatever case.
func (c *Catalog) MatchHeader(name string) []*Entry {
	return c.applying(c.headers[strings.ToLower(name)], Peer{})
}

// MatchBody returns the entries that match the first bytes of an HTTP response's body.
func (c *Catalog) MatchBody(b []byte) []*Entry {
	return c.applying(c.matchingBytes(SignalBody, b), Peer{})
}

// MatchPayload returns the entries that match the first bytes of a flow that speaks no known protocol.
func (c *Catalog) MatchPayload(b []byte) []*Entry {
	return c.applying(c.matchingBytes(SignalPayload, b), Peer{})
}

// MatchIssuer returns the entries that match the common name of a certificate's issuer.
func (c *Catalog) MatchIssuer(cn string) []*Entry {
	return c.applying(c.matching(SignalIssuer, cn), Peer{})
}

// MatchPortTo returns the entries for a server's port inside the site (lan) or on the Internet that need no certain peer, and
// those whose need this peer meets.
func (c *Catalog) MatchPortTo(udp bool, port uint16, lan bool, p Peer) []*Entry {
	kind := SignalPort
	if lan {
		kind = SignalLANPort
	}
	var out []*Entry
	for _, e := range c.ports {
		proto := e.UDP && udp || e.TCP && !udp
		if e.Signal == kind && proto && e.FirstPort <= port && port <= e.LastPort && c.Applies(e, p) {
			out = append(out, e)
		}
	}
	return out
}

// Flow reports whether a flow may matter by its server's port, or by the first bytes of either side. It does not allocate.
func (c *Catalog) Flow(udp bool, port uint16, out, in []byte) bool {
	set := &c.tcpPorts
	if udp {
		set = &c.udpPorts
	}
	if set[port/64]&(1<<(port%64)) != 0 {
		return true
	}
	for _, e := range c.signs[SignalPayload] {
		if e.matchesBytes(out) || e.matchesBytes(in) {
			return true
		}
	}
	return false
}

// portSet has a bit for each port.
type portSet [1 << 10]uint64

func (s *portSet) add(e *Entry) {
	for p := uint32(e.FirstPort); p <= uint32(e.LastPort); p++ {
		s[p/64] |= 1 << (p % 64)
	}
}

// HeaderNames returns the request headers, as the catalogue writes them, that observers must keep for MatchHeader.
func (c *Catalog) HeaderNames() []string {
	var out []string
	for _, list := range c.headers {
		out = append(out, list[0].Pattern)
	}
	slices.Sort(out)
	return out
}
