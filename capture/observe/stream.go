package observe

import (
	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/flow"
	"avbeacon/capture/wire"
)

// The protocols that a flow is recognised as, in flow.Entry.Class. The done classes are flows whose packets are only counted.
const (
	classNew uint8 = iota
	classTLS
	classHTTP
	classHTTP2
	classDNS
	classQUIC
	classDTLS
	classOther // UDP of a known, datagram-wise protocol
	classDone  // a TLS or QUIC flow of which no more is wanted
	classDoneQUIC
	classDoneDTLS
	classDoneHTTP2
	classSMB
)

// protoOf is the protocol of each class in a flow record.
var protoOf = [...]capture.Proto{
	classTLS: capture.TLS, classHTTP: capture.HTTP, classHTTP2: capture.HTTP, classDNS: capture.DNS, classQUIC: capture.QUIC, classDTLS: capture.DTLS,
	classOther: capture.ProtoNone, classDone: capture.TLS, classDoneQUIC: capture.QUIC, classDoneDTLS: capture.DTLS, classDoneHTTP2: capture.HTTP,
	classSMB: capture.ProtoNone,
}

// segment is a packet of a flow, or bytes of its stream that waited, on the way through the readers.
type segment struct {
	d     *decode.Headers // the packet that is being read; nil at the flow's end, when what still waits is read
	s     *shard
	e     *flow.Entry
	index uint32 // of e in the shard's table
	dir   int    // 0: from A to B
}

// fromOpener reports whether the segment comes from the side that opened the flow.
func (g *segment) fromOpener() bool { return (g.dir == 0) == (g.e.Flags&flowReversed == 0) }

// tcp reads a TCP packet: its flow, its flags, then its bytes.
func (o *observer) tcp(d *decode.Headers, ref flowRef) {
	s, i, e, forward := o.enter(d, ref)
	g := segment{d: d, s: s, e: e, index: i}
	if !forward {
		g.dir = 1
	}
	o.flags(&g)
	if d.PayloadLen == 0 || e.Class == classDone {
		return
	}
	seq := d.Seq
	if d.TCPFlags&decode.SYN != 0 {
		seq++ // data on a SYN (TCP Fast Open, RFC 7413)
	}
	o.arrive(&g, seq, d.PayloadLen, d.Payload)
}

// flags follows a connection's opening and closing.
func (o *observer) flags(g *segment) {
	d, e := g.d, g.e
	opener := g.fromOpener()
	switch f := d.TCPFlags; {
	case f&decode.RST != 0:
		e.Flags |= flowRSTA << g.dir
	case f&(decode.SYN|decode.ACK) == decode.SYN:
		if e.Flags&flowSYN == 0 && opener {
			e.Flags |= flowSYN
			e.ISN = d.Seq
		}
		g.sync(d.Seq + 1)
	case f&(decode.SYN|decode.ACK) == decode.SYN|decode.ACK:
		if e.Flags&flowSYN != 0 && e.Flags&flowSYNACK == 0 && !opener {
			e.RTT = uint32(min(max((d.Time-e.First)/1000, 1), 1<<32-1))
		}
		e.Flags |= flowSYNACK
		g.sync(d.Seq + 1)
	case opener:
		e.Flags |= flowBeyond
	}
	if d.TCPFlags&decode.FIN != 0 {
		e.Flags |= flowFINA << g.dir
	}
}

func (g *segment) synced() bool { return g.e.Flags&(flowSyncA<<g.dir) != 0 }

// sync sets the expected next byte of a direction that has none yet.
func (g *segment) sync(next uint32) {
	if !g.synced() {
		g.e.Flags |= flowSyncA << g.dir
		g.e.Next[g.dir] = next
	}
}

// maxEarly is how many bytes may be missing before a segment that is kept until its turn comes.
const maxEarly = 256 << 10

// The way of a segment's bytes: arrive puts them in order (advance, catchUp, gap), deliver joins them with what waits of an
// incomplete message, consume hands them to the reader of the flow's class. Sequence numbers are compared by their signed
// difference, because they wrap (RFC 9293 3.4). Where bytes come twice the first ones count: a later segment cannot replace
// what was read.

// arrive puts a segment into its stream: what is next is delivered, what is early waits, what is old is dropped.
func (o *observer) arrive(g *segment, seq, wireLen uint32, b []byte) {
	e := g.e
	if !g.synced() {
		g.sync(seq)
	}
	ahead := int32(seq - e.Next[g.dir])
	switch {
	case ahead > 0 && ahead <= maxEarly && o.wait(g, seq, wireLen, b):
		return
	case ahead > 0:
		o.gap(g, seq)
	case ahead < 0:
		old := uint32(-ahead)
		if old >= wireLen {
			o.rewound(g, seq, b)
			return
		}
		wireLen -= old
		b = b[min(int(old), len(b)):]
	}
	o.advance(g, wireLen, b)
	o.catchUp(g)
}

// advance delivers the next bytes of the stream.
func (o *observer) advance(g *segment, wireLen uint32, b []byte) {
	g.e.Next[g.dir] += wireLen
	o.deliver(g, b)
	if int(wireLen) > len(b) { // cut by the snap length
		o.lost(g, wireLen-uint32(len(b)))
	}
}

// catchUp delivers the early segments that are next now.
func (o *observer) catchUp(g *segment) {
	for g.e.Pend[g.dir] != 0 {
		h := g.e.Pend[g.dir]
		seq, _, _, ok := g.s.stitch.NextEarly(h)
		if !ok {
			return
		}
		if int32(seq-g.e.Next[g.dir]) > 0 {
			return
		}
		o.takeEarly(g, h)
	}
}

// takeEarly delivers the first early segment, which begins at or before the expected byte.
func (o *observer) takeEarly(g *segment, h uint32) {
	seq, wireLen, b := g.s.stitch.TakeEarly(h, o.early)
	o.early = b
	old := g.e.Next[g.dir] - seq
	if old >= wireLen {
		return
	}
	o.advance(g, wireLen-old, b[min(int(old), len(b)):])
}

// gap gives up the bytes missing before seq. Early segments before seq are delivered, and each hole between them breaks the
// message that it is in.
func (o *observer) gap(g *segment, seq uint32) {
	for g.e.Pend[g.dir] != 0 {
		h := g.e.Pend[g.dir]
		at, _, _, ok := g.s.stitch.NextEarly(h)
		if !ok || int32(at-seq) >= 0 {
			break
		}
		if missing := int32(at - g.e.Next[g.dir]); missing > 0 {
			g.e.Next[g.dir] = at
			o.lost(g, uint32(missing))
		}
		if g.e.Pend[g.dir] == h { // lost may have closed it, and all early segments with it
			o.takeEarly(g, h)
		}
	}
	if missing := int32(seq - g.e.Next[g.dir]); missing > 0 {
		g.e.Next[g.dir] = seq
		o.lost(g, uint32(missing))
	}
}

// lost reports to a stream's reader that the next n bytes are missing.
func (o *observer) lost(g *segment, n uint32) {
	if p := g.e.Pend[g.dir]; p != 0 {
		if buf := g.s.stitch.Get(p).Buf; len(buf) > 0 {
			o.stats.StreamGaps++
			o.broken(g, buf)
			if g.e.Pend[g.dir] == p {
				g.s.stitch.Keep(p, nil)
			}
		}
	}
	if g.e.Class == classHTTP {
		o.skipHTTP(g, int64(n))
	}
}

// rewound reads a segment that lies entirely before the expected byte. In a flow in which nothing was recognised, it may be
// a beginning that came late, or one of a connection whose first packets are not in the capture.
func (o *observer) rewound(g *segment, seq uint32, b []byte) {
	e := g.e
	if e.Class != classNew || e.Flags&(flowSYN|flowSYNACK) != 0 || e.Packets[g.dir] > 8 || wire.LooksTLS(b) != wire.Whole && wire.LooksRequest(b) != wire.Whole {
		return
	}
	e.Next[g.dir] = seq + g.d.PayloadLen
	o.deliver(g, b)
}

// drain delivers, at a flow's end, what still waits for missing bytes. There is no packet any more: segment.d is nil.
func (o *observer) drain(s *shard, i uint32, e *flow.Entry) {
	for dir := range e.Pend {
		if e.Pend[dir] == 0 {
			continue
		}
		g := segment{s: s, e: e, index: i, dir: dir}
		o.gap(&g, e.Next[dir]+1<<30) // far ahead of anything that may wait: see maxEarly
		o.lost(&g, 0)
	}
}

// deliver passes the next bytes of a stream to the reader of the flow's class. What the reader leaves waits for more.
func (o *observer) deliver(g *segment, b []byte) {
	h := g.e.Pend[g.dir]
	joined := false  // b is the Pend's buffer, not the packet
	var fresh []byte // the packet's own bytes, where b is joined
	if h != 0 && len(g.s.stitch.Get(h).Buf) > 0 {
		if !g.s.stitch.Hold(h, b) {
			o.broken(g, g.s.stitch.Get(h).Buf)
			g.s.stitch.Keep(h, nil)
			return
		}
		p := g.s.stitch.Get(h)
		if !worthALook(p) {
			return
		}
		p.Parsed = len(p.Buf)
		p.Looks++
		fresh = b
		b, joined = p.Buf, true
	}
	n, more := o.consume(g, b)
	if joined && n == 0 && !more && g.e.Class == classNew { // what waited is no protocol; the new bytes may begin one
		o.forget(g, h)
		b, joined = fresh, false
		n, more = o.consume(g, b)
	}
	switch {
	case !more || n >= len(b): // nothing has to wait
		if joined {
			o.forget(g, h)
		}
	case joined && n == 0: // all of it still waits, where it is
		o.relieve(g.s, h)
	default: // the rest waits: of the packet, or of the buffer behind a message that is done
		h = o.open(g)
		if !g.s.stitch.Keep(h, b[n:]) {
			o.forget(g, h)
			return
		}
		o.relieve(g.s, h)
	}
}

// worthALook keeps the cost of parsing a growing message linear: after 96 attempts it must have grown by an eighth.
func worthALook(p *flow.Pend) bool {
	return p.Looks < 96 || len(p.Buf)-p.Parsed >= len(p.Buf)/8
}

// forget drops a direction's waiting message, and its Pend if nothing else waits there.
func (o *observer) forget(g *segment, h uint32) {
	if g.e.Pend[g.dir] != h {
		return
	}
	if g.s.stitch.Waiting(h) > 0 {
		g.s.stitch.Keep(h, nil)
		return
	}
	g.s.stitch.Close(h)
	g.e.Pend[g.dir] = 0
}

// consume reads the messages at the start of b. It returns how many bytes are done with, and whether the rest must wait for
// more.
func (o *observer) consume(g *segment, b []byte) (n int, more bool) {
	for n < len(b) {
		class := g.e.Class
		var k int
		switch class {
		case classNew:
			if more = o.recognise(g, b[n:]); g.e.Class == classNew {
				return n, more
			}
			continue
		case classTLS:
			k, more = o.readTLS(g, b[n:])
		case classHTTP:
			k, more = o.readHTTP(g, b[n:])
		case classHTTP2:
			k, more = o.readHTTP2(g, b[n:])
		case classDNS:
			k, more = o.readDNS(g, b[n:])
		case classSMB:
			k, more = o.readSMB(g, b[n:])
		default:
			return len(b), false
		}
		n += k
		if more || k == 0 && g.e.Class == class {
			return n, more
		}
	}
	return n, false
}

// recognise sets the class of a flow by the first bytes of a segment, on any port. It returns whether they are too few to
// decide.
func (o *observer) recognise(g *segment, b []byte) (more bool) {
	e := g.e
	if e.PortA == 53 || e.PortB == 53 {
		if _, _, st := wire.NextDNSTCP(b); st != wire.No {
			e.Class = classDNS
			return false
		}
	}
	switch b[0] {
	case 23:
		if midTLS(b) {
			e.Class = classDone
			return false
		}
	case 0, 0x81:
		o.beginSMB(g)
		return false
	case 20, 21, 22, 0x80: // CCS, alert and handshake records; SSLv2 framing
		switch wire.LooksTLS(b) {
		case wire.Whole:
			e.Class = classTLS
			o.clearOther(g)
			return false
		case wire.More:
			return true
		}
	}
	if (b[0] < 'A' || b[0] > 'z') && b[0] != '\r' && b[0] != '\n' {
		return false
	}
	if st := wire.LooksH2(b); st != wire.No {
		if st == wire.Whole {
			e.Class = classHTTP2
		}
		return st == wire.More
	}
	return o.recogniseHTTP(g, b)
}

// broken reads what there is of a message that will never be complete. Bytes that deliver put off (see worthALook) are
// looked at first: the message may be whole after all.
func (o *observer) broken(g *segment, b []byte) {
	if p := g.s.stitch.Get(g.e.Pend[g.dir]); p.Parsed < len(b) {
		p.Parsed = len(b)
		if n, _ := o.consume(g, b); n > 0 || g.e.Pend[g.dir] == 0 {
			return
		}
	}
	switch g.e.Class {
	case classHTTP:
		o.brokenHTTP(g, b)
	case classTLS:
		o.stats.MalformedTLS++
	}
}
