package classify

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

var resolverAddr = netip.MustParseAddr("10.0.0.53")

func (p *scenarioParser) add(after time.Duration, o capture.Observation, a *act) {
	o.Time = p.at.Add(after)
	o.Frame = uint64(len(p.s.events) + 1)
	o.Host = capture.Host{Addr: o.Src.Addr(), MAC: a.mac, HasMAC: a.hasMAC, Own: a.hasMAC}
	if a.hasMAC {
		o.Host.Machine = machineOf(a.mac)
	}
	if !o.FromClient {
		o.Host.Addr = o.Dst.Addr()
	}
	p.s.events = append(p.s.events, event{at: o.Time, obs: o})
}

// machineOf numbers MAC addresses, as internal/hosts does.
func machineOf(mac [6]byte) capture.Machine {
	return 1 + capture.Machine(binary.BigEndian.Uint16(mac[4:]))
}

func (p *scenarioParser) emit(a act) {
	p.n++
	src := netip.AddrPortFrom(a.host, uint16(20000+p.n%40000))
	if !a.to.IsValid() {
		a.to = netip.MustParseAddr("203.0.113.7")
		if a.verb == "lookup" || a.verb == "answers" {
			a.to = resolverAddr
		}
	}
	dst := netip.AddrPortFrom(a.to, a.port)
	o := capture.Observation{Src: src, Dst: dst, FromClient: true, Transport: capture.TCP, Proto: capture.TLS, Name: a.name}
	if a.udp {
		o.Transport = capture.UDP
	}
	switch a.verb {
	case "lookup":
		p.lookup(a, netip.AddrPortFrom(a.to, 53), src)
	case "answers":
		p.lookup(act{host: a.by, name: a.name, qtype: "A", rcode: "NOERROR"}, netip.AddrPortFrom(a.host, 53), netip.AddrPortFrom(a.by, src.Port()))
	case "hello":
		o.Kind, o.Hello = capture.Hello, &wire.ClientHello{SNI: a.name}
		if a.name == "-" {
			o.Name, o.Hello.SNI = "", ""
		}
		p.add(0, o, &a)
		p.certificate(a, o)
		p.end(a, o)
	case "request", "connect":
		p.request(a, o)
	case "flow":
		o.Proto = capture.ProtoNone
		p.end(a, o)
	case "called":
		o.Src, o.Dst = netip.AddrPortFrom(a.by, src.Port()), netip.AddrPortFrom(a.host, a.port)
		o.Proto = capture.ProtoNone
		p.end(a, o)
	}
}

func (p *scenarioParser) lookup(a act, server, client netip.AddrPort) {
	q := &wire.DNS{ID: uint16(p.n), RD: !a.rd0, Questions: []wire.DNSQuestion{{Name: a.name, QType: a.qtype, Class: 1}}}
	o := capture.Observation{Kind: capture.Lookup, Proto: capture.DNS, Transport: capture.UDP, FromClient: true, Src: client,
		Dst: server, Name: a.name, DNS: q}
	if a.rd0 {
		o.Marks = capture.NoRecursion
	}
	p.add(0, o, &a)
	if a.mute {
		return
	}
	r := *q
	r.Response, r.AA, r.Referral, r.RCode = true, a.aa, a.referral, a.rcode
	r.RA = !a.aa && !a.referral
	o.Kind, o.FromClient, o.Src, o.Dst, o.DNS, o.Addrs = capture.Answer, false, server, client, &r, a.answer
	p.add(20*time.Millisecond, o, &a)
}

func (p *scenarioParser) certificate(a act, o capture.Observation) {
	if a.cn == "" && a.issuer == "" {
		return
	}
	o.Kind, o.FromClient, o.Src, o.Dst, o.Name = capture.Cert, false, o.Dst, o.Src, a.cn
	o.Hello = nil
	o.Cert = &wire.Certificate{SubjectCN: a.cn, IssuerCN: a.issuer, SAN: []string{"dnl-01.geo.kaspersky.com"}}
	p.add(10*time.Millisecond, o, &a)
}

func (p *scenarioParser) request(a act, o capture.Observation) {
	host, path, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")
	o.Kind, o.Proto, o.Name = capture.Request, capture.HTTP, host
	o.Req = &wire.Request{Method: "GET", URI: "/" + path, Host: host, UserAgent: a.agent}
	switch {
	case a.verb == "connect":
		o.Name, o.Marks = a.name, capture.ConnectProxy
		o.Req.Method, o.Req.URI, o.Req.Host = "CONNECT", a.name+":443", a.name
	case a.absolute:
		o.Req.URI = a.url
	}
	for _, h := range a.headers {
		name, value, _ := strings.Cut(h, ": ")
		o.Req.Headers = append(o.Req.Headers, wire.Header{Name: name, Value: value})
	}
	if _, err := netip.ParseAddr(host); err == nil && a.verb == "request" {
		o.Marks |= capture.BareAddress
	}
	if a.via {
		o.Req.Via, o.Marks = true, o.Marks|capture.ViaProxy
	}
	p.add(0, o, &a)
	if a.body != "" {
		r := o
		r.Kind, r.FromClient, r.Src, r.Dst, r.Name, r.Req = capture.Response, false, o.Dst, o.Src, "", nil
		r.Resp = &wire.Response{Status: 200, Body: []byte(a.body)}
		p.add(30*time.Millisecond, r, &a)
	}
	o.Req = nil
	p.end(a, o)
}

func (p *scenarioParser) end(a act, o capture.Observation) {
	o.Kind, o.Hello = capture.Contact, nil
	o.Marks &^= capture.ViaProxy
	if a.derived {
		o.Name, o.Marks = a.name, o.Marks|capture.NameDerived
	}
	if a.other {
		o.Marks |= capture.NameOther
	}
	f := &capture.FlowRecord{First: p.at, Last: p.at.Add(time.Second), Outcome: a.outcome, Final: !a.open, Proto: o.Proto, TTL: a.ttl,
		PacketsOut: 5, PacketsIn: 4, RTT: 30 * time.Millisecond}
	f.OutHeadLen, f.InHeadLen = uint8(copy(f.OutHead[:], a.out)), uint8(copy(f.InHead[:], a.in))
	if a.alert {
		f.TLSAlert, f.TLSAlertFromServer = 40, true
	}
	if a.reset {
		f.Reset, f.ResetByServer = true, true
	}
	if a.outcome != capture.Established {
		f.RTT = 0
	}
	o.Flow = f
	p.add(time.Second, o, &a)
}
