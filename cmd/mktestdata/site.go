package main

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"avbeacon/internal/testkit"

	"github.com/miekg/dns"
)

// morning is when the captures begin: a Monday, 08:00 UTC.
var morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// at returns a time of day, UTC.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 3, 2, hour, minute, second, 0, time.UTC)
}

// place is an external server: its address and distance.
type place struct {
	addr  string
	rtt   time.Duration
	ttl   uint8  // of its packets here
	alias string // the canonical name, if the name is an alias
}

// places holds the names of the scenarios. The vendors' addresses are in their own networks; other addresses are in the ranges
// for documentation (RFC 5737).
var places = map[string]place{
	// Kaspersky: networks that place databases put in Moscow, and others that they do not.
	"dnl-01.geo.kaspersky.com":          {"77.74.181.40", 46 * time.Millisecond, 51, ""},
	"dnl-04.geo.kaspersky.com":          {"195.128.246.15", 47 * time.Millisecond, 51, ""},
	"dnl-07.geo.kaspersky.com":          {"82.202.188.20", 45 * time.Millisecond, 50, ""},
	"dnl-10.geo.kaspersky.com":          {"185.54.221.16", 13 * time.Millisecond, 55, ""},
	"dnl-13.geo.kaspersky.com":          {"185.85.12.30", 46 * time.Millisecond, 51, ""},
	"ds.kaspersky.com":                  {"77.74.178.32", 46 * time.Millisecond, 51, "ksn-ds.geoksn.kaspersky.com"},
	"dc1-file.ksn.kaspersky-labs.com":   {"82.202.190.12", 46 * time.Millisecond, 51, "ksn-dc1-file.geoksn.kaspersky.com"},
	"activation-v2.kaspersky.com":       {"185.201.0.21", 8 * time.Millisecond, 56, "activation-v2.geo.kaspersky.com"},
	"www.kaspersky.com":                 {"185.85.15.34", 14 * time.Millisecond, 55, ""},
	"tr1.kaspersky.com":                 {"185.85.15.47", 14 * time.Millisecond, 55, ""},
	"content.kaspersky-labs.com":        {"185.85.15.61", 14 * time.Millisecond, 55, ""},
	"kaspersky.demdex.net":              {"203.0.113.71", 18 * time.Millisecond, 54, "dcs-edge.example.net"},
	"update.drweb.com":                  {"194.85.20.10", 48 * time.Millisecond, 50, "update.geo.drweb.com"},
	"update.eset.com":                   {"91.228.166.13", 24 * time.Millisecond, 53, "update.gtm.eset.com"},
	"i1.c.eset.com":                     {"91.228.167.43", 24 * time.Millisecond, 53, ""},
	"edf.eset.com":                      {"91.228.166.42", 24 * time.Millisecond, 53, "edf.gtm.eset.com"},
	"shepherd.ff.avast.com":             {"5.45.59.30", 21 * time.Millisecond, 54, ""},
	"iavs9x.u.avast.com":                {"5.45.62.18", 21 * time.Millisecond, 54, ""},
	"wdcp.microsoft.com":                {"20.50.80.210", 17 * time.Millisecond, 110, ""},
	"definitionupdates.microsoft.com":   {"20.50.88.19", 17 * time.Millisecond, 110, ""},
	"passwordreset.microsoftonline.com": {"20.190.159.2", 17 * time.Millisecond, 110, ""},
	"www.pixieset.com":                  {"203.0.113.90", 22 * time.Millisecond, 54, ""},
	"www.example.org":                   {"203.0.113.10", 9 * time.Millisecond, 57, ""},
	"news.example.net":                  {"198.51.100.40", 11 * time.Millisecond, 56, "cdn.example.net"},
	"mail.example.com":                  {"198.51.100.25", 12 * time.Millisecond, 56, ""},
	"intranet.example.com":              {"198.51.100.80", 12 * time.Millisecond, 56, ""},
}

// recordTTL is how long a resolver keeps an answer.
const recordTTL = 300 * time.Second

// site is a network with its router and its resolver, which forwards to the provider's.
type site struct {
	c                           *testkit.Capture
	router, resolver, providers testkit.Host
	known                       map[string]time.Time // until when the resolver knows a name
	agenda                      []deed
	seed                        uint64
	err                         error // the first
}

// deed is an action at a time of the scenario. through is the capture's Through when it was planned.
type deed struct {
	at      time.Time
	through func([]byte) []byte
	do      func()
}

func newSite(seed uint64) *site {
	s := &site{c: testkit.NewCapture(seed), known: map[string]time.Time{}, seed: seed << 32}
	s.router = machine("gw", 1)
	s.router.TTL = 255
	s.resolver = machine("DC-01", 2)
	s.resolver.RTT = 300 * time.Microsecond
	s.providers = s.outside("198.51.100.53", 9*time.Millisecond, 60)
	return s
}

// machine is a host of the office network; number is the last byte of its addresses. The hardware addresses are of the
// range for documentation (RFC 7042 2.1.1).
func machine(name string, number byte) testkit.Host {
	return testkit.Host{
		Name: name, MAC: [6]byte{0, 0, 0x5e, 0, 0x53, number}, Addr: netip.AddrFrom4([4]byte{192, 168, 10, number}), TTL: 128,
	}
}

func (s *site) outside(addr string, rtt time.Duration, ttl uint8) testkit.Host {
	return testkit.Host{Addr: netip.MustParseAddr(addr), RTT: rtt, TTL: ttl}.Behind(s.router)
}

// host returns the server behind a name.
func (s *site) host(name string) testkit.Host {
	p, ok := places[name]
	if !ok {
		s.fail(fmt.Errorf("no place for %s", name))
		return s.providers
	}
	return s.outside(p.addr, p.rtt, p.ttl)
}

func (s *site) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// reply returns a name server's answer.
func reply(name string, kind uint16) testkit.Reply {
	p, ok := places[name]
	if !ok {
		return testkit.Reply{RCode: dns.RcodeNameError}
	}
	var r testkit.Reply
	if p.alias != "" {
		r.Records = append(r.Records, fmt.Sprintf("%s. 300 IN CNAME %s.", name, p.alias))
		name = p.alias
	}
	if kind == dns.TypeA {
		r.Records = append(r.Records, fmt.Sprintf("%s. 300 IN A %s", name, p.addr))
	}
	return r
}

// lookup queries the site's resolver, which forwards what it does not know, and returns the time of the answer.
func (s *site) lookup(t time.Time, client testkit.Host, name string, kind uint16) time.Time {
	key := name + dns.TypeToString[kind]
	r := reply(name, kind)
	near := s.resolver
	if client.VLAN != 0 {
		near = near.Behind(s.router)
	}
	if t.After(s.known[key]) {
		asked := t.Add(200 * time.Microsecond)
		answered := s.c.Lookup(asked, s.resolver, s.providers, name, kind, r)
		s.known[key] = answered.Add(recordTTL)
		near.RTT = answered.Sub(t) + 200*time.Microsecond
	}
	return s.c.Lookup(t, client, near, name, kind, r)
}

// plan puts a deed on the agenda. Deeds are done in order of time, not in the order in which hosts are described, because the
// resolver remembers earlier answers.
func (s *site) plan(t time.Time, do func()) {
	s.agenda = append(s.agenda, deed{t, s.c.Through, do})
}

// capture does all that is on the agenda and returns the capture.
func (s *site) capture() (*testkit.Capture, error) {
	slices.SortStableFunc(s.agenda, func(a, b deed) int { return a.at.Compare(b.at) })
	for _, d := range s.agenda {
		s.c.Through = d.through
		d.do()
	}
	s.agenda, s.c.Through = nil, nil
	return s.c, s.err
}

// connect looks a name up and opens a connection to it.
func (s *site) connect(t time.Time, client testkit.Host, name string, port uint16) *testkit.TCP {
	t = s.lookup(t, client, name, dns.TypeA)
	return s.c.Open(t.Add(2*time.Millisecond), client, s.host(name), port)
}

// product runs a session as a product's service does: TLS 1.2, with a hello that fits in one segment.
func (s *site) product(t time.Time, client testkit.Host, name string, sans ...string) {
	s.plan(t, func() {
		s.tls(s.connect(t, client, name, 443), testkit.TLS{
			Name: name, SANs: sans, Issuer: "Example Public CA", Version: tls.VersionTLS12, Classic: true, Ask: 120, Answer: 60,
		})
	})
}

// browse runs a session as a browser does: it asks for the HTTPS record too, and uses TLS 1.3 with a post-quantum
// key share.
func (s *site) browse(t time.Time, client testkit.Host, name string) {
	s.plan(t, func() {
		s.lookup(t, client, name, dns.TypeHTTPS)
		s.tls(s.connect(t, client, name, 443), testkit.TLS{
			Name: name, ALPN: []string{"h2", "http/1.1"}, Ask: 180, Answer: 160,
		})
	})
}

func (s *site) tls(conn *testkit.TCP, session testkit.TLS) {
	s.seed++
	session.Seed = s.seed
	flights, err := session.Record()
	if err != nil {
		s.fail(err)
		return
	}
	conn.Play(flights)
	conn.Close()
}

// fetch is a request by plain HTTP and its answer.
type fetch struct {
	line   string
	fields []string
	status string
	kind   string
	body   []byte
}

// fetch sends requests by plain HTTP over one connection.
func (s *site) fetch(t time.Time, client testkit.Host, name string, all ...fetch) {
	s.plan(t, func() {
		conn := s.connect(t, client, name, 80)
		for _, f := range all {
			conn.Now = conn.Now.Add(3 * time.Millisecond)
			conn.Send(testkit.HTTPRequest(f.line, append([]string{"Host: " + name}, f.fields...)...))
			conn.Reply(testkit.HTTPResponse(f.status, f.kind, f.body))
		}
		conn.Close()
	})
}

// bytes returns the site's capture as a file.
func (s *site) bytes() ([]byte, error) {
	c, err := s.capture()
	if err != nil {
		return nil, err
	}
	return pcap(c)
}
