package observe

import (
	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// How far one direction of a TLS flow was read, in flow.Entry.Phase.
const (
	tlsBegin     = iota // nothing whole yet
	tlsHello            // client: its hello was read
	tlsAnswered         // server: its hello was read
	tlsCertified        // server: its certificates were read
	tlsEnd              // nothing more is wanted
)

// helloDone is the handshake type of a ServerHelloDone, which ends a server's flight (RFC 5246 7.4).
const helloDone = 14

// readTLS reads the plaintext handshake at the start of b. It starts from the first record each time: nothing is kept
// between calls but the phase and the bytes that wait.
func (o *observer) readTLS(g *segment, b []byte) (n int, more bool) {
	switch g.e.Phase[g.dir] {
	case tlsEnd:
		return len(b), false
	case tlsHello:
		return o.afterHello(g, b)
	}
	scan := wire.ScanHandshake(b, o.scratch)
	for {
		typ, body, st := scan.Next()
		switch {
		case st == wire.More && o.alert(g, &scan):
			o.finish(g)
			return len(b), false
		case st == wire.More:
			return 0, true
		case st == wire.No && g.e.Phase[g.dir] == tlsBegin && wire.LooksResponse(b) == wire.Whole:
			o.tunnel(g)
			g.e.Class = classHTTP
			// A web server's answer to a TLS hello; or a proxy's to the CONNECT that came just before the hello.
			g.e.Aux = g.s.http.put(httpState{client: int8(1 - g.dir), connect: true})
			return 0, false
		case st == wire.No:
			o.alert(g, &scan)
			o.finish(g)
			return len(b), false
		case typ == wire.HandshakeClientHello && g.e.Phase[g.dir] == tlsBegin:
			if b[0]&0x80 != 0 { // an SSLv2-framed hello has no name, and no fingerprint is defined for it
				g.e.Phase[g.dir] = tlsHello
				return len(b), false
			}
			o.clientHello(g, body)
			return len(b) - len(scan.Rest()), false
		case !o.serverMessage(g, typ, body):
			o.finish(g)
			return len(b), false
		}
	}
}

// serverMessage reads one message of a server's flight. It returns false if no more of it is wanted.
func (o *observer) serverMessage(g *segment, typ byte, body []byte) bool {
	phase := &g.e.Phase[g.dir]
	switch {
	case g.e.Flags&flowNoCert != 0 || typ == helloDone:
		return false
	case typ == wire.HandshakeServerHello && *phase == tlsBegin:
		*phase = tlsAnswered
		h, err := wire.ParseServerHello(body, false)
		if err != nil {
			o.stats.MalformedTLS++
			return true
		}
		obs := o.emit(g, capture.ServerHello, capture.TLS, false)
		obs.Server = h
	case typ == wire.HandshakeCertificate && *phase <= tlsAnswered:
		*phase = tlsCertified
		o.certificates(g, body, capture.TLS)
	}
	return true
}

func (o *observer) certificates(g *segment, body []byte, p capture.Proto) {
	certs, err := wire.ParseCertificates(body, p == capture.DTLS)
	if err != nil {
		o.stats.MalformedTLS++
	}
	for i := range certs {
		obs := o.emit(g, capture.Cert, p, g.fromOpener())
		obs.Cert = &certs[i]
		g.e.Flags |= flowEmitted
		obs.Name = hostName(certs[i].SubjectCN)
	}
}

// clientHello reads a client's hello and decides what else of the flow is wanted: with an Interest, nothing of a flow whose
// name is of none.
func (o *observer) clientHello(g *segment, body []byte) {
	e := g.e
	e.Phase[g.dir] = tlsHello
	e.Flags |= flowHello
	g.opens()
	wanted, ok := o.emitHello(g, body, capture.TLS, 0)
	if !ok {
		o.stats.MalformedTLS++
		return
	}
	if o.in == nil || wanted || len(o.hello.SNI) == 0 {
		return
	}
	e.Flags |= flowNoCert
	e.Class = classDone
}

// opens makes the segment's sender the side that opened the flow, unless a SYN has shown who did.
func (g *segment) opens() {
	if g.e.Flags&(flowSYN|flowSYNACK) != 0 {
		return
	}
	if g.dir == 1 {
		g.e.Flags |= flowReversed
	} else {
		g.e.Flags &^= flowReversed
	}
}

// emitHello emits a ClientHello if it may matter. The view of it stays in o.hello.
func (o *observer) emitHello(g *segment, body []byte, p capture.Proto, quic uint32) (wanted, ok bool) {
	v := &o.hello
	if p == capture.DTLS {
		ok = wire.PeekDTLSClientHello(body, v)
	} else {
		ok = wire.PeekClientHello(body, v)
	}
	if !ok {
		return false, false
	}
	if v.ECH {
		o.stats.HellosECH++
	}
	if len(v.SNI) == 0 {
		o.stats.HellosUnnamed++
	} else {
		g.e.Flags |= flowNamed
	}
	_, server := endpoints(g.e, g.dir)
	o.hidden(p, server.Port())
	wanted = o.wants(v.SNI, server.Addr())
	if !wanted {
		return false, true
	}
	g.e.Flags |= flowEmitted
	h, err := wire.ParseClientHello(body, p == capture.DTLS, quic)
	if err != nil {
		return true, false
	}
	obs := o.emit(g, capture.Hello, p, true)
	obs.Hello = h
	obs.Name = string(v.SNI)
	if v.ECH {
		obs.Marks |= capture.ECHPresent
	}
	o.nameFlow(g, obs.Name)
	return true, true
}

// hidden counts flows that carry encrypted DNS: DoT (RFC 7858) and DoQ (RFC 9250), by their ports.
func (o *observer) hidden(p capture.Proto, port uint16) {
	if port != 853 && port != 784 && port != 8853 {
		return
	}
	if p == capture.QUIC {
		o.stats.FlowsDoQ++
	} else if port == 853 {
		o.stats.FlowsDoT++
	}
}

// nameFlow keeps the name in a flow's hello or request, for its record.
func (o *observer) nameFlow(g *segment, name string) {
	if o.in == nil || name == "" || g.e.Name != 0 {
		return
	}
	g.e.Name = g.s.names.put(name)
}

// afterHello looks for a second hello, which answers a HelloRetryRequest (RFC 8446 4.1.4), and for an alert.
func (o *observer) afterHello(g *segment, b []byte) (int, bool) {
	rest := b
	if len(rest) >= 6 && rest[0] == 20 && rest[4] == 1 { // the ChangeCipherSpec of middlebox compatibility mode
		rest = rest[6:]
	}
	if len(rest) == 0 {
		return len(b), false
	}
	if rest[0] == 20 && len(rest) < 6 || rest[0] == 21 && wire.LooksTLS(rest) == wire.More {
		return 0, true
	}
	if rest[0] == 22 {
		if more := o.secondFlight(g, rest); more {
			return 0, true
		}
		o.finish(g)
		return len(b), false
	}
	if rest[0] == 21 && wire.LooksTLS(rest) == wire.Whole {
		scan := wire.ScanHandshake(rest, o.scratch)
		scan.Next()
		o.alert(g, &scan)
	}
	o.finish(g)
	return len(b), false
}

// secondFlight reads what a client sends after the server's first answer: another hello, or its certificate.
func (o *observer) secondFlight(g *segment, b []byte) (more bool) {
	if len(b) < 6 {
		return true
	}
	switch typ := b[5]; {
	case typ == wire.HandshakeClientHello && wire.LooksTLS(b) != wire.No:
	case typ == wire.HandshakeCertificate && o.in == nil:
	default:
		return false
	}
	scan := wire.ScanHandshake(b, o.scratch)
	typ, body, st := scan.Next()
	switch {
	case st == wire.More:
		return true
	case st == wire.Whole && typ == wire.HandshakeClientHello:
		o.emitHello(g, body, capture.TLS, 0)
	case st == wire.Whole && typ == wire.HandshakeCertificate:
		o.certificates(g, body, capture.TLS)
	}
	return false
}

// alert keeps the first fatal alert in the clear (level 2; RFC 8446 6) and reports whether there was one.
func (o *observer) alert(g *segment, scan *wire.HandshakeScan) bool {
	if !scan.HasAlert || scan.AlertLevel != 2 || scan.Encrypted {
		return false
	}
	if g.e.Alert == 0 {
		g.e.Alert = max(scan.AlertDesc, 1)
		if g.dir == 1 {
			g.e.Flags |= flowAlertFrom
		}
	}
	return true
}

// finish ends the reading of one direction. When both have ended, the flow's packets are only counted.
func (o *observer) finish(g *segment) {
	g.e.Phase[g.dir] = tlsEnd
	if g.e.Phase[0] == tlsEnd && g.e.Phase[1] == tlsEnd {
		g.e.Class = classDone
	}
}

// midTLS reports whether b begins with a record of application data (RFC 8446 5.1): the flow is a TLS connection whose
// handshake is not in the capture.
func midTLS(b []byte) bool {
	const most = 1<<14 + 2048
	return len(b) >= 5 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= most
}

// clearOther drops what waits in the other direction of a flow that turned out to be TLS, if it is not TLS: PostgreSQL
// agrees to TLS with one byte that looks like the beginning of an HTTP method.
func (o *observer) clearOther(g *segment) {
	h := g.e.Pend[1-g.dir]
	if h == 0 {
		return
	}
	if buf := g.s.stitch.Get(h).Buf; len(buf) > 0 && wire.LooksTLS(buf) == wire.No {
		g.s.stitch.Keep(h, nil)
	}
}
