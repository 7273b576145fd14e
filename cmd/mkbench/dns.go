package main

import (
	"encoding/binary"
	"strings"
	"time"
)

const (
	typeA     = 1
	typeCNAME = 5
	typeAAAA  = 28
	typeHTTPS = 65
)

// lookUp begins the DNS queries before a connection, with probability p, and returns how long the connection waits for them.
func (g *generator) lookUp(c *client, s *site, p, tcp float64) time.Duration {
	if !g.chance(p) {
		return 0
	}
	g.begin(g.dnsFlow(c, s, typeA, g.chance(tcp)), 0)
	if g.chance(0.5) {
		g.begin(g.dnsFlow(c, s, typeAAAA, false), time.Millisecond)
	}
	if g.chance(0.15) {
		g.begin(g.dnsFlow(c, s, typeHTTPS, false), time.Millisecond)
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

// dnsMessage returns a query, or the answer to it. A quarter of the sites have an alias (CNAME).
func dnsMessage(id uint16, s *site, qtype uint16, answer, edns bool) []byte {
	alias := len(s.name)%4 == 0
	header := [6]uint16{id, 0x0100, 1} // recursion desired; one question
	if answer {
		header[1] = 0x8180
		if alias {
			header[3]++
		}
		if qtype != typeHTTPS { // no site has one
			header[3]++
		}
	}
	if edns {
		header[5] = 1
	}
	b := make([]byte, 0, 200)
	for _, h := range header {
		b = binary.BigEndian.AppendUint16(b, h)
	}
	b = dnsName(b, s.name)
	b = append(b, byte(qtype>>8), byte(qtype), 0, 1)
	if answer {
		b = dnsAnswers(b, s, qtype, alias)
	}
	if edns {
		b = append(b, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0)
	}
	return b
}

func dnsAnswers(b []byte, s *site, qtype uint16, alias bool) []byte {
	owner := uint16(0xc00c) // the question's name
	if alias {
		target := dnsName(nil, "edge.cdn-x7.net")
		b = dnsRecord(b, owner, typeCNAME, target)
		owner = 0xc000 | uint16(len(b)-len(target))
	}
	switch qtype {
	case typeA:
		b = dnsRecord(b, owner, typeA, s.v4[:])
	case typeAAAA:
		b = dnsRecord(b, owner, typeAAAA, s.v6[:])
	}
	return b
}

func dnsRecord(b []byte, owner, rtype uint16, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, owner)
	b = binary.BigEndian.AppendUint16(b, rtype)
	b = append(b, 0, 1, 0, 0, 0, 60, 0, byte(len(data))) // class IN, 60 s
	return append(b, data...)
}

func dnsName(b []byte, name string) []byte {
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
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
