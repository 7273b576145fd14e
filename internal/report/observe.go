package report

import (
	"strconv"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// Lines encodes Observations as `avbeacon observe` prints them: one JSON object per line. It needs Files set and nothing else; Append
// may be called concurrently.
type Lines struct {
	Files []string // names of the inputs, by index
}

// Append appends the lines of one Observation to dst: none, one, or one for each DNS question.
func (l *Lines) Append(dst []byte, o *capture.Observation) []byte {
	switch o.Kind {
	case capture.Lookup, capture.Answer:
		return l.dns(dst, o)
	case capture.Identity:
		return l.identity(dst, o)
	}
	kind, ok := kindText(o)
	if !ok {
		return dst
	}
	w := l.begin(dst, o, kind)
	switch o.Kind {
	case capture.Hello:
		w.hello(o)
	case capture.ServerHello:
		w.serverHello(o.Server)
	case capture.Cert:
		w.certificate(o.Cert)
	case capture.Request:
		w.request(o.Req)
	case capture.Response:
		w.num("status", int64(o.Resp.Status))
		w.text("content_type", o.Resp.ContentType)
	case capture.Contact:
		w.flow(o.Flow)
	}
	return w.end()
}

// kindText names the lines of a kind; false for what has no line.
func kindText(o *capture.Observation) (string, bool) {
	if o.Kind == capture.Hello && o.Proto == capture.QUIC {
		return "quic_client_hello", true
	}
	words := [...]string{capture.Hello: "tls_client_hello", capture.ServerHello: "tls_server_hello", capture.Cert: "tls_certificate",
		capture.Request: "http_request", capture.Response: "http_response", capture.Contact: "flow"}
	if int(o.Kind) >= len(words) || o.Kind == capture.Contact && !o.Flow.Final {
		return "", false
	}
	return words[o.Kind], words[o.Kind] != ""
}

// dns writes one line per question, as the schema has one name per line. An answer without a question still has a line, because its
// records matter; the records are on the first line only, so that a reader who sums them does not count them twice.
func (l *Lines) dns(dst []byte, o *capture.Observation) []byte {
	m := o.DNS
	if m == nil {
		return dst
	}
	kind := dnsKind(o)
	lines := len(m.Questions)
	if o.Kind == capture.Answer {
		lines = max(1, lines)
	}
	for i := range lines {
		w := l.begin(dst, o, kind)
		if i < len(m.Questions) {
			w.text("name", m.Questions[i].Name)
			w.text("qtype", m.Questions[i].QType)
		}
		w.num("id", int64(m.ID))
		if o.Kind == capture.Answer {
			w.text("rcode", m.RCode)
			if i == 0 && m.Opcode != opcodeUpdate {
				w.answers(m.Answers)
			}
		}
		dst = w.end()
	}
	return dst
}

// dnsKind names the line by protocol: mDNS and LLMNR carry DNS messages, but what they ask about is the local network.
func dnsKind(o *capture.Observation) string {
	kinds := [2]string{"dns_query", "dns_response"}
	switch o.Proto {
	case capture.MDNS:
		kinds = [2]string{"mdns_query", "mdns_response"}
	case capture.LLMNR:
		kinds = [2]string{"llmnr_query", "llmnr_response"}
	}
	if o.Kind == capture.Answer {
		return kinds[1]
	}
	return kinds[0]
}

// opcodeUpdate marks a dynamic update, whose second section holds prerequisites, not answers (RFC 2136 2.4).
const opcodeUpdate = 5

func (w *object) answers(list []wire.DNSRecord) {
	objects(w, "answers", list, func(in object, r *wire.DNSRecord) object {
		in.text("name", r.Name)
		in.text("type", r.Type)
		in.num("ttl", int64(r.TTL))
		if r.Type == "TXT" {
			in.list("data", r.Texts)
		} else {
			in.string("data", r.Data)
		}
		return in
	})
}

// identity writes the kinds that the schema has. Identities of other protocols have no line.
func (l *Lines) identity(dst []byte, o *capture.Observation) []byte {
	switch id := o.ID; {
	case id.DHCP != nil:
		w := l.begin(dst, o, "dhcp")
		w.dhcp(id.DHCP)
		return w.end()
	case id.ARP != nil:
		w := l.begin(dst, o, "arp")
		w.mac("mac", id.ARP.SenderMAC)
		w.addr("address", id.ARP.Sender)
		return w.end()
	case id.NBNS != nil:
		w := l.begin(dst, o, "nbns")
		w.text("name", id.NBNS.Name)
		w.hex("suffix", "", id.NBNS.Suffix)
		w.text("op", id.NBNS.Op)
		return w.end()
	}
	return dst
}

// begin writes the members that all lines have.
func (l *Lines) begin(dst []byte, o *capture.Observation, kind string) object {
	w := object{b: append(dst, '{'), first: true}
	if int(o.Input) < len(l.Files) {
		w.text("file", l.Files[o.Input])
	}
	w.num("frame", int64(o.Frame))
	w.time("time", o.Time)
	w.text("kind", kind)
	switch o.Transport {
	case capture.TCP:
		w.text("transport", "tcp")
	case capture.UDP:
		w.text("transport", "udp")
	}
	w.end5(o)
	if o.Link != nil {
		w.link(o.Link)
	}
	if o.HasSrcMAC && (o.Kind != capture.Identity || o.ID.NBNS != nil) { // DHCP and ARP have theirs in the payload
		w.mac("mac", o.SrcMAC)
	}
	return w
}

// end5 writes the ends of the 5-tuple. Ports are left out where the packet has no transport (ARP), not where they are 0.
func (w *object) end5(o *capture.Observation) {
	w.addr("src", o.Src.Addr())
	if o.Transport != capture.ProtoNone {
		w.num("sport", int64(o.Src.Port()))
	}
	w.addr("dst", o.Dst.Addr())
	if o.Transport != capture.ProtoNone {
		w.num("dport", int64(o.Dst.Port()))
	}
}

// link writes the way a packet came, outermost VLAN and tunnel first.
func (w *object) link(l *capture.Link) {
	if len(l.VLANs) > 0 {
		w.key("vlan")
		w.b = append(w.b, '[')
		for i, v := range l.VLANs {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.b = strconv.AppendUint(w.b, uint64(v), 10)
		}
		w.b = append(w.b, ']')
	}
	objects(w, "tunnel", l.Tunnels, func(in object, t *capture.Tunnel) object {
		in.text("type", t.Type)
		in.addr("src", t.Src)
		in.addr("dst", t.Dst)
		if t.ID != 0 {
			in.num("id", int64(t.ID))
		}
		return in
	})
}

func (w *object) hello(o *capture.Observation) {
	h := o.Hello
	w.text("sni", h.SNI)
	if len(h.ALPN) > 0 {
		w.list("alpn", h.ALPN)
	}
	w.text("version", tlsVersion(h.Version))
	w.text("ja3", h.JA3)
	w.text("ja4", h.JA4)
	if h.ECH {
		w.text("ech", "grease_or_offered") // the bytes of both look the same, by design (RFC 9849)
	} else {
		w.text("ech", "none")
	}
	w.flag("dtls", h.DTLS)
	if o.Proto == capture.QUIC {
		w.text("quic_version", wire.QUICVersionName(h.QUIC))
	}
}

// tlsVersion is a protocol version as its RFC calls it, without the protocol's name (RFC 8446 4.2.1, RFC 9147 5.3).
func tlsVersion(v uint16) string {
	switch v {
	case 0x0002, 0x0200:
		return "ssl2"
	case 0x0300:
		return "ssl3"
	case 0x0301, 0xfeff:
		return "1.0"
	case 0x0302:
		return "1.1"
	case 0x0303, 0xfefd:
		return "1.2"
	case 0x0304, 0xfefc:
		return "1.3"
	case 0:
		return ""
	}
	return "0x" + strconv.FormatUint(uint64(v)+0x10000, 16)[1:]
}

func (w *object) serverHello(h *wire.ServerHello) {
	w.text("version", tlsVersion(h.Version))
	w.hex("cipher", "0x", byte(h.Cipher>>8), byte(h.Cipher))
	w.text("alpn", h.ALPN)
	w.text("ja3s", h.JA3S)
	w.flag("dtls", h.DTLS)
}

func (w *object) certificate(c *wire.Certificate) {
	w.num("index", int64(c.Index))
	w.text("subject_cn", c.SubjectCN)
	if len(c.SAN) > 0 {
		w.list("san", c.SAN)
	}
	w.text("issuer_cn", c.IssuerCN)
	w.hex("sha256", "", c.SHA256[:]...)
	if !c.NotBefore.IsZero() {
		w.time("not_before", c.NotBefore)
	}
	if !c.NotAfter.IsZero() {
		w.time("not_after", c.NotAfter)
	}
	w.flag("dtls", c.DTLS)
}

func (w *object) request(r *wire.Request) {
	w.text("version", r.Version)
	w.text("method", r.Method)
	w.text("host", r.Host)
	w.text("uri", r.URI)
	w.text("user_agent", r.UserAgent)
	objects(w, "headers", r.Headers, func(in object, h *wire.Header) object {
		in.text("name", h.Name)
		in.string("value", h.Value)
		return in
	})
}

func (w *object) dhcp(d *wire.DHCP) {
	w.num("ip_version", int64(d.IPVersion))
	w.text("mac", d.MAC)
	w.text("message", d.Message)
	w.text("hostname", d.Hostname)
	w.text("fqdn", d.FQDN)
	w.text("vendor_class", d.VendorClass)
	w.text("client_id", d.ClientID)
	w.addr("address", d.Address)
	w.addr("server", d.Server)
}

func (w *object) flow(f *capture.FlowRecord) {
	w.num("packets_out", int64(f.PacketsOut))
	w.num("packets_in", int64(f.PacketsIn))
	w.num("bytes_out", int64(f.BytesOut))
	w.num("bytes_in", int64(f.BytesIn))
	w.time("first", f.First)
	w.time("last", f.Last)
	if f.RTT > 0 {
		w.key("rtt_ms")
		w.b = strconv.AppendFloat(w.b, float64(f.RTT.Microseconds())/1000, 'f', -1, 64)
	}
	w.text("outcome", outcome(f.Outcome))
}

// outcome returns how a flow ended, as one of the schema's words.
func outcome(o capture.Outcome) string {
	words := [...]string{capture.Established: "established", capture.Refused: "refused", capture.NoAnswer: "no_answer",
		capture.Midstream: "midstream", capture.OneSided: "one_sided"}
	if int(o) < len(words) {
		return words[o]
	}
	return ""
}
