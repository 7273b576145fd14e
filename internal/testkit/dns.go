package testkit

import (
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Reply is how a name server answers.
type Reply struct {
	// Records is the answer section in zone file syntax: "name. 300 IN A 192.0.2.1".
	Records []string
	// RCode is the response code; 0 is dns.RcodeSuccess.
	RCode int
	// Silent: no answer comes back.
	Silent bool
}

// Lookup adds a query for a name, with RD set, and its answer. It returns the time of the answer.
func (c *Capture) Lookup(at time.Time, client, server Host, name string, kind uint16, reply Reply) time.Time {
	ask := new(dns.Msg)
	ask.SetQuestion(dns.Fqdn(name), kind)
	ask.Id = uint16(c.number(1 << 16))
	port := c.port()
	c.UDP(at, client, port, server, 53, pack(ask))
	if reply.Silent {
		return at
	}
	answer := new(dns.Msg)
	answer.SetReply(ask)
	answer.RecursionAvailable = true
	answer.Rcode = reply.RCode
	answer.Answer = records(reply.Records)
	answer.Compress = true
	at = at.Add(server.RTT)
	c.UDP(at, server, 53, client, port, pack(answer))
	return at
}

// Announce adds a machine's own records by multicast DNS (RFC 6762 8.3), with the cache-flush bit.
func (c *Capture) Announce(at time.Time, from Host, lines ...string) {
	group := Host{MAC: [6]byte{1, 0, 0x5e, 0, 0, 0xfb}, Addr: multicastDNS, VLAN: from.VLAN}
	m := new(dns.Msg)
	m.Response, m.Authoritative = true, true
	m.Answer = records(lines)
	for _, rr := range m.Answer {
		if rr.Header().Rrtype != dns.TypePTR {
			rr.Header().Class |= 1 << 15
		}
	}
	c.UDP(at, from, 5353, group, 5353, pack(m))
}

// AskMulticast adds a query by multicast DNS.
func (c *Capture) AskMulticast(at time.Time, from Host, name string, kind uint16) {
	group := Host{MAC: [6]byte{1, 0, 0x5e, 0, 0, 0xfb}, Addr: multicastDNS, VLAN: from.VLAN}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.Id, m.RecursionDesired = 0, false
	c.UDP(at, from, 5353, group, 5353, pack(m))
}

func records(lines []string) []dns.RR {
	var out []dns.RR
	for _, line := range lines {
		rr, err := dns.NewRR(strings.TrimSpace(line))
		check(err)
		out = append(out, rr)
	}
	return out
}

func pack(m *dns.Msg) []byte {
	b, err := m.Pack()
	check(err)
	return b
}
