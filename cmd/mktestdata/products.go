package main

import (
	"fmt"
	"time"

	"avbeacon/internal/testkit"

	"github.com/miekg/dns"
)

// jitter returns the shift of a timer's n-th beat, at most most either way.
func jitter(n int, most time.Duration) time.Duration {
	return time.Duration((n*7919+n*n*104729)%200-100) * most / 100
}

// updaterAgent is a User-Agent of Kaspersky's updater: a star and 64 letters.
const updaterAgent = "User-Agent: *A1B2AAQAexampleexampleexampleexampleexampleexampleexampleexampleAA"

// kaspersky is a machine with Kaspersky's product: bases every two hours by plain HTTP from changing servers of the
// pool, the reputation service by TLS, the licence once.
func (s *site) kaspersky(h testkit.Host) {
	pool := []string{"01", "07", "13", "10", "04"}
	for n, number := range pool {
		t := at(8, 27, 14).Add(time.Duration(n)*2*time.Hour + jitter(n, 90*time.Second))
		s.updateBases(t, h, "dnl-"+number+".geo.kaspersky.com")
	}
	s.product(at(8, 30, 2), h, "activation-v2.kaspersky.com", "activation-v2.kaspersky.com", "*.activation-v2.kaspersky.com")
	for n := range 10 {
		t := at(8, 29, 40).Add(time.Duration(n)*53*time.Minute + jitter(n, 20*time.Second))
		s.product(t, h, "ds.kaspersky.com", "ds.kaspersky.com", "ksn-ds.geoksn.kaspersky.com")
		if n%4 == 1 {
			s.product(t.Add(2*time.Second), h, "dc1-file.ksn.kaspersky-labs.com", "*.ksn.kaspersky-labs.com")
		}
	}
}

// updateBases asks for the index and for one base. Index and bases come packed, with the format's own first bytes.
func (s *site) updateBases(t time.Time, h testkit.Host, name string) {
	fields := []string{"Pragma: no-cache", "Connection: keep-alive", updaterAgent}
	packed := append([]byte("KLZF"), make([]byte, 60)...)
	s.fetch(t, h, name,
		fetch{"GET /index/u0607g.xml.klz", fields, "200 OK", "application/octet-stream", packed},
		fetch{"GET /bases/av/kdb/i386/kdb-i386-1211g.xml.klz", fields, "200 OK", "application/octet-stream", packed})
}

// drweb is a machine with Dr.Web: it asks for updates every 30 minutes. Key number and hashes are made up.
func (s *site) drweb(h testkit.Host) {
	fields := []string{
		"User-Agent: DrWebUpdate-12.0.56.02100 (windows: 10.0.19045)",
		"X-DrWeb-Validate: 0123456789abcdef0123456789abcdef",
		"X-DrWeb-KeyNumber: 0010000042",
		"X-DrWeb-SysHash: 00112233445566778899AABBCCDDEEFF",
		"Cache-Control: no-cache",
	}
	for n := range 18 {
		t := at(8, 10, 5).Add(time.Duration(n)*30*time.Minute + jitter(n, 4*time.Second))
		s.fetch(t, h, "update.drweb.com", fetch{"GET /x64/600/av/windows/version.lst", fields, "200 OK", "text/plain",
			fmt.Appendf(nil, "[DrWebUpdateList]\r\n+<x64>drwtoday.vdb, %08X\r\n", n*0x1234567)})
	}
}

// eset is a machine with ESET's product: an update check each hour, reputation and licence by TLS.
func (s *site) eset(h testkit.Host) {
	fields := []string{
		"User-Agent: EES Update (Windows; U; 64bit; BPC 12.0.2045.0; OS: 10.0.19045 SP 0.0 NT; TDB 70000; CL 1.1.1; x64c; APP ees; FW 0.0)",
		"X-ESET-UpdateID: EAV-00000000",
	}
	for n := range 9 {
		t := at(8, 14, 30).Add(time.Duration(n)*time.Hour + jitter(n, 30*time.Second))
		s.fetch(t, h, "update.eset.com", fetch{"GET /eset_upd/ep12/update.ver", fields, "304 Not Modified", "text/plain", nil})
	}
	for n := range 3 {
		s.product(at(9, 20, 0).Add(time.Duration(n)*3*time.Hour), h, "i1.c.eset.com", "*.c.eset.com")
	}
	s.product(at(8, 16, 11), h, "edf.eset.com", "edf.eset.com")
}

// defender is a machine with nothing but Windows' own antivirus.
func (s *site) defender(h testkit.Host) {
	for n := range 4 {
		s.product(at(8, 40, 0).Add(time.Duration(n)*127*time.Minute), h, "wdcp.microsoft.com", "*.microsoft.com")
	}
	s.product(at(9, 1, 0), h, "definitionupdates.microsoft.com", "definitionupdates.microsoft.com")
}

// avast is a machine with Avast, in a VLAN of its own.
func (s *site) avast(h testkit.Host) {
	agent := []string{"User-Agent: Syncer/4.80 (av_pro-1169;f)", "Accept: */*"}
	for n := range 3 {
		t := at(8, 22, 0).Add(time.Duration(n)*4*time.Hour + jitter(n, time.Minute))
		s.fetch(t, h, "iavs9x.u.avast.com", fetch{"GET /iavs9x/servers.def.vpx", agent, "200 OK", "application/octet-stream", make([]byte, 120)})
		s.product(t.Add(5*time.Second), h, "shepherd.ff.avast.com", "*.ff.avast.com")
	}
}

// blocked is a machine with Kaspersky's product behind a filter: some connections are refused, others get no
// answer, one name does not resolve, one session ends with an alert.
func (s *site) blocked(h testkit.Host) {
	for n := range 13 {
		t := at(8, 19, 0).Add(time.Duration(n)*41*time.Minute + jitter(n, 25*time.Second))
		switch n % 4 {
		case 0, 2:
			s.plan(t, func() { s.refused(t, h, "dnl-01.geo.kaspersky.com") })
		case 1:
			s.plan(t, func() {
				asked := s.lookup(t, h, "ds.kaspersky.com", dns.TypeA)
				s.c.Unanswered(asked.Add(time.Millisecond), h, s.host("ds.kaspersky.com"), 443)
			})
		case 3:
			s.plan(t, func() { s.lookup(t, h, "s13.upd.kaspersky.com", dns.TypeA) })
		}
	}
	t := at(16, 55, 20)
	s.plan(t, func() { s.alerted(t, h, "dc1-file.ksn.kaspersky-labs.com") })
}

// refused is a connection that the router resets in the server's name.
func (s *site) refused(t time.Time, h testkit.Host, name string) {
	filter := s.host(name)
	filter.RTT, filter.TTL = 400*time.Microsecond, s.router.TTL
	s.c.Refused(s.lookup(t, h, name, dns.TypeA).Add(time.Millisecond), h, filter, 80)
}

// alerted is a session that ends with the alert handshake_failure instead of the server's hello.
func (s *site) alerted(t time.Time, h testkit.Host, name string) {
	s.seed++
	hello, err := testkit.TLS{Name: name, Classic: true, Seed: s.seed, Ask: 1, Answer: 1}.Hello()
	if err != nil {
		s.fail(err)
		return
	}
	conn := s.connect(t, h, name, 443)
	conn.Send(hello)
	conn.Reply(testkit.TLSAlert(40))
	conn.Close()
}

// visit is a person who reads Kaspersky's web site: bursts of connections to the site and to its trackers.
func (s *site) visit(t time.Time, h testkit.Host) {
	s.fetch(t, h, "www.kaspersky.com", fetch{
		line: "GET /", fields: []string{browserAgent, "Accept: text/html", "Upgrade-Insecure-Requests: 1"},
		status: "301 Moved Permanently", kind: "text/html", body: []byte("<html></html>"),
	})
	for n, name := range []string{"www.kaspersky.com", "content.kaspersky-labs.com", "tr1.kaspersky.com", "kaspersky.demdex.net"} {
		s.browse(t.Add(time.Duration(300+n*170)*time.Millisecond), h, name)
	}
	s.browse(t.Add(24*time.Second), h, "www.kaspersky.com")
}
