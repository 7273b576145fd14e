package main

import (
	"net/netip"
	"time"

	"avbeacon/internal/testkit"

	"github.com/miekg/dns"
)

// browserAgent is the User-Agent of the people in the office.
const browserAgent = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36"

// officeDay is an office from eight to five: a machine with Kaspersky, one with Dr.Web, one that tries to reach
// Kaspersky in vain, three with other vendors' products, one of them in a VLAN of guests, a person who reads Kaspersky's
// web site, one without any of this, and the resolver that all of them use.
func officeDay() ([]byte, error) {
	s := newSite(1)
	var (
		accounts = machine("ACCT-PC-01", 21)
		lab      = machine("LAB-PC-02", 22)
		reader   = machine("HR-NB-03", 23)
		dev      = machine("DEV-PC-04", 24)
		sales    = machine("SALES-NB-05", 25)
		old      = machine("OLD-PC-06", 26)
		plain    = machine("MAC-07", 27)
		guest    = machine("GUEST-31", 31)
	)
	guest.Addr, guest.VLAN = netip.MustParseAddr("192.168.20.31"), 20
	for i, h := range []testkit.Host{accounts, lab, reader, dev, sales, old, plain, guest} {
		s.arrive(morning.Add(time.Duration(i)*97*time.Second), h)
	}
	s.kaspersky(accounts)
	s.drweb(lab)
	s.visit(at(10, 47, 12), reader)
	s.eset(dev)
	s.defender(sales)
	s.blocked(old)
	s.avast(guest)
	s.ordinary(plain)
	s.people(reader, sales)
	s.clocks(s.resolver, plain)
	return s.bytes()
}

// visitOnly is a person who reads Kaspersky's web site, and nothing else.
func visitOnly() ([]byte, error) {
	s := newSite(2)
	reader := machine("HR-NB-03", 23)
	s.arrive(at(10, 40, 0), reader)
	s.visit(at(10, 47, 12), reader)
	return s.bytes()
}

// arrive is a machine that is switched on: it gets its address and finds the router.
func (s *site) arrive(t time.Time, h testkit.Host) {
	s.plan(t, func() {
		s.c.DHCP(t, h, s.resolver, h.VLAN == 0 && h.Addr.As4()[3]%2 == 0)
		router := s.router
		router.RTT, router.VLAN = 200*time.Microsecond, h.VLAN
		s.c.ARP(t.Add(40*time.Millisecond), h, router)
	})
}

// people is what the people of the office do otherwise.
func (s *site) people(hosts ...testkit.Host) {
	for i, h := range hosts {
		shift := time.Duration(i) * 23 * time.Minute
		s.browse(at(9, 5, 41).Add(shift), h, "mail.example.com")
		s.fetch(at(13, 2, 17).Add(shift), h, "intranet.example.com", fetch{
			line: "GET /canteen", fields: []string{browserAgent, "Accept: text/html", "Accept-Language: en"},
			status: "200 OK", kind: "text/html; charset=utf-8", body: []byte("<html>today: soup</html>"),
		})
	}
}

// ordinary is a machine without any antivirus that calls home: it browses by TLS 1.3 and by QUIC, also to names that
// only look like a vendor's, and announces its name by multicast DNS.
func (s *site) ordinary(h testkit.Host) {
	s.browse(at(8, 31, 9), h, "news.example.net")
	s.browse(at(11, 12, 50), h, "www.pixieset.com")
	s.browse(at(15, 44, 2), h, "passwordreset.microsoftonline.com")
	s.quic(at(9, 50, 4), h, "v1")
	s.quic(at(14, 20, 31), h, "v2")
	for hour := 8; hour < 17; hour += 2 {
		s.c.Announce(at(hour, 33, 20), h, "mac-07.local. 120 IN A "+h.Addr.String(),
			"_companion-link._tcp.local. 4500 IN PTR mac-07._companion-link._tcp.local.")
		s.c.AskMulticast(at(hour, 41, 6), h, "_ipp._tcp.local", dns.TypePTR)
	}
}

// quic is a recorded session with www.example.org.
func (s *site) quic(t time.Time, h testkit.Host, recorded string) {
	flights, err := testkit.RecordedQUIC(recorded)
	if err != nil {
		s.fail(err)
		return
	}
	s.plan(t, func() {
		asked := s.lookup(t, h, "www.example.org", dns.TypeA)
		s.c.QUIC(asked.Add(time.Millisecond), h, s.host("www.example.org"), flights)
	})
}

// clocks adds time queries.
func (s *site) clocks(hosts ...testkit.Host) {
	clock := s.outside("198.51.100.123", 10*time.Millisecond, 58)
	for i, h := range hosts {
		for t := at(8, 3, 30); t.Before(at(17, 0, 0)); t = t.Add(136 * time.Minute) {
			s.c.NTP(t.Add(time.Duration(i)*7*time.Second), h, clock)
		}
	}
}
