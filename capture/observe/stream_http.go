package observe

import (
	"net/netip"
	"strings"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// What is expected next in one direction of an HTTP flow.
const (
	httpHead    = iota // a head comes next
	httpBody           // left bytes of a body are to come
	httpChunked        // a chunked body
	httpRest           // a body that ends with the connection
)

type httpSide struct {
	mode  uint8
	left  int64
	chunk wire.ChunkSkipper
}

// httpState is what is known about an HTTP connection between two segments.
type httpState struct {
	side    [2]httpSide
	client  int8 // direction of the requests
	heads   bool // a whole head was read
	connect bool // the last request was CONNECT
	head    bool // the last request was HEAD
	asked   uint8
	bare    uint64  // bit set of the requests without an answer that are HEAD, the oldest lowest: their answers have no body
	passed  [2]bool // by direction: after the last head there, the other side went on to its next message
}

// ask records a request.
func (st *httpState) ask(head, connect bool) {
	st.heads, st.head, st.connect = true, head, connect
	if st.asked == 64 {
		st.forget()
	}
	if head {
		st.bare |= 1 << st.asked
	}
	st.asked++
	st.passed[st.client], st.passed[1-st.client] = false, true
}

// replied records an answer and reports whether it answers a HEAD.
func (st *httpState) replied(status int) (head bool) {
	head = st.bare&1 != 0
	st.heads = true
	st.passed[1-st.client] = false
	if status/100 != 1 || status == 101 {
		st.bare >>= 1
		st.asked = max(st.asked, 1) - 1
		st.passed[st.client] = true
	}
	return head
}

// forget keeps only the last request: some answer was not seen, so answers cannot be matched to the older ones.
func (st *httpState) forget() {
	st.asked, st.bare = min(st.asked, 1), 0
	if st.head && st.asked == 1 {
		st.bare = 1
	}
}

func (o *observer) recogniseHTTP(g *segment, b []byte) (more bool) {
	client := int8(g.dir)
	st := wire.LooksRequest(b)
	if st == wire.No {
		client = int8(1 - g.dir)
		st = wire.LooksResponse(b)
	}
	if st != wire.Whole {
		return st == wire.More
	}
	g.e.Class = classHTTP
	g.e.Aux = g.s.http.put(httpState{client: client})
	return false
}

// readHTTP reads heads and skips bodies.
func (o *observer) readHTTP(g *segment, b []byte) (n int, more bool) {
	st := g.s.http.get(g.e.Aux)
	side := &st.side[g.dir]
	if st.passed[g.dir] && side.mode != httpHead && o.beginsHead(st, g.dir, b) {
		side.mode = httpHead
	}
	switch side.mode {
	case httpBody:
		n = int(min(side.left, int64(len(b))))
		side.left -= int64(n)
		if side.left == 0 {
			side.mode = httpHead
		}
		return n, false
	case httpChunked:
		n, done, ok := side.chunk.Skip(b)
		if done || !ok {
			side.mode = httpHead
		}
		if !ok {
			return len(b), false
		}
		return n, false
	case httpRest:
		if wire.LooksResponse(b) != wire.Whole || wire.ScanResponse(b, &o.answer) != wire.Whole {
			return len(b), false
		}
	}
	if st.client == int8(g.dir) {
		return o.readRequest(g, st, b)
	}
	return o.readResponse(g, st, b)
}

func (o *observer) readRequest(g *segment, st *httpState, b []byte) (n int, more bool) {
	v := &o.request
	switch wire.ScanRequest(b, v) {
	case wire.More:
		return 0, true
	case wire.No:
		return o.noHead(g, st, b)
	}
	st.ask(string(v.Method) == "HEAD", v.Connect)
	g.opens()
	g.e.Flags |= flowHello
	side := &st.side[g.dir]
	switch {
	case v.Chunked:
		side.mode, side.chunk = httpChunked, wire.ChunkSkipper{}
	case v.BodyLen > 0 && !v.Connect:
		side.mode, side.left = httpBody, v.BodyLen
	}
	o.emitRequest(g, b, v)
	return v.HeadLen, false
}

func (o *observer) emitRequest(g *segment, b []byte, v *wire.RequestView) {
	r := wire.ParseRequest(b, v, o.opt.Headers)
	p := capture.HTTP
	if g.e.Proto == protoUDP {
		p = capture.SSDP
	}
	o.requested(g, r, p, v.Connect)
}

func (o *observer) requested(g *segment, r *wire.Request, p capture.Proto, connect bool) {
	obs := o.emit(g, capture.Request, p, true)
	obs.Req = r
	obs.Name = hostName(r.Host)
	if connect {
		obs.Name = hostName(r.URI)
		obs.Marks |= capture.ConnectProxy
	}
	if _, err := netip.ParseAddr(obs.Name); err == nil {
		obs.Marks |= capture.BareAddress
	}
	if r.Via {
		obs.Marks |= capture.ViaProxy
	}
	if name := obs.Name; o.in != nil && o.in.Name([]byte(name)) {
		o.nameFlow(g, name)
	}
	g.e.Flags |= flowEmitted
}

// hostName returns a Host header or authority without its port, lower case, without trailing dot and without the brackets
// of an IPv6 address.
func hostName(s string) string {
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 0 {
			return strings.ToLower(s[1:end])
		}
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.IndexByte(s, ':') == i {
		s = s[:i]
	}
	return strings.TrimSuffix(strings.ToLower(s), ".")
}

func (o *observer) readResponse(g *segment, st *httpState, b []byte) (n int, more bool) {
	v := &o.answer
	switch wire.ScanResponse(b, v) {
	case wire.More:
		return 0, true
	case wire.No:
		return o.noHead(g, st, b)
	}
	if o.in != nil && v.BodyLen != 0 && st.bare&1 == 0 && !st.connect && len(b)-v.HeadLen < wire.BodyPeek &&
		(v.BodyLen < 0 || int64(len(b)-v.HeadLen) < v.BodyLen) {
		return 0, true // the first bytes of the body are worth waiting for
	}
	o.emitResponse(g, st, b, v)
	bare := st.replied(v.Status)
	side := &st.side[g.dir]
	side.mode = httpHead
	switch {
	case v.Status/100 == 1 || v.Status == 204 || v.Status == 304 || bare:
	case st.connect && v.Status/100 == 2:
		o.tunnel(g)
	case v.Chunked:
		side.mode, side.chunk = httpChunked, wire.ChunkSkipper{}
	case v.BodyLen >= 0:
		if v.BodyLen > 0 {
			side.mode, side.left = httpBody, v.BodyLen
		}
	default:
		side.mode = httpRest
	}
	return v.HeadLen, false
}

func (o *observer) emitResponse(g *segment, st *httpState, b []byte, v *wire.ResponseView) {
	r := wire.ParseResponse(b, v)
	if st.bare&1 != 0 || st.connect || v.BodyLen == 0 {
		r.Body = nil
	}
	obs := o.emit(g, capture.Response, capture.HTTP, false)
	obs.Resp = r
	g.e.Flags |= flowEmitted
}

// tunnel starts recognition again after the answer to a CONNECT (RFC 9110 9.3.6): another protocol follows.
func (o *observer) tunnel(g *segment) {
	g.s.release(g.e)
	g.e.Class = classNew
	g.e.Phase = [2]uint8{}
}

// noHead handles bytes that are not a head where one was expected: a piece of a body of unknown length, or another protocol
// after a CONNECT whose answer was not seen.
func (o *observer) noHead(g *segment, st *httpState, b []byte) (int, bool) {
	if wire.LooksTLS(b) == wire.Whole {
		o.tunnel(g)
		return 0, false
	}
	if !st.heads {
		o.tunnel(g)
	}
	return len(b), false
}

// beginsHead reports whether a body whose stated length was wrong has ended: b begins with a complete head.
func (o *observer) beginsHead(st *httpState, dir int, b []byte) bool {
	if int8(dir) == st.client {
		return wire.LooksRequest(b) == wire.Whole && wire.ScanRequest(b, &o.request) == wire.Whole
	}
	return wire.LooksResponse(b) == wire.Whole && wire.ScanResponse(b, &o.answer) == wire.Whole
}

// skipsBody reports whether the next n bytes of this direction belong to a body.
func (o *observer) skipsBody(g *segment, n uint32) bool {
	side := &g.s.http.get(g.e.Aux).side[g.dir]
	return side.mode == httpRest || side.mode == httpBody && side.left >= int64(n)
}

// skipHTTP skips n bytes that are not in the capture.
func (o *observer) skipHTTP(g *segment, n int64) {
	st := g.s.http.get(g.e.Aux)
	if st.client != int8(g.dir) {
		st.forget()
	}
	side := &st.side[g.dir]
	switch side.mode {
	case httpBody:
		if side.left -= n; side.left <= 0 {
			side.mode = httpHead
		}
	case httpChunked:
		side.mode = httpHead
	}
}

// brokenHTTP reads what there is of a head that breaks off.
func (o *observer) brokenHTTP(g *segment, b []byte) {
	st := g.s.http.get(g.e.Aux)
	if st.side[g.dir].mode != httpHead {
		return
	}
	if st.client == int8(g.dir) {
		if wire.ScanRequest(b, &o.request) != wire.No && len(o.request.Target) > 0 {
			o.emitRequest(g, b, &o.request)
		}
		return
	}
	if wire.ScanResponse(b, &o.answer) != wire.No && o.answer.Status > 0 {
		o.emitResponse(g, st, b, &o.answer)
	}
}

// h2Memory is the approximate memory of an HTTP/2 stream, header table and decoder, in bytes.
const h2Memory = 2048

// readHTTP2 reads requests of HTTP/2 in the clear; answers are not used.
func (o *observer) readHTTP2(g *segment, b []byte) (int, bool) {
	if g.e.Aux == 0 {
		g.e.Aux = g.s.h2.put(new(wire.H2Stream))
		g.e.Phase[g.dir] = 1
	}
	if g.e.Phase[g.dir] == 0 {
		return len(b), false
	}
	for _, r := range (*g.s.h2.get(g.e.Aux)).Feed(b) {
		o.requested(g, r, capture.HTTP, r.Method == "CONNECT")
	}
	o.charge(g, g.dir, h2Memory)
	return len(b), false
}
