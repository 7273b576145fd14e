package classify

import (
	"net/netip"
	"strings"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// signOf begins a sign of an Observation.
func signOf(obs *capture.Observation, e *feeds.Entry, k Kind, value string) sign {
	return sign{entry: e, kind: k, value: value, strength: e.Strength, time: obs.Time, frame: frameOf(obs)}
}

// show adds a sign on a connection and counts the connection as a contact with its vendor.
func (c *Classifier) show(g sign, f *flow, k flowKey, name string) {
	t := c.trackOf(f.host, g.entry.Vendor)
	g.flow = f
	if !f.has(t) {
		f.tracks = append(f.tracks, t)
		c.reached(t, f, k, &g)
	}
	c.add(t, g)
	if name != "" {
		t.dest(k.server).named(c.masker.name(g.entry, name))
	}
}

// reached counts a contact.
func (c *Classifier) reached(t *track, f *flow, k flowKey, g *sign) {
	t.contacts++
	if f.tool == "" && g.entry.Strength >= feeds.Medium {
		t.ownContacts++
	}
	t.cameBack(f.start)
	t.lastContact = later(t.lastContact, f.start)
	d := c.destination(t, k.server)
	d.Contacts++
	d.Proxy = d.Proxy || f.proxy
}

// names shows the entries that match a name on a connection.
func (c *Classifier) names(obs *capture.Observation, h *host, name string, kind Kind, weaken feeds.Strength) (any bool) {
	for _, e := range c.opt.Catalog.MatchName(name) {
		if e.Vendor == nil || searchList(e, name) == surelyAppended {
			h.markedName(e, obs)
			continue
		}
		any = true
		k := keyOf(obs)
		f := c.flows.get(k, h, obs.Time)
		f.named = f.named || kind == KindSNI
		f.proxy = f.proxy || kind == KindConnect
		g := signOf(obs, e, kind, c.masker.name(e, name))
		g.strength = min(g.strength, weaken)
		c.show(g, f, k, name)
	}
	return any
}

// hello takes a ClientHello.
func (c *Classifier) hello(obs *capture.Observation) {
	h := c.subject(obs)
	if h == nil {
		c.stats.InboundIgnored++
		return
	}
	if obs.Name != "" {
		if !c.names(obs, h, obs.Name, KindSNI, feeds.Strong) {
			if f := c.flows.find(keyOf(obs)); f != nil {
				f.named = true
			}
		}
	}
}

// certificate takes a server's certificate. Alternative names prove nothing; the leaf's common name counts if no
// server name was seen, and then as medium at most. A private issuer always counts.
func (c *Classifier) certificate(obs *capture.Observation) {
	h := c.subject(obs)
	if h == nil || obs.Cert == nil {
		return
	}
	k := keyOf(obs)
	for _, e := range c.opt.Catalog.MatchIssuer(obs.Cert.IssuerCN) {
		if e.Vendor != nil {
			c.show(signOf(obs, e, KindIssuer, obs.Cert.IssuerCN), c.flows.get(k, h, obs.Time), k, "")
		}
	}
	f := c.flows.find(k)
	if obs.Cert.Index != 0 || f != nil && f.named || !feedsName(obs.Cert.SubjectCN) {
		return
	}
	c.names(obs, h, strings.TrimPrefix(strings.ToLower(obs.Cert.SubjectCN), "*."), KindCertificate, feeds.Medium)
}

// feedsName reports whether a common name can be a host's.
func feedsName(cn string) bool {
	return strings.Contains(cn, ".") && !strings.ContainsAny(cn, " /@") && len(cn) <= 255
}

// request takes an HTTP request.
func (c *Classifier) request(obs *capture.Observation) {
	if obs.Proto != capture.HTTP || obs.Req == nil {
		return
	}
	_, server := sides(obs)
	toProxy := obs.Marks&capture.ConnectProxy != 0 || strings.HasPrefix(obs.Req.URI, "http://")
	s := c.called(server.Addr(), obs)
	if s != nil && toProxy {
		s.did.proxied++
		s.did.clients.add(hashAddr(obs.Host.Addr))
	}
	h := c.subject(obs)
	if h == nil {
		c.stats.InboundIgnored++
		return
	}
	if obs.Marks&capture.ViaProxy != 0 {
		h.did.via++
	}
	a := c.agents.of(obs.Req.UserAgent)
	if a != nil {
		h.did.systems |= a.system
		h.did.editions |= a.edition
		h.did.agents.add(a.hash)
	}
	c.requestSigns(obs, h, a, toProxy)
}

// found is one sign of a request before it is shown.
type found struct {
	entry    *feeds.Entry
	kind     Kind
	value    string
	strength feeds.Strength
	raw      string // may contain the id of an installation; never kept
}

// requestSigns returns the signs of a request's name, path, query, User-Agent and headers.
func (c *Classifier) requestSigns(obs *capture.Observation, h *host, a *agent, toProxy bool) {
	list := c.findInRequest(obs, h, a)
	k := keyOf(obs)
	f := c.flows.find(k)
	if len(list) == 0 && f == nil {
		return
	}
	if f == nil {
		f = c.flows.get(k, h, obs.Time)
	}
	f.proxy = f.proxy || toProxy
	if a != nil {
		f.browser = f.browser || a.browser
		if a.tool != "" {
			f.tool = a.tool
		}
	}
	name := ""
	if obs.Marks&capture.BareAddress == 0 {
		name = obs.Name
	}
	for i := range list {
		g := signOf(obs, list[i].entry, list[i].kind, list[i].value)
		g.strength = list[i].strength
		c.show(g, f, k, nameFor(&list[i], name))
		t := c.trackOf(f.host, g.entry.Vendor)
		t.installation(g.entry, list[i].raw)
		c.version(t, obs, &g)
	}
}

// nameFor returns the name to be kept with the destination: only one that the entry itself matched may be shown,
// because its masking rule is known.
func nameFor(f *found, name string) string {
	if f.kind == KindHTTPHost || f.kind == KindConnect {
		return name
	}
	return ""
}

func (c *Classifier) findInRequest(obs *capture.Observation, h *host, a *agent) (list []found) {
	req, cat := obs.Req, c.opt.Catalog
	add := func(e *feeds.Entry, k Kind, value string, s feeds.Strength) {
		list = append(list, found{entry: e, kind: k, value: value, strength: s})
	}
	_, server := sides(obs)
	peer := feeds.Peer{Addr: server.Addr()}
	if obs.Marks&capture.BareAddress == 0 {
		peer.Name = obs.Name
	}
	kind := KindHTTPHost
	if obs.Marks&capture.ConnectProxy != 0 {
		kind = KindConnect
	}
	named := cat.MatchName(peer.Name)
	for _, e := range named {
		h.markedName(e, obs)
		if e.Vendor != nil && searchList(e, peer.Name) != surelyAppended {
			add(e, kind, c.masker.name(e, peer.Name), e.Strength)
		}
	}
	if a != nil {
		for _, e := range a.entries {
			add(e, KindUserAgent, c.masker.text(e, req.UserAgent), e.Strength)
			list[len(list)-1].raw = req.UserAgent
		}
	}
	for _, hd := range req.Headers {
		for _, e := range cat.MatchHeader(hd.Name) {
			if e.Vendor != nil {
				add(e, KindHeader, hd.Name, e.Strength)
				list[len(list)-1].raw = hd.Value
			}
		}
	}
	if kind == KindConnect {
		return list
	}
	path, query, _ := strings.Cut(pathOf(req.URI), "?")
	for _, e := range cat.MatchPathTo(path, peer) {
		if e.Vendor != nil {
			add(e, KindPath, c.masker.text(e, path), c.pathStrength(e, peer, named, a))
		}
	}
	for _, e := range cat.MatchQuery(query) {
		if e.Vendor != nil {
			add(e, KindQuery, c.masker.query(e, query), queryStrength(e, peer, named))
			list[len(list)-1].raw = query
		}
	}
	return list
}

// pathOf returns a request target from its path on.
func pathOf(uri string) string {
	rest, absolute := strings.CutPrefix(uri, "http://")
	if !absolute {
		return uri
	}
	if at := strings.IndexByte(rest, '/'); at >= 0 {
		return rest[at:]
	}
	return "/"
}

// pathStrength returns how much a path proves: in full towards the vendor's own names, networks and bare addresses; at most
// medium towards other names (a mirror, or another site with such a path) and from a person's browser.
func (c *Classifier) pathStrength(e *feeds.Entry, p feeds.Peer, named []*feeds.Entry, a *agent) feeds.Strength {
	if a != nil && a.browser {
		return min(e.Strength, feeds.Medium)
	}
	if p.Name == "" || ofVendor(named, e.Vendor) || c.opt.Catalog.InNetwork(p.Addr, e.Vendor) {
		return e.Strength
	}
	return min(e.Strength, feeds.Medium)
}

// queryStrength returns how much a query proves: in full only towards the vendor's own names.
func queryStrength(e *feeds.Entry, p feeds.Peer, named []*feeds.Entry) feeds.Strength {
	if p.Name == "" || ofVendor(named, e.Vendor) {
		return e.Strength
	}
	return min(e.Strength, feeds.Weak)
}

func ofVendor(es []*feeds.Entry, v *feeds.Vendor) bool {
	for _, e := range es {
		if e.Vendor == v || e.Vendor != nil && v.Group != "" && e.Vendor.Group == v.Group {
			return true
		}
	}
	return false
}

// response takes the first bytes of an HTTP response's body.
func (c *Classifier) response(obs *capture.Observation) {
	if obs.Resp == nil || len(obs.Resp.Body) == 0 {
		return
	}
	es := c.opt.Catalog.MatchBody(obs.Resp.Body)
	if len(es) == 0 {
		return
	}
	h := c.subject(obs)
	if h == nil {
		return
	}
	k := keyOf(obs)
	for _, e := range es {
		if e.Vendor != nil {
			c.show(signOf(obs, e, KindBody, printable(obs.Resp.Body, 4)), c.flows.get(k, h, obs.Time), k, "")
		}
	}
}

// printable returns the first n bytes of a magic as text.
func printable(b []byte, n int) string {
	const hex = "0123456789abcdef"
	var out []byte
	for _, x := range b[:min(n, len(b))] {
		if x >= 33 && x < 127 {
			out = append(out, x)
			continue
		}
		out = append(out, '\\', 'x', hex[x>>4], hex[x&15])
	}
	return string(out)
}

// identity notes who is behind an address.
func (c *Classifier) identity(obs *capture.Observation) {
	a := obs.Host.Addr
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || !c.home(a) {
		return
	}
	c.hosts.get(a, obs).see(obs, a)
}

// destination returns the record of an address and port that the host connected to for the vendor.
func (c *Classifier) destination(t *track, at netip.AddrPort) *Destination {
	if d := t.dest(at); d != &t.noDest {
		return d
	}
	if len(t.dests) >= c.opt.MaxDestinations {
		t.dropped++
		c.stats.DestDropped++
		return &t.noDest
	}
	d := &Destination{Address: at.Addr(), Port: at.Port()}
	t.dests = append(t.dests, d)
	return d
}

// dest returns the record of a destination; a throw-away one if there is none.
func (t *track) dest(at netip.AddrPort) *Destination {
	for _, d := range t.dests {
		if d.Address == at.Addr() && d.Port == at.Port() {
			return d
		}
	}
	return &t.noDest
}

// maxNames is how many names a destination keeps.
const maxNames = 32

// named adds a name.
func (d *Destination) named(name string) {
	for _, n := range d.Names {
		if n == name {
			return
		}
	}
	if len(d.Names) < maxNames {
		d.Names = append(d.Names, name)
	}
}
