package classify

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// contact takes a flow record: the outcome of a connection that was seen to begin, or all that is known of one without a name.
func (c *Classifier) contact(obs *capture.Observation) {
	if obs.Flow == nil {
		return
	}
	h := c.subject(obs)
	s := c.called(obs.Dst.Addr(), obs)
	if s != nil {
		s.newest = max(s.newest, obs.Time.UnixNano())
	}
	c.seeFlow(obs, h, s)
	if h == nil {
		c.stats.InboundIgnored++
		c.crawled(obs)
		return
	}
	if obs.Marks&capture.Plain != 0 {
		return
	}
	if obs.Flow.Proto == capture.DNS || obs.Dst.Addr().IsMulticast() {
		return
	}
	k := keyOf(obs)
	f := c.flows.find(k)
	switch {
	case f == nil || len(f.tracks) == 0:
		f = c.nameless(obs, h, k)
	case obs.Marks&capture.NameDerived != 0 && !f.derived:
		f.derived = true
		c.recordName(obs, h, k)
	}
	if f == nil {
		return
	}
	f.goesOn(obs.Flow.Last)
	c.networks(obs, f, k)
	c.payload(obs, f, k)
	if obs.Flow.Final {
		c.outcome(obs, f, k)
		c.flows.end(k)
	}
}

// goesOn notes that a connection was still open: one kept open for days is not silence.
func (f *flow) goesOn(at time.Time) {
	for _, t := range f.tracks {
		t.last, t.lastContact = later(t.last, at), later(t.lastContact, at)
	}
}

// startOf is when a flow began.
func startOf(obs *capture.Observation) time.Time {
	if obs.Flow.First.IsZero() {
		return obs.Time
	}
	return obs.Flow.First
}

// nameless looks for evidence in the record of a connection that showed none while open; nil if there is none.
func (c *Classifier) nameless(obs *capture.Observation, h *host, k flowKey) *flow {
	c.recordName(obs, h, k)
	c.payload(obs, nil, k)
	c.ports(obs, h, k)
	f := c.flows.find(k)
	if f == nil && len(c.opt.Catalog.MatchAddr(obs.Dst.Addr())) > 0 {
		f = c.flows.get(k, h, startOf(obs))
	}
	if f != nil {
		f.host, f.start = h, startOf(obs)
		f.derived = true
	}
	return f
}

// flowSign begins a sign of a flow record.
func flowSign(obs *capture.Observation, e *feeds.Entry, k Kind, value string) sign {
	g := signOf(obs, e, k, value)
	g.time = startOf(obs)
	if obs.Flow.FirstFrame != 0 {
		g.frame.Frame = obs.Flow.FirstFrame
	}
	return g
}

// recordName takes the name of a flow record: that of its hello or request, or the one that a DNS query gave the address.
func (c *Classifier) recordName(obs *capture.Observation, h *host, k flowKey) {
	if obs.Name == "" {
		return
	}
	for _, e := range c.opt.Catalog.MatchName(obs.Name) {
		if e.Vendor == nil || searchList(e, obs.Name) == surelyAppended {
			continue
		}
		kind := KindSNI
		switch {
		case obs.Marks&capture.NameOther != 0:
			kind = KindOther
		case obs.Marks&capture.NameDerived != 0:
			kind = KindDerived
		case obs.Flow.Proto == capture.HTTP:
			kind = KindHTTPHost
		}
		g := flowSign(obs, e, kind, c.masker.name(e, obs.Name))
		if kind == KindOther {
			g.strength, g.bar = min(g.strength, feeds.Weak), barOther
		}
		f := c.flows.get(k, h, g.time)
		c.show(g, f, k, obs.Name)
	}
}

// payload looks at the first bytes of a connection without a known protocol. f is the flow if it has signs already.
func (c *Classifier) payload(obs *capture.Observation, f *flow, k flowKey) {
	r := obs.Flow
	if r.Proto != capture.ProtoNone || r.OutHeadLen == 0 && r.InHeadLen == 0 || f != nil && f.payload {
		return
	}
	head := r.OutHead[:min(r.OutHeadLen, 8)]
	es := c.opt.Catalog.MatchPayload(head)
	if len(es) == 0 {
		head = r.InHead[:min(r.InHeadLen, 8)]
		es = c.opt.Catalog.MatchPayload(head)
	}
	for _, e := range es {
		if e.Vendor == nil {
			continue
		}
		g := flowSign(obs, e, KindPayload, printable(head, 5))
		if f == nil {
			f = c.flows.get(k, c.subject(obs), g.time)
		}
		f.payload = true
		c.show(g, f, k, "")
	}
}

// ports looks at the server's port: that of a vendor's console inside the site, or of one in a vendor's network.
func (c *Classifier) ports(obs *capture.Observation, h *host, k flowKey) {
	r := obs.Flow
	lan := c.home(obs.Dst.Addr())
	if lan && (r.Outcome != capture.Established && r.Outcome != capture.Midstream || shell(r)) {
		return
	}
	peer := feeds.Peer{Name: obs.Name, Addr: obs.Dst.Addr()}
	if obs.Marks&capture.NameOther != 0 {
		peer.Name = ""
	}
	for _, e := range c.opt.Catalog.MatchPortTo(obs.Transport == capture.UDP, obs.Dst.Port(), lan, peer) {
		if e.Vendor == nil || !lan && !c.knownPeer(e, peer) {
			continue
		}
		kind := KindPort
		if lan {
			kind = KindLANPort
		}
		g := flowSign(obs, e, kind, portText(obs))
		g.strength = min(g.strength, feeds.Medium)
		f := c.flows.get(k, h, g.time)
		c.show(g, f, k, "")
		if lan {
			c.noteConsole(c.trackOf(h, e.Vendor), obs)
		}
	}
}

// knownPeer reports whether the vendor's name or network goes with the port. Without it a port on the Internet proves nothing.
func (c *Classifier) knownPeer(e *feeds.Entry, p feeds.Peer) bool {
	return c.opt.Catalog.InNetwork(p.Addr, e.Vendor) || ofVendor(c.opt.Catalog.MatchName(p.Name), e.Vendor)
}

// shell reports whether a connection opens with SSH, which no vendor's console port uses.
func shell(r *capture.FlowRecord) bool {
	return strings.HasPrefix(string(r.InHead[:]), "SSH-") || strings.HasPrefix(string(r.OutHead[:]), "SSH-")
}

func portText(obs *capture.Observation) string {
	proto := "tcp "
	if obs.Transport == capture.UDP {
		proto = "udp "
	}
	return proto + strconv.Itoa(int(obs.Dst.Port()))
}

// maxConsoles is how many servers with console ports a track keeps.
const maxConsoles = 8

// noteConsole remembers which vendor ports the host used on which server of the site.
func (c *Classifier) noteConsole(t *track, obs *capture.Observation) {
	if s := c.called(obs.Dst.Addr(), obs); s != nil {
		s.did.consoles.add(uint32(obs.Dst.Port()))
		s.did.console = t.vendor
		s.did.managed.add(hashAddr(obs.Src.Addr()))
	}
	for i := range t.console {
		if u := &t.console[i]; u.server == obs.Dst.Addr() {
			if !slices.Contains(u.ports, obs.Dst.Port()) && len(u.ports) < 16 {
				u.ports = append(u.ports, obs.Dst.Port())
			}
			return
		}
	}
	if len(t.console) < maxConsoles {
		t.console = append(t.console, consoleUse{server: obs.Dst.Addr(), ports: []uint16{obs.Dst.Port()}})
	}
}

// networks notes that the address is in a vendor's own network. That is weak evidence, whatever the entry's strength.
func (c *Classifier) networks(obs *capture.Observation, f *flow, k flowKey) {
	if f.network {
		return
	}
	f.network = true
	for _, e := range c.opt.Catalog.MatchAddr(obs.Dst.Addr()) {
		if e.Vendor == nil {
			continue
		}
		g := flowSign(obs, e, KindNetwork, networkText(e))
		g.strength = min(g.strength, feeds.Weak)
		c.show(g, f, k, "")
	}
}

func networkText(e *feeds.Entry) string {
	if e.Owner != "" {
		return e.Pattern + " " + e.Owner
	}
	return e.Pattern
}

// outcome counts how a connection ended, for each vendor it is a contact with.
func (c *Classifier) outcome(obs *capture.Observation, f *flow, k flowKey) {
	how := endOf(obs.Flow)
	c.noteTrip(k.server.Addr(), obs.Flow.RTT, f, how == worked)
	for _, t := range f.tracks {
		d := t.dest(k.server)
		if rtt := obs.Flow.RTT; rtt > 0 && (d.RTT == 0 || rtt < d.RTT) {
			d.RTT = rtt
		}
		if how == missed {
			d.Failed++
		}
		c.attempt(t, &t.tries, startOf(obs), how)
		c.queue(t)
	}
}

// attempt counts in one of the track's two counters.
func (c *Classifier) attempt(t *track, in *attempts, at time.Time, how ending) {
	if how == unknownEnd {
		return
	}
	was := c.blocked(t)
	in.add(at, how)
	t.stirred = t.stirred || c.blocked(t) != was
}

// blockedHours is how many of the host's active hours must pass without success for "blocked".
const blockedHours = 24

func (c *Classifier) blocked(t *track) bool {
	heard := c.heard(t.host)
	return t.failures(heard) >= 3 && blocked(&t.tries, &t.asks, t.host.active.Back(blockedHours), heard)
}

// heard reports whether an answer to the host would have been seen: others were, or the host is alone in the capture. If several hosts
// send queries and none is answered, the capture holds one direction only.
func (c *Classifier) heard(h *host) bool {
	return h.did.answersGot > 0 || c.traffic.heard > 0 || !c.traffic.manyAsk
}

// endOf returns whether a connection worked or failed; a one-sided or cut one did neither.
func endOf(r *capture.FlowRecord) ending {
	switch r.Outcome {
	case capture.NoAnswer, capture.Refused:
		return missed
	case capture.Established:
		if r.TLSAlert != 0 || r.ResetByServer && r.InHeadLen == 0 {
			return missed
		}
		return worked
	}
	return unknownEnd
}

// noteTrip keeps a handshake's round trip, which bounds how far away the server is. A proxy answers in the server's stead, so
// its time does not bound the server's distance. A firewall that rejects may do the same: failed connections do not count.
func (c *Classifier) noteTrip(server netip.Addr, rtt time.Duration, f *flow, ok bool) {
	if c.opt.SensorAt != nil && ok && !f.proxy && rtt > 0 {
		c.trips.Note(server, rtt)
	}
}

type flowKey struct {
	client, server netip.AddrPort
	transport      capture.Proto
}

// flow is one open connection of interest, so that its hello, requests and end count as one contact.
type flow struct {
	host    *host
	start   time.Time
	tool    string // the tool whose User-Agent was seen in it
	browser bool   // ... or that of a person's browser
	named   bool   // a server name was seen
	derived bool   // a name that a DNS query gave the address was taken
	proxy   bool   // the server is a proxy
	network bool   // its address was checked
	payload bool   // its first bytes were checked
	tracks  []*track
}

func (f *flow) has(t *track) bool {
	for _, x := range f.tracks {
		if x == t {
			return true
		}
	}
	return false
}

// fifo holds at most max keys in the order in which they came. The owner may have deleted a key from its map before the key comes up,
// and then skips it.
type fifo[K any] struct {
	ring []K
	head int
	n    int
}

func newFIFO[K any](most int) fifo[K] { return fifo[K]{ring: make([]K, most)} }

func (q *fifo[K]) full() bool { return q.n == len(q.ring) }

func (q *fifo[K]) push(k K) {
	q.ring[(q.head+q.n)%len(q.ring)] = k
	q.n++
}

func (q *fifo[K]) peek() K { return q.ring[q.head] }

func (q *fifo[K]) pop() K {
	k := q.ring[q.head]
	var none K
	q.ring[q.head] = none
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return k
}

// flowTable holds connections of interest while they are open. When it is full, the oldest goes.
type flowTable struct {
	flows   map[flowKey]*flow
	order   fifo[*flowSlot]
	evicted uint64
	touched *touched // of the hosts: a flow that is found leads to its host
	over    flow     // placeholder in slots for flows that ended
}

type flowSlot struct {
	key  flowKey
	flow *flow
}

func newFlowTable(most int) flowTable {
	return flowTable{flows: map[flowKey]*flow{}, order: newFIFO[*flowSlot](most)}
}

func keyOf(obs *capture.Observation) flowKey {
	client, server := sides(obs)
	return flowKey{client: client, server: server, transport: obs.Transport}
}

// reuse is the silence after which the same addresses and ports are another connection, if the end was not seen.
const reuse = 24 * time.Hour

// find returns the flow, nil if there is none.
func (t *flowTable) find(k flowKey) *flow {
	if len(t.flows) == 0 {
		return nil
	}
	f := t.flows[k]
	if f != nil {
		t.touch(f)
	}
	return f
}

// touch adds the hosts that whoever gets a flow may write to.
func (t *flowTable) touch(f *flow) {
	t.touched.add(f.host)
	for _, x := range f.tracks {
		t.touched.add(x.host)
	}
}

// get returns the flow and makes it if there is none.
func (t *flowTable) get(k flowKey, h *host, at time.Time) *flow {
	if f := t.flows[k]; f != nil && at.Sub(f.start) < reuse {
		t.touch(f)
		return f
	}
	if t.order.full() {
		t.evict()
	}
	t.touched.add(h)
	f := &flow{host: h, start: at}
	t.flows[k] = f
	t.order.push(&flowSlot{key: k, flow: f})
	return f
}

// evict makes room for one. Ended flows leave the queue only here; while there are many of them, open ones go back in the queue.
func (t *flowTable) evict() {
	for range len(t.order.ring) {
		s := t.order.pop()
		if t.flows[s.key] != s.flow {
			return
		}
		if len(t.flows) > len(t.order.ring)/2 {
			delete(t.flows, s.key)
			t.evicted++
			return
		}
		t.order.push(s)
	}
	delete(t.flows, t.order.pop().key)
	t.evicted++
}

// end forgets a flow.
func (t *flowTable) end(k flowKey) { delete(t.flows, k) }
