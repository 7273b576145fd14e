package observe

import (
	"net/netip"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/flow"
)

// Facts about a flow, in flow.Entry.Flags. The sides are A, which sent the first packet seen, and B.
const (
	flowReversed  = 1 << iota // B opened it
	flowSYN                   // the opener's SYN was seen
	flowSYNACK                // the answer to it was seen
	flowFINA                  // A sent FIN
	flowFINB                  // B sent FIN
	flowRSTA                  // A sent RST
	flowRSTB                  // B sent RST
	flowSyncA                 // Next[0] is valid
	flowSyncB                 // Next[1] is valid
	flowBeyond                // a bare ACK or data came from the opener after SYN, and no SYN-ACK was seen
	flowUnreach               // an ICMP error quoted it
	flowHello                 // a hello or request was seen
	flowNoCert                // the server's certificate does not matter
	flowNoRD                  // a DNS question with RD=0 was seen
	flowAlertFrom             // the TLS alert came from B
	flowEmitted               // something of interest was emitted of it
	flowIPv6                  // the packets are IPv6, whatever the addresses look like
	flowNamed                 // a hello with a server name was seen, of interest or not
	flowAnswered              // B has sent
)

// Times without a packet after which a flow has ended. Zeek's defaults are similar (tcp_inactivity_timeout 5 min,
// udp_inactivity_timeout 1 min, tcp_attempt_delay 5 s); ours are longer because antivirus products keep push channels open.
const (
	idleTCP     = 15 * time.Minute
	idleAttempt = time.Minute
	idleClosed  = 5 * time.Second
	idleUDP     = 2 * time.Minute
	idleDNS     = 10 * time.Second
	reportEvery = 10 * time.Minute
	tickEvery   = 10 * time.Second
	tickMin     = time.Second // packet time between two calls of Sink.Tick, at least
)

// enter finds the flow of a packet or begins it. forward: the packet goes from A to B.
func (o *observer) enter(d *decode.Headers, ref flowRef) (s *shard, i uint32, e *flow.Entry, forward bool) {
	s = o.shards[flow.Shard(ref.hash)]
	i, forward, ok := s.table.LookupNear(ref.peeked, (*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto, ref.hash)
	if ok {
		e = s.table.Entry(i)
		if d.Time-e.Last <= int64(idle(e)) && !reopened(d, e, forward) {
			o.touch(s, d, e, forward)
			return s, i, e, forward
		}
		o.end(s, i, e)
	}
	if s.table.Full() {
		v := s.table.Victim()
		o.end(s, v, s.table.Entry(v))
	}
	i, e = s.table.Add((*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto, ref.hash)
	o.begin(s, d, e)
	return s, i, e, true
}

// counted is the fast path for packets that change only counters, which are most packets of long flows. It returns false,
// having changed nothing, if the packet needs the slow path: enter, flags, and the reader of the flow's class.
func (o *observer) counted(d *decode.Headers, ref *flowRef) bool {
	e, forward, ok := o.table(ref).Near(ref.peeked, (*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto)
	if !ok || d.TCPFlags&(decode.SYN|decode.FIN|decode.RST) != 0 {
		return false
	}
	switch e.Class {
	case classDone, classDoneQUIC, classDoneDTLS:
	default:
		if d.PayloadLen > 0 {
			return false
		}
	}
	dir, opener := 0, e.Flags&flowReversed == 0
	if !forward {
		dir, opener = 1, !opener
	}
	if d.Time-e.Last > int64(idleClosed) || overdue(d, e) || e.TTL == 0 || e.HeadLen[dir] == 0 && d.PayloadLen > 0 {
		return false
	}
	if !forward {
		e.Flags |= flowAnswered
	}
	if opener && d.Proto == protoTCP {
		e.Flags |= flowBeyond
	}
	e.Last = max(e.Last, d.Time)
	e.LastFrame, e.LastInput = d.Frame, d.Input
	e.Packets[dir]++
	e.Bytes[dir] += uint64(d.IPLen)
	return true
}

// overdue reports whether a flow that is still open is due for a record.
func overdue(d *decode.Headers, e *flow.Entry) bool {
	return int32(uint32(d.Time/1e9)-e.Reported) >= int32(reportEvery/time.Second)
}

// begin fills the entry of a new flow from its first packet. The VLANs, tunnels and hardware addresses of that packet stand
// for the whole flow in what is made from the entry.
func (o *observer) begin(s *shard, d *decode.Headers, e *flow.Entry) {
	o.stats.Flows++
	e.First, e.Last = d.Time, d.Time
	e.FirstFrame, e.FirstInput = d.Frame, d.Input
	e.Reported = uint32(d.Time / 1e9)
	if opensBackward(d) {
		e.Flags |= flowReversed
	}
	if d.IPv6 {
		e.Flags |= flowIPv6
	}
	if d.HasMAC {
		e.MAC = [2][6]byte{d.SrcMAC, d.DstMAC}
	}
	if e.Flags&flowReversed == 0 {
		e.TTL = d.TTL
	}
	if d.Link != nil {
		e.Link = s.links.put(d.Link)
	}
	o.count(d, e, 0)
}

// opensBackward reports whether the first packet seen of a flow is most likely an answer, so that the other side opened the
// flow.
func opensBackward(d *decode.Headers) bool {
	if d.Proto == protoTCP && d.TCPFlags&decode.SYN != 0 {
		return d.TCPFlags&decode.ACK != 0
	}
	return service(d.SrcPort) && !service(d.DstPort)
}

// service reports whether a port is typical of servers rather than one that a client got for a moment.
func service(p uint16) bool {
	return p < 1024 && p != 0 || p == 1900 || p == 5353 || p == 5355 || p == 8080 || p == 8443 || p == 3128
}

// touch updates the entry of a known flow.
func (o *observer) touch(s *shard, d *decode.Headers, e *flow.Entry, forward bool) {
	dir := 0
	if !forward {
		dir = 1
		e.Flags |= flowAnswered
	}
	e.Last = max(e.Last, d.Time)
	o.count(d, e, dir)
	if overdue(d, e) {
		o.record(s, e, false)
		e.Reported = uint32(d.Time / 1e9)
	}
}

// count adds one packet to the entry's counters.
func (o *observer) count(d *decode.Headers, e *flow.Entry, dir int) {
	e.LastFrame, e.LastInput = d.Frame, d.Input
	e.Packets[dir]++
	e.Bytes[dir] += uint64(d.IPLen)
	if e.TTL == 0 && (dir == 0) == (e.Flags&flowReversed == 0) {
		e.TTL = d.TTL
	}
	if e.HeadLen[dir] == 0 && len(d.Payload) > 0 {
		e.HeadLen[dir] = uint8(copy(e.Head[dir][:], d.Payload))
	}
}

// idle is how long a flow may be silent before it has ended.
func idle(e *flow.Entry) time.Duration {
	switch {
	// A moment for what is still on its way: a flow that ended at once would begin again with the last ACK.
	case e.Proto == protoTCP && e.Flags&(flowRSTA|flowRSTB) != 0, e.Flags&(flowFINA|flowFINB) == flowFINA|flowFINB:
		return idleClosed
	case e.Proto == protoTCP && e.Flags&flowAnswered == 0:
		return idleAttempt
	case e.Proto == protoTCP:
		return idleTCP
	case e.PortB == 53 || e.PortA == 53:
		if e.Flags&flowAnswered != 0 {
			return idleClosed
		}
		return idleDNS
	default:
		return idleUDP
	}
}

// reopened reports whether a SYN begins a new connection on the ports of an old one. The same SYN again, from the same side
// with the same number, is a retransmission. Where the old connection's SYN was not seen, a SYN-ACK without it shows that this
// SYN is the one that came late.
func reopened(d *decode.Headers, e *flow.Entry, forward bool) bool {
	if d.Proto != protoTCP || d.TCPFlags&(decode.SYN|decode.ACK|decode.RST) != decode.SYN {
		return false
	}
	if e.Flags&flowSYN == 0 {
		return e.Flags&flowSYNACK == 0
	}
	return d.Seq != e.ISN || forward != (e.Flags&flowReversed == 0)
}

// end writes a flow's last record and removes it from the table.
func (o *observer) end(s *shard, i uint32, e *flow.Entry) {
	o.conclude(s, i, e)
	s.table.Remove(i)
}

// conclude writes a flow's last record and forgets all but the flow itself. What still waits is read first: its packets are
// gone, so these Observations come from the entry alone.
func (o *observer) conclude(s *shard, i uint32, e *flow.Entry) {
	o.drain(s, i, e)
	o.record(s, e, true)
	for dir := range e.Pend {
		s.stitch.Close(e.Pend[dir])
	}
	s.release(e)
	s.names.drop(e.Name)
	s.links.drop(e.Link)
}

// release frees what a flow's class keeps elsewhere.
func (s *shard) release(e *flow.Entry) {
	switch e.Class {
	case classHTTP:
		s.http.drop(e.Aux)
	case classQUIC:
		s.dropQUIC(e.Aux)
	case classDTLS:
		s.dtls.drop(e.Aux)
	case classHTTP2:
		s.h2.drop(e.Aux)
	}
	e.Aux = 0
}

// record emits the flow record so far, or the last one (final).
func (o *observer) record(s *shard, e *flow.Entry, final bool) {
	out, in := 0, 1
	if e.Flags&flowReversed != 0 {
		out, in = 1, 0
	}
	obs := o.grow()
	r := o.out.flow()
	fillRecord(r, e, out, in)
	r.Final = final
	if r.Outcome == capture.OneSided && final {
		o.stats.OneSided++
	}
	obs.Time, obs.Frame, obs.Input = r.Last, e.LastFrame, e.LastInput
	obs.Kind, obs.Flow = capture.Contact, r
	obs.Proto, obs.Transport = capture.TCP, capture.TCP
	if e.Proto == protoUDP {
		obs.Proto, obs.Transport = capture.UDP, capture.UDP
	}
	obs.Src, obs.Dst = endpoints(e, out)
	s.setSides(obs, e, out, true)
	if e.Name != 0 {
		obs.Name = *s.names.get(e.Name)
	}
	if unnamed(e, r.Proto) {
		obs.Marks |= capture.NoName
	}
	if o.plain(e, obs) {
		obs.Marks |= capture.Plain
	}
}

// endpoints returns source and destination of what goes in direction dir (0: from A to B).
func endpoints(e *flow.Entry, dir int) (src, dst netip.AddrPort) {
	six := e.Flags&flowIPv6 != 0
	src = netip.AddrPortFrom(capture.Addr16(e.A).Netip(six), e.PortA)
	dst = netip.AddrPortFrom(capture.Addr16(e.B).Netip(six), e.PortB)
	if dir == 1 {
		return dst, src
	}
	return src, dst
}

// setSides completes obs, which goes in direction dir, from the flow's entry alone: the link and hardware addresses of the
// flow's first packet, and its Host, obs.Src if client, else obs.Dst.
func (s *shard) setSides(obs *capture.Observation, e *flow.Entry, dir int, client bool) {
	if e.Link != 0 {
		obs.Link = *s.links.get(e.Link)
	}
	obs.SrcMAC = e.MAC[dir]
	obs.HasSrcMAC = obs.SrcMAC != [6]byte{}
	obs.FromClient = client
	if client {
		obs.Host = capture.Host{Addr: obs.Src.Addr(), MAC: e.MAC[dir]}
	} else {
		obs.Host = capture.Host{Addr: obs.Dst.Addr(), MAC: e.MAC[1-dir]}
	}
	obs.Host.HasMAC = obs.Host.MAC != [6]byte{}
	if obs.Link != nil && len(obs.Link.VLANs) > 0 {
		obs.Host.VLAN = obs.Link.VLANs[0]
	}
}

// fillRecord copies a flow's facts. It assigns field by field: a literal would be built elsewhere and copied, and the copy
// would wait for all stores before it.
func fillRecord(r *capture.FlowRecord, e *flow.Entry, out, in int) {
	*r = capture.FlowRecord{}
	r.FirstFrame, r.LastFrame, r.FirstInput = e.FirstFrame, e.LastFrame, e.FirstInput
	r.First, r.Last = time.Unix(0, e.First).UTC(), time.Unix(0, e.Last).UTC()
	r.PacketsOut, r.PacketsIn = uint64(e.Packets[out]), uint64(e.Packets[in])
	r.BytesOut, r.BytesIn = e.Bytes[out], e.Bytes[in]
	r.RTT = time.Duration(e.RTT) * time.Microsecond
	r.Outcome, r.Proto, r.TTL = outcome(e), protoOf[e.Class], e.TTL
	r.Reset, r.ResetByServer = e.Flags&(flowRSTA|flowRSTB) != 0, e.Flags&(flowRSTA<<in) != 0
	r.TLSAlert, r.TLSAlertFromServer = e.Alert, e.Alert != 0 && (e.Flags&flowAlertFrom != 0) == (in == 1)
	r.OutHead, r.InHead, r.OutHeadLen, r.InHeadLen = e.Head[out], e.Head[in], e.HeadLen[out], e.HeadLen[in]
	r.Lookups, r.NoRecursion = e.Count, e.Flags&flowNoRD != 0
}

// unnamed reports whether a flow's protocol has server names and none was seen. An HTTP request to a bare address counts as
// named: it says whom it contacts.
func unnamed(e *flow.Entry, p capture.Proto) bool {
	switch p {
	case capture.TLS, capture.QUIC, capture.DTLS:
		return e.Flags&flowNamed == 0
	case capture.HTTP:
		return e.Class == classHTTP && e.Flags&flowHello == 0
	}
	return false
}

// plain reports whether nothing about a flow is of interest: no name, network, port or first bytes.
func (o *observer) plain(e *flow.Entry, obs *capture.Observation) bool {
	if o.in == nil || obs.Name != "" || e.Flags&flowEmitted != 0 || o.in.Addr(obs.Dst.Addr()) {
		return false
	}
	var out, in []byte
	if protoOf[e.Class] == capture.ProtoNone {
		out, in = obs.Flow.OutHead[:obs.Flow.OutHeadLen], obs.Flow.InHead[:obs.Flow.InHeadLen]
	}
	return !o.in.Flow(obs.Transport == capture.UDP, obs.Dst.Port(), out, in)
}

// outcome decides how a flow went. Packets that are missing from the capture must not turn an established flow into a
// refused or unanswered one, hence the flags.
func outcome(e *flow.Entry) capture.Outcome {
	back := 1
	if e.Flags&flowReversed != 0 {
		back = 0
	}
	answered := e.Packets[back] > 0
	if e.Proto == protoUDP {
		switch {
		case answered && e.Packets[1-back] > 0:
			return capture.Established
		case answered:
			return capture.OneSided
		case e.Flags&flowUnreach != 0:
			return capture.Refused
		default:
			return capture.NoAnswer
		}
	}
	resetBack := e.Flags&(flowRSTA<<back) != 0
	switch {
	case e.Flags&(flowSYN|flowSYNACK) == flowSYN|flowSYNACK:
		return capture.Established
	case e.Flags&flowSYN != 0 && resetBack, e.Flags&flowSYN != 0 && e.Flags&flowUnreach != 0:
		return capture.Refused
	case e.Packets[0] == 0 || e.Packets[1] == 0:
		if e.Flags&flowSYN != 0 && e.Flags&flowBeyond == 0 {
			return capture.NoAnswer
		}
		return capture.OneSided
	default:
		return capture.Midstream
	}
}

// quoted reads the flow that an ICMP "destination unreachable" (RFC 792; RFC 4443 3.1) quotes: IP header and eight bytes at
// least, which hold the ports. The quoted packet is the flow's own, so source and destination are as the sender wrote them.
func quoted(d *decode.Headers) (k flow.Key, ok bool) {
	kind := d.SrcPort >> 8
	b := d.Payload
	switch {
	case d.Proto == protoICMP && kind == 3 && len(b) >= 28 && b[0]>>4 == 4:
		h := int(b[0]&15) * 4
		if h < 20 || len(b) < h+8 {
			return k, false
		}
		k.Proto = b[9]
		k.Src, k.Dst = mapped(b[12:16]), mapped(b[16:20])
		b = b[h:]
	case d.Proto == protoICMPv6 && kind == 1 && len(b) >= 48 && b[0]>>4 == 6:
		k.Proto = b[6]
		k.Src, k.Dst = [16]byte(b[8:24]), [16]byte(b[24:40])
		b = b[40:]
	default:
		return k, false
	}
	k.SrcPort = uint16(b[0])<<8 | uint16(b[1])
	k.DstPort = uint16(b[2])<<8 | uint16(b[3])
	return k, k.Proto == protoTCP || k.Proto == protoUDP
}

// mapped returns an IPv4 address in its v4-mapped form.
func mapped(b []byte) (a [16]byte) {
	a[10], a[11] = 0xff, 0xff
	copy(a[12:], b)
	return a
}

// unreachable marks the flow that an ICMP error quotes.
func (o *observer) unreachable(d *decode.Headers, ref flowRef) {
	k, _ := quoted(d)
	s := o.shards[flow.Shard(ref.hash)]
	if i, _, ok := s.table.Find(&k, ref.hash); ok {
		s.table.Entry(i).Flags |= flowUnreach
	}
}
