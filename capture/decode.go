package capture

import (
	"encoding/binary"
	"maps"
	"time"
)

// DecoderOptions bound a Decoder. A zero field takes its default.
type DecoderOptions struct {
	MaxDepth       int           // tunnels in tunnels that are opened; MPLS stacks and PPPoE count; default 8
	MaxFragments   int           // bytes that incomplete datagrams may hold in all; default 8 MiB
	MaxFragmentAge time.Duration // packet time after which an incomplete datagram is given up; default 30 s
}

func (o DecoderOptions) withDefaults() DecoderOptions {
	if o.MaxDepth <= 0 {
		o.MaxDepth = 8
	}
	if o.MaxFragments <= 0 {
		o.MaxFragments = 8 << 20
	}
	if o.MaxFragmentAge <= 0 {
		o.MaxFragmentAge = 30 * time.Second
	}
	return o
}

// Decoder reads the headers of packets down to the innermost TCP, UDP or ICMP header. It joins IP fragments and opens
// tunnels. What it gives depends on the packets alone, not on the wall clock. It is for one goroutine.
//
// Checksums are not checked: network cards fill them in after the capture. A packet whose headers promise more bytes than
// there are is used as far as it goes. Where a tunnel's inside cannot be decoded, the packet around it is the result.
type Decoder struct {
	opt      DecoderOptions
	maxDepth int
	depth    int    // tunnels open in this packet
	nests    int    // Ethernet, LLC and the like in each other in this packet
	path     []byte // VLANs and tunnels of this packet, as linkTable writes them
	links    linkTable
	frags    fragmentTable
	stats    DecodeStats
}

// NewDecoder makes a Decoder.
func NewDecoder(opt DecoderOptions) *Decoder {
	opt = opt.withDefaults()
	d := &Decoder{opt: opt, maxDepth: opt.MaxDepth, path: make([]byte, 0, 512)}
	d.frags.init(opt.MaxFragments, int64(opt.MaxFragmentAge))
	d.stats.LinkTypes = map[LinkType]uint64{}
	return d
}

// Decode reads p's headers into out, all of whose fields it sets. It returns out.Layer. out.Payload aliases p.Data, or,
// for a datagram joined from fragments, memory that is the caller's alone.
//
// Of a fragmented datagram the packet that completes it gives the whole; the packets before it give LayerNone, and count as
// undecoded until then.
func (d *Decoder) Decode(p *Packet, out *Decoded) Layer {
	d.stats.Packets++
	if d.plain(p, out) {
		return LayerIP
	}
	return d.decode(p, out)
}

// decode is Decode for whatever packet.
func (d *Decoder) decode(p *Packet, out *Decoded) Layer {
	b, wire := p.Data, int(p.OrigLen)
	if wire > len(b) {
		d.stats.Cut++
	} else {
		wire = len(b)
	}
	*out = Decoded{Time: p.Time, Frame: p.Frame, Input: p.Input}
	d.depth, d.nests, d.path = 0, 0, d.path[:0]
	if p.HasVLAN {
		d.addVLAN(out, p.VLAN)
	}
	var why Reason
	if p.Link == LinkEthernet {
		why = d.ethernet(out, b, wire)
	} else {
		why = d.link(out, p.Link, b, wire)
	}
	if why != ReasonNone {
		d.stats.Undecoded[why]++
		*out = Decoded{Time: p.Time, Frame: p.Frame, Input: p.Input}
		return LayerNone
	}
	if len(d.path) > 0 {
		out.Link = d.links.find(d.path)
	}
	return out.Layer
}

// Flush gives up the incomplete datagrams that are older than MaxFragmentAge at the packet time now (nanoseconds since 1970;
// math.MaxInt64 for all of them). For each datagram given up since the last Flush whose first fragment was seen, visit
// gets what is there from its beginning on as a cut packet, with the time and frame of the first fragment, in the order in
// which they were given up. Those that were given up for lack of memory are not among them.
// The Decoded is valid during the call, its Payload for good.
func (d *Decoder) Flush(now int64, visit func(*Decoded)) {
	d.frags.expire(now)
	for _, g := range d.frags.takeOrphans() {
		out := g.first
		out.IPLen = g.length
		d.depth, d.nests, d.path = g.depth, 0, append(d.path[:0], g.path...)
		if d.upper(&out, g.proto, g.prefix(), g.wireLength()) != ReasonNone {
			continue
		}
		if len(d.path) > 0 {
			out.Link = d.links.find(d.path)
		}
		d.frags.stats.HandedOut++
		d.stats.Undecoded[ReasonFragmentWaiting]--
		visit(&out)
	}
}

// Stats gives the counters; the map in it is the caller's.
func (d *Decoder) Stats() DecodeStats {
	s := d.stats
	s.LinkTypes = maps.Clone(s.LinkTypes)
	s.Fragments = d.frags.counts()
	return s
}

// tooShort says why have bytes of a header are not need bytes: the capture was cut, or there never were more than wire.
func tooShort(wire, need int) Reason {
	if wire >= need {
		return ReasonCut
	}
	return ReasonShort
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
