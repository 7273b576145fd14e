package classify

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
	"time"

	"avbeacon/classify/beacon"
	"avbeacon/feeds"
)

// finding makes the snapshot of a track; nil where there is no verdict.
func (c *Classifier) finding(t *track) *Finding {
	h := t.host
	beacons := c.beacons(t)
	roles := c.roles(h)
	j := c.judge(t, roles)
	if j.verdict == NoVerdict {
		return nil
	}
	f := &Finding{
		ID: t.id, Vendor: t.vendor, Product: t.product, ProductVersion: t.version,
		Host: h.snapshot(), HostRoles: roles, Behind: behind(h, roles), OEM: t.oemOf(j.verdict),
		Verdict: j.verdict, State: c.state(t),
		FirstSeen: t.first.UTC(), LastSeen: t.last.UTC(), Contacts: t.contacts, Lookups: t.lookups,
		Destinations: c.destinations(t), Beacons: beacons, Dropped: t.dropped,
	}
	f.Evidence = c.evidence(t, j, f)
	if len(roles) > 0 {
		f.HostRole = roles[0]
	}
	f.Reasons = c.reasons(t, f, j)
	if why := refutedReason(f.Destinations); why != "" {
		f.Reasons = append(f.Reasons, why)
	}
	return f
}

func (h *host) snapshot() FindingHost {
	f := FindingHost{Address: h.addr, MAC: h.mac, HasMAC: h.hasMAC, Name: h.name,
		Addresses: h.addresses(), VLANs: slices.Clone(h.vlans)}
	return f
}

// oemOf tells of the other product, where its engine is all there is.
func (t *track) oemOf(v Verdict) *OEM {
	if t.oem == nil || v > Possible {
		return nil
	}
	return &OEM{Engine: t.vendor.Key, In: t.oem.OEM, Source: t.oem.Source}
}

func (c *Classifier) destinations(t *track) []Destination {
	out := make([]Destination, 0, len(t.dests))
	for _, d := range t.dests {
		x := *d
		x.Names = slices.Clone(d.Names)
		sort.Strings(x.Names)
		if asn, owner, ok := c.opt.Catalog.Network(d.Address); ok {
			x.ASN, x.Owner = asn, owner
		}
		if c.opt.Locate != nil {
			x.Place = c.opt.Locate(d.Address)
			if at := c.opt.SensorAt; at != nil && !d.Proxy {
				x.Place = x.Place.Refute(c.trips[d.Address], *at)
			}
		}
		if x.ASN == 0 {
			x.ASN, x.Owner = x.Place.ASN, cmp.Or(x.Owner, x.Place.Owner)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(b.Contacts, a.Contacts), a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
	})
	return out
}

func (c *Classifier) beacons(t *track) []Beacon {
	out := make([]Beacon, 0, len(t.beats))
	for i := range t.beats {
		b := &t.beats[i]
		r := t.host.rhythm(b)
		out = append(out, Beacon{Role: b.role, Score: r.Score, Scored: r.Scored, Period: r.Period, Sessions: r.Sessions,
			Words: beatWords(b, r)})
	}
	t.host.countPhases()
	slices.SortFunc(out, func(a, b Beacon) int { return cmp.Compare(a.Role, b.Role) })
	return out
}

func beatWords(b *beat, r beacon.Result) string {
	switch {
	case b.flows || r.Reason == beacon.Cache:
		return r.Words
	case r.Scored && b.ttl > 0: // and no cache made them
		return r.Words + "; from DNS queries only"
	}
	return r.Words + "; from DNS queries only, whose times a cache can shape"
}

func newEvidence(g *sign) *Evidence {
	e := &Evidence{Kind: g.kind, Value: g.value, Role: g.entry.Role, Strength: g.strength, Supports: g.bar == barNone,
		Weight: weight(g.kind, g.strength), Source: g.entry.Source, Date: g.entry.Date, Pattern: g.entry.Pattern,
		File: g.entry.File, Line: g.entry.Line, Note: g.entry.Note, Why: g.why}
	if g.bar != barNone {
		e.Weight = 0
	}
	if e.Why == "" {
		e.Why = because(g)
	}
	return e
}

func because(g *sign) string {
	switch g.bar {
	case barTool:
		return "sent by " + g.tool + ", a tool that a person or a script runs"
	case barBuiltin:
		return "built into the operating system: used whichever antivirus runs"
	case barOEM:
		return "engine inside " + g.entry.OEM
	case barOther:
		return "another host's DNS query gave the address this name"
	}
	return kindWhy[g.kind]
}

var kindWhy = [...]string{
	KindLookup:      "the host sent a DNS query for this name",
	KindSNI:         "the host opened TLS or QUIC with this server name",
	KindHTTPHost:    "the host sent an HTTP request to this name",
	KindConnect:     "the host asked a proxy to connect to this name",
	KindDerived:     "this host's last DNS query for this name returned the address that it connected to",
	KindOther:       "another host resolved this name to the address",
	KindCertificate: "the server's certificate has this name; the host sent no server name",
	KindIssuer:      "the server's certificate is issued by the vendor's own authority",
	KindPath:        "the product requests this path",
	KindQuery:       "the product sends these query fields",
	KindUserAgent:   "the product names itself",
	KindHeader:      "the product sends this header",
	KindBody:        "the server answered in the product's own format",
	KindPayload:     "the connection begins with the product's own protocol",
	KindPort:        "a port of the vendor's service, in its network or under its name",
	KindLANPort:     "a port of the vendor's own server inside the site",
	KindNetwork:     "the address is in the vendor's network; alone, that is weak evidence",
	KindAgainst:     "",
}

func (c *Classifier) evidence(t *track, j judgement, f *Finding) []Evidence {
	out := make([]Evidence, 0, len(t.evidence)+len(j.caps)+8)
	for _, e := range t.evidence {
		x := *e
		x.Frames = slices.Clone(e.Frames)
		x.First, x.Last = e.First.UTC(), e.Last.UTC()
		out = append(out, x)
	}
	sum := t.facts()
	out = append(out, c.behaviour(t, &sum, f)...)
	slices.SortStableFunc(out, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value),
			cmp.Compare(a.Role, b.Role))
	})
	for _, why := range j.caps {
		out = append(out, Evidence{Kind: KindAgainst, Value: why, Count: 1, First: t.first.UTC(), Last: t.last.UTC(), Why: why})
	}
	return out
}

// state says how the contact goes at the end of what was seen.
func (c *Classifier) state(t *track) State {
	switch {
	case c.quiet(t, c.lastTouch(t)):
		return Quiet
	case c.blocked(t):
		return Blocked
	case !t.returned.IsZero() && c.now.Sub(t.returned) <= 7*24*time.Hour:
		return Returned
	}
	return Active
}

// lastTouch is when the host last called the vendor or tried to: a name that is refused is an attempt too. Where look-ups
// are all that was seen they stand for contact.
func (c *Classifier) lastTouch(t *track) time.Time {
	if t.lastContact.IsZero() {
		return t.last
	}
	hour, any := t.asks.lastFailure(c.heard(t.host))
	if !any {
		return t.lastContact
	}
	refused := time.Unix((hour+1)*3600, 0)
	if refused.After(t.last) {
		refused = t.last
	}
	return later(t.lastContact, refused)
}

// otherwiseSeen is in how many hours a host must have been seen for its silence towards a vendor to mean anything.
const otherwiseSeen = 3

func (c *Classifier) quiet(t *track, since time.Time) bool {
	gone := t.host.seen().Sub(since)
	if gone < 24*time.Hour || t.host.active.Between(since.Unix(), t.host.seen().Unix()) < otherwiseSeen {
		return false
	}
	period := time.Duration(0)
	for i := range t.beats {
		if p := t.host.rhythm(&t.beats[i]).Period; p > 0 && (period == 0 || p < period) {
			period = p
		}
	}
	return gone >= 6*period
}

// cameBack notes a contact after a quiet time of 48 h or more.
func (t *track) cameBack(at time.Time) { t.backSince(t.lastContact, at) }

// askedAgain notes the same of a look-up, where look-ups are all that is seen.
func (t *track) askedAgain(at time.Time) {
	if t.contacts == 0 {
		t.backSince(t.last, at)
	}
}

func (t *track) backSince(before, at time.Time) {
	if !before.IsZero() && at.Sub(before) >= 48*time.Hour && t.host.active.Between(before.Unix(), at.Unix()) >= otherwiseSeen {
		t.returned = at
	}
}

// Of gives the finding of a host and vendor as it stands; nil where there is none.
func (c *Classifier) Of(a netip.Addr, v *feeds.Vendor) *Finding {
	h := c.hosts.find(a)
	if h == nil {
		return nil
	}
	if t := h.track(v); t != nil {
		return c.finding(t)
	}
	return nil
}
