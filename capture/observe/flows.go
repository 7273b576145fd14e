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
	flowFINA                  // A said FIN
	flowFINB                  // B said FIN
	flowRSTA                  // A sent RST
	flowRSTB                  // B sent RST
	flowSyncA                 // Next[0] is valid
	flowSyncB                 // Next[1] is valid
	flowBeyond                // a bare ACK or data came from the opener after SYN, and no SYN-ACK was seen
	flowUnreach               // an ICMP error spoke of it
	flowHello                 // a hello or request was seen
	flowNoCert                // the server's certificate does not matter
	flowNoRD                  // a DNS question with RD=0 was seen
	flowAlertFrom             // the TLS alert came from B
	flowTold                  // something of interest was emitted of it
	flowIPv6                  // the packets are IPv6, whatever the addresses look like
	flowNamed                 // a hello with a server name was seen, of interest or not
	flowAnswered              // B has sent
)

// Times without a packet after which a flow is over. Zeek's defaults are of the same size (tcp_inactivity_timeout 5 min,
// udp_inactivity_timeout 1 min, tcp_attempt_delay 5 s); ours are longer where an antivirus keeps a push channel open.
const (
	idleTCP     = 15 * time.Minute
	idleAttempt = time.Minute
	idleClosed  = 5 * time.Second
	idleUDP     = 2 * time.Minute
	idleDNS     = 10 * time.Second
	reportEvery = 10 * time.Minute
	tickEvery   = 10 * time.Second
	tellEvery   = time.Second // of packet time: how often Sink.Tick is called at most
)

// enter finds the flow of a packet or begins it. forward says that the packet goes from A to B.
func (o *observer) enter(d *decode.Headers, pl place) (s *shard, i uint32, e *flow.Entry, forward bool) {
	s = o.shards[flow.Shard(pl.hash)]
	i, forward, ok := s.table.LookupNear(pl.peeked, (*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto, pl.hash)
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
	i, e = s.table.Add((*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto, pl.hash)
	o.begin(s, d, e)
	return s, i, e, true
}

// counted does for most packets of a long flow, which only have to be counted, what enter, flags and the reader of the
// flow's class would. false: it has done nothing.
func (o *observer) counted(d *decode.Headers, pl *place) bool {
	e, forward, ok := o.table(pl).Near(pl.peeked, (*[16]byte)(&d.Src), (*[16]byte)(&d.Dst), d.SrcPort, d.DstPort, d.Proto)
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

// overdue says that it is time for the record of a flow that is still open.
func overdue(d *decode.Headers, e *flow.Entry) bool {
	return int32(uint32(d.Time/1e9)-e.Reported) >= int32(reportEvery/time.Second)
}

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

// opensBackward says that the first packet seen of a flow is most likely the answer to one that was not seen.
func opensBackward(d *decode.Headers) bool {
	if d.Proto == protoTCP && d.TCPFlags&decode.SYN != 0 {
		return d.TCPFlags&decode.ACK != 0
	}
	return service(d.SrcPort) && !service(d.DstPort)
}

// service says that a port is a server's rather than one that a client got for the moment.
func service(p uint16) bool {
	return p < 1024 && p != 0 || p == 1900 || p == 5353 || p == 5355 || p == 8080 || p == 8443 || p == 3128
}

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

func idle(e *flow.Entry) time.Duration {
	switch {
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

// reopened says that a SYN begins a new connection on the ports of an old one.
func reopened(d *decode.Headers, e *flow.Entry, forward bool) bool {
	if d.Proto != protoTCP || d.TCPFlags&(decode.SYN|decode.ACK|decode.RST) != decode.SYN {
		return false
	}
	if e.Flags&flowSYN == 0 {
		return e.Flags&flowSYNACK == 0
	}
	return d.Seq != e.ISN || forward != (e.Flags&flowReversed == 0)
}

// end writes a flow's last record and forgets it.
func (o *observer) end(s *shard, i uint32, e *flow.Entry) {
	o.conclude(s, i, e)
	s.table.Remove(i)
}

// conclude writes a flow's last record and forgets all but the flow itself.
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

// release forgets what a flow's class keeps elsewhere.
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

// record writes what a flow came to so far.
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

// endpoints returns the addresses and ports of what goes in direction dir.
func endpoints(e *flow.Entry, dir int) (src, dst netip.AddrPort) {
	six := e.Flags&flowIPv6 != 0
	src = netip.AddrPortFrom(capture.Addr16(e.A).Netip(six), e.PortA)
	dst = netip.AddrPortFrom(capture.Addr16(e.B).Netip(six), e.PortB)
	if dir == 1 {
		return dst, src
	}
	return src, dst
}

// setSides completes obs, which goes in direction dir, from the flow's entry alone: the link that the flow's first packet came
// by, its sender's hardware address, and the Host, which is obs.Src iff client.
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

// fillRecord takes a flow's facts. It writes one by one, for a literal would be made elsewhere and copied, which waits for
// all stores before it.
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

// unnamed says that no server name was seen of a flow whose protocol has one. A request by address has said whom it calls.
func unnamed(e *flow.Entry, p capture.Proto) bool {
	switch p {
	case capture.TLS, capture.QUIC, capture.DTLS:
		return e.Flags&flowNamed == 0
	case capture.HTTP:
		return e.Class == classHTTP && e.Flags&flowHello == 0
	}
	return false
}

// plain says that a flow shows nothing of interest: no name, no network, no port, no first bytes.
func (o *observer) plain(e *flow.Entry, obs *capture.Observation) bool {
	if o.in == nil || obs.Name != "" || e.Flags&flowTold != 0 || o.in.Addr(obs.Dst.Addr()) {
		return false
	}
	var out, in []byte
	if protoOf[e.Class] == capture.ProtoNone {
		out, in = obs.Flow.OutHead[:obs.Flow.OutHeadLen], obs.Flow.InHead[:obs.Flow.InHeadLen]
	}
	return !o.in.Flow(obs.Transport == capture.UDP, obs.Dst.Port(), out, in)
}

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

// quoted reads the flow that an ICMP "destination unreachable" (RFC 792; RFC 4443 3.1) speaks of.
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

func mapped(b []byte) (a [16]byte) {
	a[10], a[11] = 0xff, 0xff
	copy(a[12:], b)
	return a
}

func (o *observer) unreachable(d *decode.Headers, pl place) {
	k, _ := quoted(d)
	s := o.shards[flow.Shard(pl.hash)]
	if i, _, ok := s.table.Find(&k, pl.hash); ok {
		s.table.Entry(i).Flags |= flowUnreach
	}
}
