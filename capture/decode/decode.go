// Package decode reads the headers of packets. A capture.Packet of any link type goes in; Headers come out: addresses, ports and
// payload of the innermost TCP, UDP or ICMP, after tunnels were opened and fragments joined, and the VLANs and tunnels around
// them. A packet that cannot be decoded is counted by capture.Reason.
//
// Start reading at Decoder.Decode: plain.go is the fast path that nearly all packets take. The general path goes from link
// (linktypes.go) over inside (ethernet.go) and ip.go to transport.go; tunnel*.go lead from there back to a new link or IP header.
package decode

import (
	"encoding/binary"
	"maps"
	"time"

	"avbeacon/capture"
)

// Options bounds a Decoder. A zero field takes its default.
type Options struct {
	MaxDepth       int           // tunnels in tunnels that are opened; MPLS stacks and PPPoE count; default 8
	MaxFragments   int           // bytes that incomplete datagrams may hold in all; default 8 MiB
	MaxFragmentAge time.Duration // packet time after which an incomplete datagram is given up; default 30 s
}

func (o Options) withDefaults() Options {
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
// tunnels. Its results depend on the packets alone, not on the wall clock. It is for one goroutine.
//
// Checksums are not verified: network cards fill them in after the capture. A packet whose headers promise more bytes than
// there are is used as far as it goes. If the inside of a tunnel cannot be decoded, the result is the packet around it.
type Decoder struct {
	opt      Options
	maxDepth int
	depth    int    // tunnels open in this packet
	nests    int    // link headers nested in each other in this packet
	path     []byte // VLANs and tunnels of this packet, as linkTable writes them
	links    linkTable
	frags    fragmentTable
	stats    capture.DecodeStats
}

// NewDecoder makes a Decoder.
func New(opt Options) *Decoder {
	opt = opt.withDefaults()
	d := &Decoder{opt: opt, maxDepth: opt.MaxDepth, path: make([]byte, 0, 512)}
	d.frags.init(opt.MaxFragments, int64(opt.MaxFragmentAge))
	d.stats.LinkTypes = map[capture.LinkType]uint64{}
	return d
}

// Decode reads p's headers into out, all of whose fields it sets, and returns out.Layer. out.Payload aliases p.Data or, for
// a datagram joined from fragments, memory that belongs to the caller.
//
// Of a fragmented datagram, the packet that completes it yields the whole. The packets before it yield LayerNone, and count
// as undecoded until then.
func (d *Decoder) Decode(p *capture.Packet, out *Headers) Layer {
	d.stats.Packets++
	if d.plain(p, out) {
		return LayerIP
	}
	return d.decode(p, out)
}

// decode is Decode for any packet, without the fast path.
func (d *Decoder) decode(p *capture.Packet, out *Headers) Layer {
	b, wire := p.Data, int(p.OrigLen)
	if wire > len(b) {
		d.stats.Cut++
	} else {
		wire = len(b)
	}
	*out = Headers{Time: p.Time, Frame: p.Frame, Input: p.Input}
	d.depth, d.nests, d.path = 0, 0, d.path[:0]
	if p.HasVLAN {
		d.addVLAN(out, p.VLAN)
	}
	var why capture.Reason
	if p.Link == capture.LinkEthernet {
		why = d.ethernet(out, b, wire)
	} else {
		why = d.link(out, p.Link, b, wire)
	}
	if why != capture.ReasonNone {
		d.stats.Undecoded[why]++
		*out = Headers{Time: p.Time, Frame: p.Frame, Input: p.Input}
		return LayerNone
	}
	if len(d.path) > 0 {
		out.Link = d.links.find(d.path)
	}
	return out.Layer
}

// Flush gives up the incomplete datagrams older than MaxFragmentAge at packet time now (nanoseconds since 1970;
// math.MaxInt64 for all of them). For each datagram given up since the last Flush whose first fragment was seen, visit gets
// its beginning as a cut packet, with time and frame of the first fragment, in the order in which they were given up.
// Datagrams given up for lack of memory are not among them. The Headers are valid during the call, their Payload for good.
func (d *Decoder) Flush(now int64, visit func(*Headers)) {
	d.frags.expire(now)
	for _, g := range d.frags.takeOrphans() {
		out := g.first
		out.IPLen = g.length
		d.depth, d.nests, d.path = g.depth, 0, append(d.path[:0], g.path...)
		if d.upper(&out, g.proto, g.prefix(), g.wireLength()) != capture.ReasonNone {
			continue
		}
		if len(d.path) > 0 {
			out.Link = d.links.find(d.path)
		}
		d.frags.stats.HandedOut++
		d.stats.Undecoded[capture.ReasonFragmentWaiting]--
		visit(&out)
	}
}

// Stats returns the counters. The caller owns the map in them.
func (d *Decoder) Stats() capture.DecodeStats {
	s := d.stats
	s.LinkTypes = maps.Clone(s.LinkTypes)
	s.Fragments = d.frags.counts()
	return s
}

// Forget drops all fragments and outer layers, after a panic left them in an unknown state.
func (d *Decoder) Forget() {
	counted := d.frags.stats
	d.frags = fragmentTable{stats: counted}
	d.frags.init(d.opt.MaxFragments, int64(d.opt.MaxFragmentAge))
	d.links = linkTable{}
}

// tooShort decides why there are fewer than need bytes of a header: the capture was cut, or the packet had only wire bytes.
func tooShort(wire, need int) capture.Reason {
	if wire >= need {
		return capture.ReasonCut
	}
	return capture.ReasonShort
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
