package observe

import (
	"net/netip"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/flow"
	"avbeacon/capture/wire"
)

// ObserverOptions bound an Observer. Zero values mean the defaults, which hold for all shards together.
type ObserverOptions struct {
	Interest capture.Interest // nil lets all through
	Headers  []string         // HTTP request headers to keep
	Seed     flow.Seed
	// MaxFlows is how many flows are remembered: 1,048,576.
	MaxFlows int
	// MaxWaiting is how many stream bytes may wait for others: 16 MiB; MaxWaitingEach for one direction: 128 KiB.
	MaxWaiting, MaxWaitingEach int
}

const (
	defaultMaxFlows       = 1 << 20
	defaultMaxWaiting     = 16 << 20
	defaultMaxWaitingEach = 128 << 10
	batchSize             = 512 // Observations that a worker answers at once
	smallBatch            = 64  // ... that are handed on inline: few enough to stay in the first cache
)

func (o *ObserverOptions) fill() {
	if o.MaxFlows <= 0 {
		o.MaxFlows = defaultMaxFlows
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = defaultMaxWaiting
	}
	if o.MaxWaitingEach <= 0 {
		o.MaxWaitingEach = defaultMaxWaitingEach
	}
	if o.Seed == (flow.Seed{}) {
		o.Seed = flow.FixedSeed
	}
}

// observer turns decoded packets of its shards into Observations. One goroutine uses it.
type observer struct {
	opt    ObserverOptions
	in     capture.Interest
	shards [flow.Shards]*shard // nil where another observer has it
	stats  capture.ObserverStats

	out batch
	key order
	// flush takes out away, or empties it.
	flush func()

	scratch []byte // joins messages over records
	early   []byte // one early segment on its way
	name    []byte // qnames
	addrs   []netip.Addr
	peek    wire.DNSPeek
	hello   wire.HelloView
	request wire.RequestView
	answer  wire.ResponseView
	quic    *wire.QUICReader
	dues    []ending
	spare   []ending
	touched int64 // what warm read, so that it is not optimised away
}

// shard is the state of a sixteenth of all flows.
type shard struct {
	table  *flow.Table
	stitch *flow.Stitcher
	http   slab[httpState]
	quics  slab[*wire.QUICStream]
	dtls   slab[*[2]wire.DTLSStream]
	h2     slab[*wire.H2Stream]
	names  slab[string]
	links  slab[*capture.Link]

	quicsIdle []*wire.QUICStream // over, to be used again
}

// newObserver makes one for the shards for which mine is true. flush is called when size Observations are ready.
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

// use exchanges what is of interest.
func (o *observer) use(in capture.Interest) {
	if in == o.in {
		return
	}
	o.in = in
	if h, ok := in.(interface{ HeaderNames() []string }); ok {
		o.opt.Headers = h.HeaderNames()
	}
}

// readers makes what all shards read with.
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

// Stats tells what happened so far.
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

// place is where a packet belongs.
type place struct {
	hash   uint64 // of its flow, or of the flow that an ICMP error speaks of
	peeked uint32 // what warm found of it in the flow table, 0 for nothing
	kind   placeKind
}

type placeKind uint8

const (
	placeNone placeKind = iota // no flow: ARP, and what has no ports
	placeFlow
	placeICMP // the flow that an ICMP error quotes
)

// locate finds the place of d. It is pure, so that the reader can ask it before it picks a worker.
func locate(d *decode.Headers, seed *flow.Seed) place {
	if d.Layer == decode.LayerIP && (d.Proto == protoTCP || d.Proto == protoUDP) {
		hash := flow.Hash((*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto, seed)
		return place{hash: hash, kind: placeFlow}
	}
	if d.Layer == decode.LayerIP {
		if k, ok := quoted(d); ok {
			return place{hash: k.Hash(seed), kind: placeICMP}
		}
	}
	return place{}
}

// IP protocol numbers (https://www.iana.org/assignments/protocol-numbers).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// warm touches the memory of the flows that packets at these places, a group at most, belong to. It changes nothing but the
// places' peeked.
func (o *observer) warm(places []place) {
	var tables [groupSize]*flow.Table
	var slots [groupSize]uint64
	places = places[:min(len(places), groupSize)]
	for i := range places {
		if p := &places[i]; p.kind == placeFlow {
			tables[i] = o.table(p)
			slots[i] = tables[i].Touch(p.hash)
		}
	}
	touched := int64(0)
	for i := range places {
		p := &places[i]
		if p.kind != placeFlow {
			continue
		}
		if p.peeked = tables[i].Peek(slots[i], p.hash); p.peeked != 0 {
			touched += tables[i].Warm(p.peeked)
		}
	}
	o.touched += touched
}

func (o *observer) table(p *place) *flow.Table { return o.shards[flow.Shard(p.hash)].table }

// packet looks at one decoded packet. at orders what comes of it among other observers' Observations.
func (o *observer) packet(d *decode.Headers, pl place, at uint64) {
	o.key = order{at: at}
	switch {
	case pl.peeked != 0 && o.counted(d, &pl):
	case pl.kind == placeNone:
		o.flowless(d)
	case pl.kind == placeICMP:
		o.unreachable(d, pl)
	case d.Proto == protoTCP:
		o.tcp(d, pl)
	default:
		o.udp(d, pl)
	}
}

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

// onLink is the hop limit of neighbour discovery, which no router passes on (RFC 4861 7.1).
const onLink = 255

// neighbour reads neighbour solicitations and advertisements, as ARP for IPv4. Only who asks for hosts wants them.
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

// order is where an Observation stands among those of all observers: by the packet (or tick) that made it, and within a
// tick by the first frame of the flow that ended.
type order struct{ at, flow uint64 }

// emit appends an Observation of what g's segment showed, from the side that sent it to the other one. client says that the
// sender is the client. Addresses and ports are the flow's. The pointer is valid until the next emit.
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

// setLink completes obs with what the packet d came by, and with its Host, which is obs.Src iff client.
func setLink(obs *capture.Observation, d *decode.Headers, client bool) {
	obs.Link = d.Link
	obs.SrcMAC, obs.HasSrcMAC = d.SrcMAC, d.HasMAC
	obs.FromClient = client
	obs.Host = capture.Host{Addr: obs.Src.Addr(), MAC: d.SrcMAC, HasMAC: d.HasMAC, VLAN: d.VLAN}
	if !client {
		obs.Host.Addr, obs.Host.MAC = obs.Dst.Addr(), d.DstMAC
		obs.Host.HasMAC = d.HasMAC && d.DstMAC != [6]byte{} // Linux cooked captures have the sender's alone
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

// wants says whether a name or the server's address may matter.
func (o *observer) wants(name []byte, server netip.Addr) bool {
	return o.in == nil || len(name) > 0 && o.in.Name(name) || o.in.Addr(server)
}

// slab keeps values behind small handles; 0 is no handle.
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
