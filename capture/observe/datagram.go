package observe

import (
	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/wire"
)

// Well-known UDP ports (https://www.iana.org/assignments/service-names-port-numbers).
const (
	portDNS      = 53
	portDHCP     = 67
	portDHCPc    = 68
	portNBNS     = 137
	portNBDGM    = 138
	portDHCPv6c  = 546
	portDHCPv6   = 547
	portSSDP     = 1900
	portMDNS     = 5353
	portLLMNR    = 5355
	maxQUICTries = 16 // datagrams that a client's hello may be spread over
)

// udp reads a datagram. A flow of QUIC or DTLS has a reader of its own; all other datagrams are recognised one by one, as several
// protocols may share a flow's ports.
func (o *observer) udp(d *decode.Headers, ref flowRef) {
	s, i, e, forward := o.enter(d, ref)
	g := segment{d: d, s: s, e: e, index: i}
	if !forward {
		g.dir = 1
	}
	b := d.Payload
	if len(b) == 0 {
		return
	}
	switch e.Class {
	case classDoneQUIC, classDoneDTLS:
	case classQUIC:
		o.readQUIC(&g, b)
	case classDTLS:
		o.readDTLS(&g, b)
	default:
		o.datagram(&g, b)
	}
}

// datagram recognises the protocol by ports or first bytes and reads the message. Ports come first where a protocol has no first bytes
// of its own; after them the cheapest test of bytes.
func (o *observer) datagram(g *segment, b []byte) {
	switch d := g.d; {
	case d.DstPort == portDNS || d.SrcPort == portDNS:
		g.e.Class = classDNS
		o.dns(g, b, capture.DNS)
	case d.DstPort == portMDNS || d.SrcPort == portMDNS:
		o.dns(g, b, capture.MDNS)
	case d.DstPort == portLLMNR || d.SrcPort == portLLMNR:
		o.dns(g, b, capture.LLMNR)
	case d.DstPort == portNBNS || d.SrcPort == portNBNS:
		o.netbios(g, b)
	case d.DstPort == portNBDGM && o.in != nil:
		o.netbiosDatagram(g, b)
	case d.DstPort == portDHCP || d.DstPort == portDHCPc:
		m, err := wire.ParseDHCP(b)
		o.dhcp(g, m, err)
	case d.DstPort == portDHCPv6 || d.DstPort == portDHCPv6c:
		m, err := wire.ParseDHCPv6(b)
		o.dhcp(g, m, err)
	case b[0]&0xc0 == 0xc0 && o.beginQUIC(g, b):
	case b[0]&0xc0 == 0 && o.gquic(g, b):
	case b[0] == 22 && wire.LooksDTLS(b):
		g.e.Class = classDTLS
		o.readDTLS(g, b)
	case (d.DstPort == portSSDP || d.SrcPort == portSSDP) && o.in == nil:
		o.ssdp(g, b)
	}
}

func (o *observer) netbios(g *segment, b []byte) {
	names, err := wire.ParseNBNS(b)
	if err != nil && len(names) == 0 {
		o.stats.MalformedOther++
		return
	}
	for i := range names {
		obs := o.emit(g, capture.Identity, capture.NBNS, true)
		obs.ID = &capture.IdentityDetail{NBNS: &names[i]}
	}
}

// netbiosDatagram reads the sender's name. Only with an Interest: avbeacon observe has no line for it.
func (o *observer) netbiosDatagram(g *segment, b []byte) {
	n, err := wire.ParseNetBIOSDatagram(b)
	if err != nil {
		return // errors and fragments are part of that service
	}
	obs := o.emit(g, capture.Identity, capture.NBNS, true)
	obs.ID = &capture.IdentityDetail{NBNS: &n}
}

// dhcp passes on clients' and servers' messages; an observation of a client's is about its sender.
func (o *observer) dhcp(g *segment, m *wire.DHCP, err error) {
	if err != nil || m == nil {
		o.stats.MalformedOther++
		return
	}
	obs := o.emit(g, capture.Identity, capture.DHCP, g.d.DstPort == portDHCP || g.d.DstPort == portDHCPv6)
	obs.ID = &capture.IdentityDetail{DHCP: m}
}

// ssdp reads the HTTP over UDP of UPnP device architecture 1.1.
func (o *observer) ssdp(g *segment, b []byte) {
	if wire.LooksRequest(b) == wire.No || wire.ScanRequest(b, &o.request) == wire.No || len(o.request.Target) == 0 {
		return
	}
	o.emitRequest(g, b, &o.request)
}

// beginQUIC reads the first Initial of a QUIC connection. It returns false if the datagram is not QUIC.
func (o *observer) beginQUIC(g *segment, b []byte) bool {
	if _, ok := wire.LooksQUIC(b); !ok {
		return o.gquic(g, b)
	}
	g.e.Class = classQUIC
	x := g.s.idleQUIC()
	if !o.feedQUIC(g, x, b) && g.e.Class == classQUIC {
		g.e.Aux = g.s.quics.put(x)
		o.charge(g, 0, x.Memory())
		return true
	}
	g.s.endQUIC(x)
	return true
}

const (
	mostIdleQUIC   = 32       // streams that a shard keeps for reuse
	mostQUICMemory = 16 << 10 // bytes that a stream kept for reuse has at most
)

// idleQUIC returns a stream for a new connection, with the buffers of one that ended if there is one.
func (s *shard) idleQUIC() *wire.QUICStream {
	n := len(s.quicsIdle)
	if n == 0 {
		return new(wire.QUICStream)
	}
	x := s.quicsIdle[n-1]
	s.quicsIdle = s.quicsIdle[:n-1]
	return x
}

// endQUIC keeps a stream for reuse, unless it has grown large.
func (s *shard) endQUIC(x *wire.QUICStream) {
	if len(s.quicsIdle) < mostIdleQUIC && x.Memory() <= mostQUICMemory {
		x.Reset()
		s.quicsIdle = append(s.quicsIdle, x)
	}
}

// dropQUIC releases the stream of a handle.
func (s *shard) dropQUIC(h uint32) {
	if h != 0 {
		s.endQUIC(*s.quics.get(h))
		s.quics.drop(h)
	}
}

// readQUIC reads further datagrams of a connection whose hello is not complete.
func (o *observer) readQUIC(g *segment, b []byte) {
	s := *g.s.quics.get(g.e.Aux)
	if o.feedQUIC(g, s, b) {
		o.charge(g, 0, 0)
	} else {
		o.charge(g, 0, s.Memory()) // one account for both directions
	}
}

// feedQUIC passes a datagram to a connection's stream. It returns true if the flow is done with.
func (o *observer) feedQUIC(g *segment, s *wire.QUICStream, b []byte) bool {
	if g.e.Phase[1] != 0 && int(g.e.Phase[1]) == g.dir+1 { // the client's side is known, and this is not it
		o.quic.FeedServer(s, b)
		return false
	}
	hello, st := o.quic.Feed(s, b)
	switch st {
	case wire.Whole:
		g.opens()
		if _, ok := o.emitHello(g, hello, capture.QUIC, s.Version); !ok {
			o.stats.MalformedQUIC++
		}
	case wire.More:
		g.e.Phase[1] = uint8(2 - g.dir) // the other direction is the server's
		if g.e.Phase[0]++; g.e.Phase[0] < maxQUICTries {
			return false
		}
		o.stats.MalformedQUIC++
	default:
		if g.e.Phase[0]++; g.e.Phase[0] < maxQUICTries { // server's packets, or those of a Retry
			o.quic.FeedServer(s, b)
			return false
		}
	}
	g.s.release(g.e)
	g.e.Class = classDoneQUIC
	return true
}

// maxGQUICTries is how many datagrams of one side are searched for a hello of Google's QUIC.
const maxGQUICTries = 3

// gquic reads the hello of Google's QUIC from before QUIC used TLS, among a flow's first datagrams.
func (o *observer) gquic(g *segment, b []byte) bool {
	if g.e.Packets[g.dir] > maxGQUICTries {
		return false
	}
	h, _, ok := wire.ParseGQUIC(b)
	if !ok {
		return false
	}
	g.opens()
	g.e.Class = classDoneQUIC
	if h.SNI != "" {
		g.e.Flags |= flowNamed
	}
	if o.wants([]byte(h.SNI), g.d.Dst.Netip(g.d.IPv6)) {
		g.e.Flags |= flowEmitted
		obs := o.emit(g, capture.Hello, capture.QUIC, true)
		obs.Hello, obs.Name = h, h.SNI
		o.nameFlow(g, obs.Name)
	}
	return true
}

// readDTLS reads the handshake of both sides until the server's is done. The streams are made at the first datagram and released there;
// only observe, which has no Interest, keeps reading for the client's certificate.
func (o *observer) readDTLS(g *segment, b []byte) {
	if g.e.Aux == 0 {
		g.e.Aux = g.s.dtls.put(new([2]wire.DTLSStream))
	}
	s := &(*g.s.dtls.get(g.e.Aux))[g.dir]
	s.Feed(b)
	for {
		typ, body, ok := s.Next()
		if !ok {
			o.charge(g, g.dir, s.Memory())
			return
		}
		switch typ {
		case wire.HandshakeClientHello:
			g.opens()
			if _, ok := o.emitHello(g, body, capture.DTLS, 0); !ok {
				o.stats.MalformedTLS++
			}
		case wire.HandshakeServerHello:
			h, err := wire.ParseServerHello(body, true)
			if err != nil {
				o.stats.MalformedTLS++
				continue
			}
			obs := o.emit(g, capture.ServerHello, capture.DTLS, false)
			obs.Server = h
		case wire.HandshakeCertificate:
			o.certificates(g, body, capture.DTLS)
		case helloDone:
			if o.in == nil {
				continue // the client's certificate may follow
			}
			g.s.release(g.e)
			g.e.Class = classDoneDTLS
			o.charge(g, 0, 0)
			o.charge(g, 1, 0)
			return
		}
	}
}
