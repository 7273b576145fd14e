package classify

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/feeds"

	"golang.org/x/net/publicsuffix"
)

// lookup takes a DNS query. The query waits for its answer before it is judged.
func (c *Classifier) lookup(obs *capture.Observation) {
	if obs.Proto != capture.DNS {
		return
	}
	h := c.subject(obs)
	if h == nil {
		return
	}
	h.did.lookups++
	c.asked(&h.did, obs.Time)
	c.traffic.asks(h.addr)
	through := netip.Addr{}
	if obs.Marks&capture.ForClient != 0 && (h.machine == obs.Host.Machine && h.machine != 0 || h.addr == obs.Host.Addr) {
		through = obs.Src.Addr()
		c.forwards(obs)
	}
	rd0 := obs.Marks&capture.NoRecursion != 0
	if rd0 {
		h.did.noRecursion++
	}
	es := c.asks(obs, h)
	if es == nil {
		return
	}
	client, server := sides(obs)
	l := &lookup{key: lookupKey{client: client, server: server, id: obs.DNS.ID, name: obs.Name}, host: h, name: obs.Name,
		kind: kindOfQuestion(obs), entries: es, time: obs.Time, frame: frameOf(obs), noRecursion: rd0, server: server.Addr(), through: through}
	c.noteFallback(l, l.server)
	c.await(l)
}

// await keeps a DNS query until its answer comes, or comes again.
func (c *Classifier) await(l *lookup) {
	if out := c.pending.add(l); out != nil {
		c.stats.PendingEvicted++
		c.judgeLookup(out, unanswered)
	}
}

func frameOf(obs *capture.Observation) FrameRef {
	return FrameRef{Input: obs.Input, Frame: obs.Frame}
}

// asks returns the vendors' entries that match the name, if a client's product would send such a query. If not, the host gets a
// remark.
func (c *Classifier) asks(obs *capture.Observation, h *host) []*feeds.Entry {
	if obs.Name == "" || obs.DNS == nil || len(obs.DNS.Questions) == 0 {
		return nil
	}
	var mine []*feeds.Entry
	for _, e := range c.opt.Catalog.MatchName(obs.Name) {
		switch {
		case e.Vendor == nil:
			h.markedName(e, obs)
		case asksFor(e, obs):
			mine = append(mine, e)
		default:
			h.notAsked(e, obs)
		}
	}
	return mine
}

// asksFor reports whether a query may be a product's.
func asksFor(e *feeds.Entry, obs *capture.Observation) bool {
	return clientType(e, obs.DNS.Questions[0].QType) && !serverName(e, obs.Name) && searchList(e, obs.Name) != surelyAppended
}

// clientType reports whether products query for this type. Resolvers and mail servers query for DS, MX, NS, PTR and TXT; TXT counts if
// the catalogue says that the product uses it.
func clientType(e *feeds.Entry, qtype string) bool {
	switch qtype {
	case "A", "AAAA", "HTTPS", "SVCB", "CNAME", "ANY":
		return true
	case "TXT":
		return e.TXT
	}
	return false
}

// serverName reports whether the name is a name server's own (dns2.example.com) under a vendor's catch-all entry.
func serverName(e *feeds.Entry, name string) bool {
	if e.Match != feeds.Suffix || e.Strength == feeds.Strong {
		return false
	}
	label, _, _ := strings.Cut(name, ".")
	for _, p := range []string{"dns", "ns"} {
		if rest, ok := strings.CutPrefix(label, p); ok && (rest == "" || rest[0] == '-' || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return false
}

// appended grades whether a name is somebody else's with a vendor's domain appended, as a resolver's search list makes it:
// www.google.com.example.ru.
type appended uint8

const (
	notAppended   appended = iota
	mayBeAppended          // what precedes the vendor's domain could be a registered name or a product's own labels
	surelyAppended
)

// searchList grades a name that matches entry e. The labels before the vendor's domain end in a public suffix if they are a
// site's name. Products use labels that are suffixes too (ru, eu, app, info), so one such label proves little: it takes
// "www." in front, a suffix of several labels (co.uk, github.io), or one of the first generic TLDs. Otherwise the answer
// decides: a name that a search list made does not exist.
func searchList(e *feeds.Entry, name string) appended {
	if e.Match != feeds.Suffix || e.Strength == feeds.Strong {
		return notAppended
	}
	front, ok := strings.CutSuffix(name, "."+e.Pattern)
	if !ok {
		return notAppended
	}
	at := strings.LastIndexByte(front, '.')
	if at < 0 {
		if front == "wpad" || front == "isatap" {
			return surelyAppended
		}
		return notAppended
	}
	top := front[at+1:]
	switch top {
	case "local", "lan", "localdomain": // in no public registry (RFC 6762 3 and appendix G)
		return surelyAppended
	}
	if _, known := publicsuffix.PublicSuffix(top); !known {
		return notAppended
	}
	suffix, icann := publicsuffix.PublicSuffix(front)
	switch {
	case category(top):
		return surelyAppended
	case front == suffix && icann: // co.uk alone is nobody's name; github.io is
		return notAppended
	case strings.Contains(suffix, ".") && !wildcard(top):
		return surelyAppended
	case strings.HasPrefix(strings.TrimSuffix(front, suffix), "www.") && !strings.HasPrefix(front, "www."+suffix):
		return surelyAppended
	case e.Strength == feeds.Weak: // search lists append a company's own domain, not that of a service
		return mayBeAppended
	}
	return notAppended
}

// category reports whether a TLD is one of the first generic ones (RFC 920: com, edu, gov, mil, org, and net), which no product has as a
// label. The public suffix list does not say which TLDs are generic. But countries repeat these as second-level domains, and under cn
// these alone are suffixes of more than two letters.
func category(top string) bool {
	suffix, _ := publicsuffix.PublicSuffix(top + ".cn")
	return len(top) > 2 && suffix != "cn"
}

// wildcard reports whether any label under a TLD is a public suffix (*.bd): then two labels prove no more than one.
func wildcard(top string) bool {
	suffix, _ := publicsuffix.PublicSuffix("0." + top)
	return suffix != top
}

// answer takes a DNS answer. It shows what kind of server the client queried, and who answers DNS.
func (c *Classifier) answer(obs *capture.Observation) {
	if obs.Proto != capture.DNS {
		return
	}
	c.traffic.heard++
	client, server := sides(obs)
	if s := c.called(server.Addr(), obs); s != nil && client.Addr() != server.Addr() {
		s.newest = max(s.newest, obs.Time.UnixNano())
		s.did.answersGiven++
		s.did.askers.add(hashAddr(client.Addr()))
	}
	h := c.subject(obs)
	if h == nil {
		return
	}
	h.did.answersGot++
	if h.did.answersGot > h.did.lookups {
		c.asked(&h.did, obs.Time)
	}
	if obs.DNS == nil || obs.Name == "" {
		return
	}
	k := lookupKey{client: client, server: server, id: obs.DNS.ID, name: obs.Name}
	l, again := c.pending.take(k)
	if again {
		return
	}
	if l == nil { // its query was not seen
		es := c.asks(obs, h)
		if es == nil {
			return
		}
		l = &lookup{key: k, gone: true, host: h, name: obs.Name, kind: kindOfQuestion(obs), entries: es, time: obs.Time, frame: frameOf(obs),
			noRecursion: !obs.DNS.RD, server: server.Addr()}
		c.noteFallback(l, l.server)
		c.await(l)
	}
	if obs.DNS.RCode == "NXDOMAIN" {
		l.entries = slices.DeleteFunc(l.entries, func(e *feeds.Entry) bool {
			made := searchList(e, obs.Name) == mayBeAppended
			if made {
				h.notAsked(e, obs)
			}
			return made
		})
	}
	l.ttl = lifetime(obs.DNS.Answers)
	c.judgeLookup(l, replyOf(obs))
}

// lifetime is how long a client may keep an answer, seconds: the shortest TTL of its records.
func lifetime(answers []wire.DNSRecord) uint32 {
	if len(answers) == 0 {
		return 0
	}
	ttl := answers[0].TTL
	for _, a := range answers[1:] {
		ttl = min(ttl, a.TTL)
	}
	return ttl
}

func replyOf(obs *capture.Observation) reply {
	d := obs.DNS
	switch {
	case !d.RA && (d.AA || d.Referral):
		return authoritative
	case d.RCode == "NXDOMAIN" || d.RCode == "REFUSED":
		return refused
	case leadsNowhere(obs.Addrs):
		return refused
	case d.RCode == "SERVFAIL":
		return failed
	case len(obs.Addrs) > 0:
		return resolved
	}
	return answered
}

// leadsNowhere reports whether all addresses are of the kind that DNS blockers answer with.
func leadsNowhere(as []netip.Addr) bool {
	for _, a := range as {
		if !a.IsUnspecified() && !a.IsLoopback() {
			return false
		}
	}
	return len(as) > 0
}

// judgeLookup makes signs of a DNS query, now that its answer is known.
func (c *Classifier) judgeLookup(l *lookup, r reply) {
	c.hosts.touched.add(l.host)
	if r == authoritative {
		l.host.did.iterative++
	}
	for i, e := range l.entries {
		t := c.trackOf(l.host, e.Vendor)
		s := sign{entry: e, kind: KindLookup, value: c.masker.name(e, l.name), strength: e.Strength, time: l.time, frame: l.frame, ttl: l.ttl,
			asked: question{id: l.key.id, kind: l.kind}}
		switch {
		case l.noRecursion:
			s.bar, s.why = barResolver, "queried without recursion, as resolvers do"
		case r == authoritative:
			s.bar, s.why = barResolver, "sent to an authoritative server, as resolvers do"
		}
		if s.why == "" && l.through.IsValid() {
			s.why = "sent through the forwarder " + l.through.String() + ", which named this host as its client"
		}
		if !ofVendor(l.entries[:i], e.Vendor) {
			c.oneLookup(t, l, r)
		}
		if s.bar == barNone {
			c.noteList(l.host, t, l)
		}
		c.add(t, s)
	}
}

// oneLookup counts a DNS query for a vendor, however many entries its name matches.
func (c *Classifier) oneLookup(t *track, l *lookup, r reply) {
	for _, e := range l.entries {
		if e.Vendor == t.vendor && e.Strength >= feeds.Medium {
			c.attempt(t, &t.asks, l.time, r.end())
			break
		}
	}
	t.noteFailure(l, r)
	t.askedAgain(l.time)
	t.lookups++
}

// end returns whether a DNS query worked or failed.
func (r reply) end() ending {
	switch r {
	case resolved:
		return worked
	case refused, failed:
		return missed
	case unanswered:
		return silent
	}
	return unknownEnd
}

// A list of names being checked: ten vendors or more from one host within an hour, without a connection.
const (
	listVendors = 10
	listHour    = int64(3600)
)

// noteList marks the vendors whose names the host queried within the hour, if they are many.
func (c *Classifier) noteList(h *host, t *track, l *lookup) {
	at := l.time.Unix()
	t.asked = at
	near := func(x *track) bool {
		return x.asked != 0 && x.contacts == 0 && at-x.asked <= listHour && x.asked-at <= listHour
	}
	n := 0
	for _, x := range h.tracks {
		if near(x) {
			n++
		}
	}
	if n < listVendors {
		return
	}
	for _, x := range h.tracks {
		if near(x) {
			x.listed, x.stirred = max(x.listed, n), true
			c.queue(x)
		}
	}
}

// answerWait is how long a DNS query waits for its answer: as long as resolvers wait before they give up (RFC 1035 7.2 and the
// usual 5 s of stub resolvers).
const answerWait = 5 * time.Second

type lookupKey struct {
	client, server netip.AddrPort
	id             uint16
	name           string
}

// lookup is one DNS query for a vendor's name. The kind of server that answers shows whether a client or a resolver sent it.
type lookup struct {
	key         lookupKey
	host        *host
	name        string
	kind        uint16 // see kindOfQuestion
	entries     []*feeds.Entry
	time        time.Time
	frame       FrameRef
	noRecursion bool
	through     netip.Addr // the forwarder that sent it for the host; invalid if the host sent it
	server      netip.Addr
	gone        bool   // judged
	ttl         uint32 // of the answer, seconds; 0 if it has none
}

// reply is how a DNS query was answered.
type reply uint8

const (
	unanswered    reply = iota
	answered            // without an address
	failed              // SERVFAIL
	resolved            // with one
	refused             // NXDOMAIN, REFUSED, or an address of a blocker
	authoritative       // by an authoritative server: AA or a referral, without RA
)

// pendingTable holds DNS queries until their answer comes, and a while longer, so that a packet captured twice is recognised. When it is
// full, the oldest is judged without an answer.
type pendingTable struct {
	open  map[lookupKey]*lookup
	order fifo[*lookup]
}

func newPendingTable(most int) pendingTable {
	return pendingTable{open: map[lookupKey]*lookup{}, order: newFIFO[*lookup](most)}
}

// add adds a DNS query, unless it is there already: sent or captured again. The caller must judge the one it returns (nil if there was
// room).
func (t *pendingTable) add(l *lookup) (out *lookup) {
	if t.open[l.key] != nil {
		return nil
	}
	if t.order.full() {
		if x := t.pop(); !x.gone {
			x.gone = true
			out = x
		}
	}
	t.open[l.key] = l
	t.order.push(l)
	return out
}

// pop removes the oldest.
func (t *pendingTable) pop() *lookup {
	l := t.order.pop()
	delete(t.open, l.key)
	return l
}

// take returns the DNS query that an answer belongs to, nil if none waits; again means that it was answered before.
func (t *pendingTable) take(k lookupKey) (l *lookup, again bool) {
	l = t.open[k]
	if l == nil || l.gone {
		return nil, l != nil
	}
	l.gone = true
	return l, false
}

// oldest removes the DNS query that has waited longest.
func (t *pendingTable) oldest() (*lookup, bool) {
	for t.order.n > 0 {
		if l := t.pop(); !l.gone {
			l.gone = true
			return l, true
		}
	}
	return nil, false
}

// expired removes the DNS query that has waited longest, if that was long enough.
func (t *pendingTable) expired(now time.Time) (*lookup, bool) {
	for t.order.n > 0 && now.Sub(t.order.peek().time) >= answerWait {
		if l := t.pop(); !l.gone {
			l.gone = true
			return l, true
		}
	}
	return nil, false
}
