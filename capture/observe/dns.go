package observe

import (
	"net/netip"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// readDNS reads the messages of DNS over TCP.
func (o *observer) readDNS(g *segment, b []byte) (n int, more bool) {
	msg, rest, st := wire.NextDNSTCP(b)
	switch st {
	case wire.More:
		return 0, true
	case wire.No:
		o.stats.MalformedDNS++
		return len(b), false
	}
	o.dns(g, msg, capture.DNS)
	return len(b) - len(rest), false
}

// dns reads one DNS, mDNS or LLMNR message. The first question decides, before anything is allocated, whether the whole
// message is parsed.
func (o *observer) dns(g *segment, msg []byte, p capture.Proto) {
	peek := &o.peek
	if !peek.Read(msg, o.name) {
		o.stats.MalformedDNS++
		return
	}
	if peek.Response() {
		o.answered(g, msg, peek, p)
		return
	}
	g.e.Count++
	if !peek.RD() && p == capture.DNS {
		g.e.Flags |= flowNoRD
	}
	if o.in != nil && p == capture.DNS && !o.in.Name(peek.Name) { // nil: observe, which wants everything
		return
	}
	m, err := wire.ParseDNS(msg)
	if err != nil {
		o.stats.MalformedDNS++
		return
	}
	obs := o.emit(g, capture.Lookup, p, true)
	obs.DNS = m
	if len(m.Questions) > 0 {
		obs.Name = m.Questions[0].Name
	}
	if !m.RD && p == capture.DNS {
		obs.Marks |= capture.NoRecursion
	}
}

// answered reads a response. If the queried name is of no interest, the names in the answer may still be.
func (o *observer) answered(g *segment, msg []byte, peek *wire.DNSPeek, p capture.Proto) {
	if o.in != nil && p == capture.DNS && !o.in.Name(peek.Name) {
		addrs, wanted := wire.DNSLook(msg, peek, o.scratch[:1024], o.in, o.addrs[:0])
		if !wanted {
			o.plainAnswer(g, addrs)
			return
		}
	}
	m, err := wire.ParseDNS(msg)
	if err != nil {
		o.stats.MalformedDNS++
		return
	}
	obs := o.emit(g, capture.Answer, p, p == capture.MDNS) // an mDNS response is about its sender
	obs.DNS = m
	if len(m.Questions) > 0 {
		obs.Name = m.Questions[0].Name
	}
	if m.Opcode != 0 { // an update's records are not answers
		return
	}
	for i := range m.Answers {
		if a := m.Answers[i].Addr; a.IsValid() {
			obs.Addrs = append(obs.Addrs, a)
		}
	}
}

// plainAnswer passes on the addresses of an answer of no interest, so that older names of these addresses can be forgotten.
func (o *observer) plainAnswer(g *segment, addrs []netip.Addr) {
	if len(addrs) == 0 {
		return
	}
	obs := o.emit(g, capture.Answer, capture.DNS, false)
	obs.Addrs = o.out.keep(addrs)
	obs.Marks |= capture.Plain
}
