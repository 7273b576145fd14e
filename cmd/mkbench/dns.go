package main

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// lookUp begins the DNS queries before a connection, with probability p, and returns how long the connection waits for them.
func (g *generator) lookUp(c *client, s *site, p, tcp float64) time.Duration {
	if !g.chance(p) {
		return 0
	}
	g.begin(g.dnsFlow(c, s, dns.TypeA, g.chance(tcp)), 0)
	if g.chance(0.5) {
		g.begin(g.dnsFlow(c, s, dns.TypeAAAA, false), time.Millisecond)
	}
	if g.chance(0.15) {
		g.begin(g.dnsFlow(c, s, dns.TypeHTTPS, false), time.Millisecond)
	}
	return 30 * time.Millisecond
}

// dnsFlow is a query for a site and its answer.
func (g *generator) dnsFlow(c *client, s *site, qtype uint16, tcp bool) *flow {
	resolver := &site{v4: [4]byte{10, 1, 1, 53}, v6: [16]byte{0x20, 0x01, 0x0d, 0xb8, 0xff, 15: 53}}
	f := g.newFlow(c, resolver, 53)
	id, edns := uint16(g.next()), g.chance(0.5)
	question := step{data: dnsMessage(id, s, qtype, false, edns), sent: func() { g.made.DNSQueries++; g.called(s) }}
	answer := step{from: fromServer, data: dnsMessage(id, s, qtype, true, edns), sent: func() { g.made.DNSResponses++ }}
	if f.udp = !tcp; f.udp {
		answer.gap = time.Duration(g.between(1, 25)) * time.Millisecond
		f.add(question)
		f.add(answer)
		return f
	}
	f.handshake()
	answer.gap = f.rtt
	for _, s := range []step{question, answer} {
		s.data = append(binary.BigEndian.AppendUint16(nil, uint16(len(s.data))), s.data...)
		f.add(s)
	}
	g.hangUp(f)
	return f
}

// dnsMessage returns a query, or the answer to it. A quarter of the sites have an alias (CNAME), and none has an HTTPS record.
func dnsMessage(id uint16, s *site, qtype uint16, answer, edns bool) []byte {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(s.name), qtype)
	m.Id, m.Response, m.RecursionAvailable, m.Compress = id, answer, answer, true
	if edns {
		m.SetEdns0(1232, false)
	}
	if answer {
		owner := m.Question[0].Name
		header := func(rtype uint16) dns.RR_Header {
			return dns.RR_Header{Name: owner, Rrtype: rtype, Class: dns.ClassINET, Ttl: 60}
		}
		if len(s.name)%4 == 0 {
			alias := &dns.CNAME{Hdr: header(dns.TypeCNAME), Target: "edge.cdn-x7.net."}
			m.Answer = append(m.Answer, alias)
			owner = alias.Target
		}
		switch qtype {
		case dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: header(dns.TypeA), A: s.v4[:]})
		case dns.TypeAAAA:
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: header(dns.TypeAAAA), AAAA: s.v6[:]})
		}
	}
	return sure(m.Pack())
}

// ntpFlow is a query for the time: the other short UDP exchange of real networks.
func (g *generator) ntpFlow(c *client) *flow {
	f := g.newFlow(c, &g.world.sites[g.intn(50)], 123)
	f.udp = true
	question, answer := make([]byte, 48), make([]byte, 48)
	g.fill(question[40:])
	g.fill(answer[40:])
	question[0] = 0x23
	copy(answer, []byte{0x24, 2, 6, 0xe8})
	copy(answer[24:], question[40:])
	f.add(step{data: question})
	f.add(step{from: fromServer, gap: f.rtt, data: answer})
	return f
}
