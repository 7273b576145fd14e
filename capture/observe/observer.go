package observe

import (
	"net/netip"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/flow"
	"avbeacon/capture/limits"
	"avbeacon/capture/wire"
)

// ObserverOptions bounds an observer. A zero limit takes its default; limits hold for all shards together.
type ObserverOptions struct {
	Interest capture.Interest // nil lets all through
	Headers  []string         // HTTP request headers to keep
	Seed     flow.Seed
	// MaxFlows is how many flows are remembered: by default limits.Flows.
	MaxFlows int
	// MaxWaiting is how many stream bytes may wait for others: by default limits.Waiting; MaxWaitingEach for one direction: limits.WaitingEach.
	MaxWaiting, MaxWaitingEach int
}

const (
	batchSize  = 512 // Observations that a worker delivers at once
	smallBatch = 64  // ... and that inline does: few enough to stay in the first cache
)

func (o *ObserverOptions) fill() {
	if o.MaxFlows <= 0 {
		o.MaxFlows = limits.Flows
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = limits.Waiting
	}
	if o.MaxWaitingEach <= 0 {
		o.MaxWaitingEach = limits.WaitingEach
	}
	if o.Seed == (flow.Seed{}) {
		o.Seed = flow.FixedSeed
	}
}

// observer turns the decoded packets of its shards into Observations. It is for one goroutine.
type observer struct {
	opt    ObserverOptions
	in     capture.Interest
	shards [flow.Shards]*shard // nil where another observer has it
	stats  capture.ObserverStats

	out batch
	key order
	// flush delivers what is in out and empties it.
	flush func()

	scratch []byte // for messages that span records
	early   []byte // the early segment that is being delivered
	name    []byte // for qnames
	addrs   []netip.Addr
	peek    wire.DNSPeek
	hello   wire.HelloView
	request wire.RequestView
	answer  wire.ResponseView
	quic    *wire.QUICReader
	dues    []ending
	spare   []ending
	touched int64 // sum of what warm read, so that the compiler keeps the reads
}

// shard is the state of a sixteenth of all flows. Which flows it has follows from their hash, so that the number of workers
// changes no result.
type shard struct {
	table  *flow.Table
	stitch *flow.Stitcher
	http   slab[httpState]
	quics  slab[*wire.QUICStream]
	dtls   slab[*[2]wire.DTLSStream]
	h2     slab[*wire.H2Stream]
	names  slab[string]
	links  slab[*capture.Link]

	quicsIdle []*wire.QUICStream // of connections that ended, to be reused
}

// newObserver makes an observer of the shards for which mine is true. flush is called when size Observations are ready.
func newObserver(opt ObserverOptions, size int, mine func(shard int) bool) *observer {
	opt.fill()
	o := &observer{
		opt: opt, in: opt.Interest,
		out: newBatch(size),
	}
	o.readers()
	for i := range o.shards {
		if mine(i) {
			o.shards[i] = newShard(&opt)
		}
	}
	return o
}

// use sets what is of interest from the next packet on.
func (o *observer) use(in capture.Interest) {
	if in == o.in {
		return
	}
	o.in = in
	if h, ok := in.(interface{ HeaderNames() []string }); ok {
		o.opt.Headers = h.HeaderNames()
	}
}

// readers makes the buffers and parsers that all shards share.
func (o *observer) readers() {
	o.scratch, o.name, o.addrs = make([]byte, 0, 64<<10), make([]byte, 1024), make([]netip.Addr, 0, 64)
	o.quic = wire.NewQUICReader()
}

func newShard(opt *ObserverOptions) *shard {
	return &shard{
		table:  flow.NewTable(opt.MaxFlows / flow.Shards),
		stitch: flow.NewStitcher(opt.MaxWaiting/flow.Shards, opt.MaxWaitingEach),
	}
}

// Stats returns the counters so far.
func (o *observer) Stats() capture.ObserverStats {
	st := o.stats
	for _, s := range o.shards {
		if s == nil {
			continue
		}
		w := s.stitch.Stats()
		st.FlowsOpen += s.table.Len()
		st.FlowsEvicted += s.table.Evicted
		st.Waiting += w.Bytes
		st.WaitingEvicted += w.Evicted
		st.WaitingFull += w.Full
	}
	return st
}

// flowRef says which flow a packet belongs to.
type flowRef struct {
	hash   uint64 // of its flow, or of the flow that an ICMP error quotes
	peeked uint32 // where warm found it in the flow table (see flow.Table.Peek), 0 if nowhere
	kind   refKind
}

type refKind uint8

const (
	refNone refKind = iota // no flow: ARP, and protocols without ports
	refFlow
	refICMP // the flow that an ICMP error quotes
)

// locate finds d's flow. It is pure, so that the reader can call it before it picks a worker.
func locate(d *decode.Headers, seed *flow.Seed) flowRef {
	if d.Layer == decode.LayerIP && (d.Proto == protoTCP || d.Proto == protoUDP) {
		hash := flow.Hash((*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto, seed)
		return flowRef{hash: hash, kind: refFlow}
	}
	if d.Layer == decode.LayerIP {
		if k, ok := quoted(d); ok {
			return flowRef{hash: k.Hash(seed), kind: refICMP}
		}
	}
	return flowRef{}
}

// IP protocol numbers (https://www.iana.org/assignments/protocol-numbers).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// warm reads the memory of the flows in refs, a group at most, so that it is in the cache when their packets are read. It
// changes nothing but peeked.
func (o *observer) warm(refs []flowRef) {
	var tables [groupSize]*flow.Table
	var slots [groupSize]uint64
	refs = refs[:min(len(refs), groupSize)]
	for i := range refs {
		if p := &refs[i]; p.kind == refFlow {
			tables[i] = o.table(p)
			slots[i] = tables[i].Touch(p.hash)
		}
	}
	touched := int64(0)
	for i := range refs {
		p := &refs[i]
		if p.kind != refFlow {
			continue
		}
		if p.peeked = tables[i].Peek(slots[i], p.hash); p.peeked != 0 {
			touched += tables[i].Warm(p.peeked)
		}
	}
	o.touched += touched
}

func (o *observer) table(p *flowRef) *flow.Table { return o.shards[flow.Shard(p.hash)].table }

// packet reads one decoded packet. at orders its Observations among those of other observers.
func (o *observer) packet(d *decode.Headers, ref flowRef, at uint64) {
	o.key = order{at: at}
	switch {
	case ref.peeked != 0 && o.counted(d, &ref):
	case ref.kind == refNone:
		o.flowless(d)
	case ref.kind == refICMP:
		o.unreachable(d, ref)
	case d.Proto == protoTCP:
		o.tcp(d, ref)
	default:
		o.udp(d, ref)
	}
}

// flowless reads packets that belong to no flow: ARP and neighbour discovery.
func (o *observer) flowless(d *decode.Headers) {
	if d.Layer != decode.LayerARP {
		o.neighbour(d)
		return
	}
	a, err := wire.ParseARP(d.Payload)
	if err != nil {
		o.stats.MalformedOther++
		return
	}
	obs := o.emitPacket(d, capture.Identity, capture.ARP)
	obs.FromClient = false
	obs.Src = netip.AddrPortFrom(a.Sender, 0)
	obs.Dst = netip.AddrPortFrom(a.Target, 0)
	obs.ID = &capture.IdentityDetail{ARP: &a}
	obs.Host = capture.Host{Addr: a.Sender, MAC: a.SenderMAC, HasMAC: true, VLAN: d.VLAN}
}

// onLink is the hop limit of neighbour discovery: a packet that a router passed on has less (RFC 4861 7.1).
const onLink = 255

// neighbour reads neighbour solicitations and advertisements, IPv6's ARP. Only with an Interest: avbeacon observe has no
// line for them.
func (o *observer) neighbour(d *decode.Headers) {
	if o.in == nil || d.Layer != decode.LayerIP || d.Proto != protoICMPv6 || d.TTL != onLink || !d.IPv6 {
		return
	}
	kind := uint8(d.SrcPort >> 8)
	if kind != wire.NDPSolicitation && kind != wire.NDPAdvertisement {
		return
	}
	n, err := wire.ParseNDP(kind, d.Payload)
	if err != nil {
		o.stats.MalformedOther++
		return
	}
	obs := o.emitPacket(d, capture.Identity, capture.ICMP)
	obs.ID = &capture.IdentityDetail{NDP: &n}
}

// order is the position of an Observation among those of all observers: the number of the packet (or sweep) that made it,
// and within a sweep the first frame of the flow that ended.
type order struct{ at, flow uint64 }

// emit appends an Observation of what g's segment showed, from its sender to the other side. client: the sender is the
// client. Addresses and ports are the flow's. The pointer is valid until the next emit.
func (o *observer) emit(g *segment, k capture.Kind, p capture.Proto, client bool) *capture.Observation {
	obs, e := o.grow(), g.e
	obs.Kind, obs.Proto, obs.Transport = k, p, capture.TCP
	if e.Proto == protoUDP {
		obs.Transport = capture.UDP
	}
	obs.Time, obs.Frame, obs.Input = time.Unix(0, e.Last).UTC(), e.LastFrame, e.LastInput
	obs.Src, obs.Dst = endpoints(e, g.dir)
	if g.d == nil {
		g.s.setSides(obs, e, g.dir, client)
		return obs
	}
	obs.Time = time.Unix(0, g.d.Time).UTC() // not e.Last: packets are not always in the order of their times
	setLink(obs, g.d, client)
	return obs
}

// emitPacket is emit for a packet that belongs to no flow.
func (o *observer) emitPacket(d *decode.Headers, k capture.Kind, p capture.Proto) *capture.Observation {
	obs := o.grow()
	obs.Time, obs.Frame, obs.Input = time.Unix(0, d.Time).UTC(), d.Frame, d.Input
	obs.Kind, obs.Proto = k, p
	obs.Src = netip.AddrPortFrom(d.Src.Netip(d.IPv6), d.SrcPort)
	obs.Dst = netip.AddrPortFrom(d.Dst.Netip(d.IPv6), d.DstPort)
	setLink(obs, d, true)
	return obs
}

// setLink completes obs with the layers and hardware addresses of packet d, and with its Host: obs.Src if client, else
// obs.Dst.
func setLink(obs *capture.Observation, d *decode.Headers, client bool) {
	obs.Link = d.Link
	obs.SrcMAC, obs.HasSrcMAC = d.SrcMAC, d.HasMAC
	obs.FromClient = client
	obs.Host = capture.Host{Addr: obs.Src.Addr(), MAC: d.SrcMAC, HasMAC: d.HasMAC, VLAN: d.VLAN}
	if !client {
		obs.Host.Addr, obs.Host.MAC = obs.Dst.Addr(), d.DstMAC
		obs.Host.HasMAC = d.HasMAC && d.DstMAC != [6]byte{} // Linux cooked captures have only the sender's
	}
}

func (o *observer) grow() *capture.Observation {
	if len(o.out.obs) == cap(o.out.obs) {
		o.flush()
	}
	b := &o.out
	b.obs = append(b.obs, capture.Observation{})
	b.keys = append(b.keys, o.key)
	return &b.obs[len(b.obs)-1]
}

// wants reports whether a name or the server's address may matter.
func (o *observer) wants(name []byte, server netip.Addr) bool {
	return o.in == nil || len(name) > 0 && o.in.Name(name) || o.in.Addr(server)
}

// slab keeps values behind small handles, so that a flow's entry holds no pointers. 0 is no handle.
type slab[T any] struct {
	items []T
	free  []uint32
}

func (s *slab[T]) put(v T) uint32 {
	if n := len(s.free); n > 0 {
		h := s.free[n-1]
		s.free = s.free[:n-1]
		s.items[h-1] = v
		return h
	}
	s.items = append(s.items, v)
	return uint32(len(s.items))
}

func (s *slab[T]) get(h uint32) *T { return &s.items[h-1] }

func (s *slab[T]) drop(h uint32) {
	if h != 0 {
		var zero T
		s.items[h-1] = zero
		s.free = append(s.free, h)
	}
}
