package wire

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func TestParseDNSAnswers(t *testing.T) {
	tests := []struct {
		rr   string
		want DNSRecord
	}{
		{"A.example.org. 60 IN A 192.0.2.1",
			DNSRecord{Name: "a.example.org", Type: "A", TTL: 60, Data: "192.0.2.1", Addr: netip.MustParseAddr("192.0.2.1")}},
		{"a. 60 IN AAAA 2001:DB8:0:0::1",
			DNSRecord{Name: "a", Type: "AAAA", TTL: 60, Data: "2001:db8::1", Addr: netip.MustParseAddr("2001:db8::1")}},
		{"a. 60 IN AAAA ::ffff:192.0.2.1",
			DNSRecord{Name: "a", Type: "AAAA", TTL: 60, Data: "::ffff:192.0.2.1", Addr: netip.MustParseAddr("::ffff:192.0.2.1")}},
		{"a. 60 IN CNAME B.example.org.",
			DNSRecord{Name: "a", Type: "CNAME", TTL: 60, Data: "b.example.org", Target: "b.example.org"}},
		{"a. 60 IN DNAME b.", DNSRecord{Name: "a", Type: "DNAME", TTL: 60, Data: "b", Target: "b"}},
		{"a. 60 IN NS .", DNSRecord{Name: "a", Type: "NS", TTL: 60, Data: ".", Target: "."}},
		{`a. 60 IN PTR My\ Mac\.\195\164\;\"._http._tcp.local.`, DNSRecord{Name: "a", Type: "PTR", TTL: 60,
			Data:   `my\032mac\046\195\164;"._http._tcp.local`,
			Target: `my\032mac\046\195\164;"._http._tcp.local`}},
		{"a. 60 IN MX 10 MX.example.org.",
			DNSRecord{Name: "a", Type: "MX", TTL: 60, Data: "10 mx.example.org", Target: "mx.example.org"}},
		{"a. 60 IN HTTPS 1 . alpn=h2", DNSRecord{Name: "a", Type: "HTTPS", TTL: 60, Data: "1 . alpn=h2", Target: "."}},
		{"a. 60 IN HTTPS 0 Pool.example.org.", DNSRecord{Name: "a", Type: "HTTPS", TTL: 60, Data: "0 pool.example.org", Target: "pool.example.org"}},
		{"a. 60 IN SVCB 2 b. alpn=h2,h3 no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 key65400=x",
			DNSRecord{Name: "a", Type: "SVCB", TTL: 60, Target: "b",
				Data: "2 b alpn=h2,h3 no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 key65400=x"}},
		{"a. 60 IN SRV 1 2 443 Srv.example.org.", DNSRecord{Name: "a", Type: "SRV", TTL: 60, Data: "1 2 443 srv.example.org"}},
		{"a. 60 IN SOA NS. Host.master. 1 2 3 4 5", DNSRecord{Name: "a", Type: "SOA", TTL: 60, Data: "ns host.master 1 2 3 4 5"}},
		{`a. 60 IN TXT "v=spf1 -all" "" "quote \" slash \\ \195\164 \255"`, DNSRecord{Name: "a", Type: "TXT", TTL: 60,
			Texts: []string{"v=spf1 -all", "", `quote " slash \ ä \255`}}},
		{"a. 60 IN CAA 0 issue \"ca.example\"", DNSRecord{Name: "a", Type: "CAA", TTL: 60, Data: `0 issue "ca.example"`}},
		{`a. 60 IN TYPE65400 \# 3 0102ff`, DNSRecord{Name: "a", Type: "TYPE65400", TTL: 60, Data: `\# 3 0102ff`}},
		{`a. 60 IN NULL \# 2 ff00`, DNSRecord{Name: "a", Type: "NULL", TTL: 60, Data: `\# 2 ff00`}},
	}
	for _, tt := range tests {
		t.Run(tt.rr, func(t *testing.T) {
			d, err := ParseDNS(dnsMsg(t, true, "a.", dns.TypeANY, tt.rr))
			require.NoError(t, err)
			require.False(t, d.Incomplete)
			require.Equal(t, []DNSRecord{tt.want}, d.Answers)
		})
	}
}

func TestParseDNSChain(t *testing.T) {
	d, err := ParseDNS(dnsMsg(t, true, "www.example.org", dns.TypeA,
		"www.example.org. 300 IN CNAME www.example.org.edge.example.net.",
		"www.example.org.edge.example.net. 20 IN CNAME e1.example.com.",
		"e1.example.com. 20 IN A 192.0.2.1"))
	require.NoError(t, err)
	require.Equal(t, []DNSQuestion{{Name: "www.example.org", QType: "A", Class: 1}}, d.Questions)
	require.Equal(t, "NOERROR", d.RCode)
	require.True(t, d.Response && d.RD)
	var names []string
	for _, a := range d.Answers {
		names = append(names, a.Name+" "+a.Data)
	}
	require.Equal(t, []string{
		"www.example.org www.example.org.edge.example.net",
		"www.example.org.edge.example.net e1.example.com",
		"e1.example.com 192.0.2.1"}, names)
}

func TestParseDNSRCode(t *testing.T) {
	for code, want := range map[int]string{0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED", 13: "RCODE13",
		16: "BADVERS", 23: "BADCOOKIE", 300: "RCODE300"} {
		m := new(dns.Msg).SetQuestion("a.", dns.TypeA)
		m.Response = true
		if code > 15 {
			m.SetEdns0(1232, false)
		}
		m.Rcode = code
		b, err := m.Pack()
		require.NoError(t, err)
		d, err := ParseDNS(b)
		require.NoError(t, err)
		require.Equal(t, want, d.RCode)
		require.False(t, d.Incomplete)
	}
}

func TestParseDNSReferral(t *testing.T) {
	ns, err := dns.NewRR("example.org. 60 IN NS ns.example.org.")
	require.NoError(t, err)
	soa, err := dns.NewRR("example.org. 60 IN SOA ns. host. 1 2 3 4 5")
	require.NoError(t, err)
	tests := []struct {
		what   string
		change func(*dns.Msg)
		want   bool
	}{
		{"referral", func(m *dns.Msg) { m.Ns = []dns.RR{ns} }, true},
		{"no data", func(m *dns.Msg) { m.Ns = []dns.RR{soa} }, false},
		{"NXDOMAIN", func(m *dns.Msg) { m.Ns, m.Rcode = []dns.RR{ns}, dns.RcodeNameError }, false},
		{"answered", func(m *dns.Msg) { m.Ns, m.Answer = []dns.RR{ns}, []dns.RR{ns} }, false},
		{"query", func(m *dns.Msg) { m.Ns, m.Response = []dns.RR{ns}, false }, false},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
			m.Response = true
			tt.change(m)
			b, err := m.Pack()
			require.NoError(t, err)
			d, err := ParseDNS(b)
			require.NoError(t, err)
			require.Equal(t, tt.want, d.Referral)
		})
	}
}

func TestParseDNSEDNS(t *testing.T) {
	mac := [6]byte{2, 0, 0x5e, 0x10, 0xab, 0xff}
	tests := []struct {
		what   string
		option dns.EDNS0
		subnet string
		mac    bool
	}{
		{"subnet of IPv4", &dns.EDNS0_SUBNET{Code: 8, Family: 1, SourceNetmask: 24, Address: []byte{192, 0, 2, 0}}, "192.0.2.0/24", false},
		{"subnet of IPv6", &dns.EDNS0_SUBNET{Code: 8, Family: 2, SourceNetmask: 56,
			Address: netip.MustParseAddr("2001:db8:1::").AsSlice()}, "2001:db8:1::/56", false},
		{"no subnet wanted", &dns.EDNS0_SUBNET{Code: 8, Family: 1, Address: []byte{0, 0, 0, 0}}, "0.0.0.0/0", false},
		{"no family", &dns.EDNS0_SUBNET{Code: 8}, "", false},
		{"MAC", &dns.EDNS0_LOCAL{Code: 65001, Data: mac[:]}, "", true},
		{"MAC in base64", &dns.EDNS0_LOCAL{Code: 65073, Data: []byte("AgBeEKv/")}, "", true},
		{"MAC in hex", &dns.EDNS0_LOCAL{Code: 65073, Data: []byte("02:00:5e:10:ab:ff")}, "", true},
		{"MAC of 8 bytes", &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("12345678")}, "", false},
		{"device id that is no MAC", &dns.EDNS0_LOCAL{Code: 65073, Data: []byte("my-device-is-this")}, "", false},
		{"another option", &dns.EDNS0_LOCAL{Code: 65002, Data: mac[:]}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			m := new(dns.Msg).SetQuestion("a.", dns.TypeA).SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{tt.option}
			b, err := m.Pack()
			require.NoError(t, err)
			d, err := ParseDNS(b)
			require.NoError(t, err)
			require.False(t, d.Incomplete)
			require.Empty(t, d.Answers)
			want := netip.Prefix{}
			if tt.subnet != "" {
				want = netip.MustParsePrefix(tt.subnet)
			}
			require.Equal(t, want, d.ClientSubnet)
			require.Equal(t, tt.mac, d.HasClientMAC)
			if tt.mac {
				require.Equal(t, mac, d.ClientMAC)
			}
		})
	}
}

func TestParseDNSMulticast(t *testing.T) {
	d, err := ParseDNS(unhex(t, "0000 0000 0002 0000 0000 0000 05 5f68747470 04 5f746370 05 6c6f63616c 00 000c 8001 01 61 00"+dnsAIN))
	require.NoError(t, err)
	require.Equal(t, []DNSQuestion{{Name: "_http._tcp.local", QType: "PTR", Class: 1, Unicast: true},
		{Name: "a", QType: "A", Class: 1}}, d.Questions)

	d, err = ParseDNS(unhex(t, "0000 8400 0000 0001 0000 0000 05 6c6f63616c 00 0001 8001 00000078 0004 0a000001"))
	require.NoError(t, err)
	require.Equal(t, []DNSRecord{{Name: "local", Type: "A", TTL: 120, Data: "10.0.0.1",
		Addr: netip.MustParseAddr("10.0.0.1")}}, d.Answers)
}

func TestParseDNSUpdate(t *testing.T) {
	m := new(dns.Msg).SetUpdate("example.org.")
	m.RRsetNotUsed([]dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: "pc.example.org.", Rrtype: dns.TypeCNAME}}})
	b, err := m.Pack()
	require.NoError(t, err)
	d, err := ParseDNS(b)
	require.NoError(t, err)
	require.Equal(t, uint8(5), d.Opcode)
	require.Equal(t, []DNSQuestion{{Name: "example.org", QType: "SOA", Class: 1}}, d.Questions)
	require.Equal(t, []DNSRecord{{Name: "pc.example.org", Type: "CNAME"}}, d.Answers)
	require.False(t, d.Incomplete)
}

func TestParseDNSIncomplete(t *testing.T) {
	q := "01 61 00" + dnsAIN
	good := "c00c" + dnsAIN + "00000001 0004 c0000201"
	bad := func(typ, data string, n string) string { return "c00c " + typ + " 0001 00000001 " + n + data }
	tests := []struct {
		what, msg string
		data      []string // of the answers
	}{
		{"no answer there", dnsReplyHead + q, nil},
		{"answer cut", dnsReplyHead + q + good[:len(good)-2], nil},
		{"second answer cut", "1234 8180 0001 0002 0000 0000" + q + good + "c00c 0001", []string{"192.0.2.1"}},
		{"second question cut", "1234 8180 0002 0001 0000 0000" + q + "01 62", nil},
		{"pointer loop in an owner", "1234 8180 0001 0002 0000 0000" + q + good + "c023" + dnsAIN + "00000001 0004 c0000202", []string{"192.0.2.1"}},
		{"pointer loop in a CNAME", dnsReplyHead + q + bad("0005", "c01f", "0002"), []string{`\# 2 c01f`}},
		{"label type 0x40 in a CNAME", dnsReplyHead + q + bad("0005", "4161 00", "0003"), []string{`\# 3 416100`}},
		{"CNAME of 300 bytes", dnsReplyHead + q + bad("0005", strings.Repeat("0161", 149)+"6100", "012c"), []string{`\# 300 ` + strings.Repeat("0161", 149) + "6100"}},
		{"bytes behind a CNAME's name", dnsReplyHead + q + bad("0005", "01 78 00 ff", "0004"), []string{"x"}},
		{"HTTPS with a parameter too long", dnsReplyHead + q + bad("0041", "0001 01 78 00 0001 0003 0568", "000b"), []string{"1 x"}},
		{"HTTPS with an ALPN too long", dnsReplyHead + q + bad("0041", "0001 01 78 00 0001 0002 0568", "000b"), []string{"1 x"}},
		{"SVCB without a target", dnsReplyHead + q + bad("0040", "0001", "0002"), []string{`\# 2 0001`}},
		{"A of 3 bytes, then a good one", "1234 8180 0001 0002 0000 0000" + q + bad("0001", "c00002", "0003") + good, []string{`\# 3 c00002`, "192.0.2.1"}},
		{"authority cut", "1234 8180 0001 0001 0001 0000" + q + good + "c00c 0002", []string{"192.0.2.1"}},
		{"additional cut", "1234 8180 0001 0001 0000 0001" + q + good, []string{"192.0.2.1"}},
		{"EDNS option too long", "1234 8180 0001 0001 0000 0001" + q + good + "00 0029 1000 00000000 0004 000a 00ff", []string{"192.0.2.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			d, err := ParseDNS(unhex(t, tt.msg))
			require.NoError(t, err)
			require.True(t, d.Incomplete)
			require.Equal(t, "a", d.Questions[0].Name)
			var data []string
			for _, a := range d.Answers {
				data = append(data, a.Data)
			}
			require.Equal(t, tt.data, data)
		})
	}
}

// Every prefix of a message returns an error or what is in it, never more.
func TestParseDNSCut(t *testing.T) {
	msg := dnsMsg(t, true, "www.example.org", dns.TypeA,
		"www.example.org. 60 IN CNAME b.example.net.", "b.example.net. 60 IN A 192.0.2.1")
	whole, err := ParseDNS(msg)
	require.NoError(t, err)
	require.False(t, whole.Incomplete)
	for n := range msg {
		d, err := ParseDNS(msg[:n])
		if err != nil {
			require.Less(t, n, 12+17+4)
			continue
		}
		require.True(t, d.Incomplete)
		require.Equal(t, whole.Questions, d.Questions)
		require.Subset(t, whole.Answers, d.Answers)
		require.Less(t, len(d.Answers), len(whole.Answers))
	}
	_, err = ParseDNS(msg[:dnsHeaderLen-1])
	require.ErrorIs(t, err, ErrTruncated)
	_, err = ParseDNS(msg[:20])
	require.ErrorIs(t, err, ErrMalformed)
}

func TestParseDNSBoundsRecords(t *testing.T) {
	b := unhex(t, "1234 8180 0001 1400 0000 0000 00"+dnsAIN)
	rr := unhex(t, "00 0010 0001 00000000 0000")
	for range 0x1400 {
		b = append(b, rr...)
	}
	d, err := ParseDNS(b)
	require.NoError(t, err)
	require.True(t, d.Incomplete)
	require.Len(t, d.Answers, dnsMaxRecords-1) // the question counts
}

// Text that takes the library long is left out: a full bitmap took it more than ten seconds.
func TestParseDNSCostlyText(t *testing.T) {
	bitmap := "00"
	for w := range 256 {
		bitmap += fmt.Sprintf("%02x20", w) + strings.Repeat("ff", 32)
	}
	hip := strings.Repeat("00", 30_000)
	for typ, data := range map[uint16]string{dns.TypeNSEC: bitmap, dns.TypeCSYNC: "000000000000" + bitmap[2:], dns.TypeHIP: hip} {
		rr := fmt.Sprintf("c00c %04x 0001 00000001 %04x", typ, len(data)/2) + data
		start := time.Now()
		d, err := ParseDNS(unhex(t, dnsReplyHead+"01 61 00"+dnsAIN+rr))
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second)
		require.False(t, d.Incomplete)
		require.Equal(t, fmt.Sprintf(`\# %d %s`, len(data)/2, data), d.Answers[0].Data)
	}
	d, err := ParseDNS(dnsMsg(t, true, "a.", dns.TypeANY, "a. 60 IN NSEC b. A RRSIG NSEC"))
	require.NoError(t, err)
	require.Equal(t, "b. A RRSIG NSEC", d.Answers[0].Data)
}

func TestPanicMalformed(t *testing.T) {
	fails := func() (err error) {
		defer panicMalformed(&err)
		var none []byte
		_ = none[len(none)]
		return nil
	}
	require.ErrorIs(t, fails(), ErrMalformed)
}

// fuzzDNSSeeds adds one message of each sort.
func fuzzDNSSeeds(f *testing.F) {
	f.Add(dnsMsg(f, false, "www.example.org", dns.TypeA))
	f.Add(dnsMsg(f, true, "www.example.org", dns.TypeA, "www.example.org. 60 IN CNAME b.", "b. 60 IN A 192.0.2.1",
		"b. 60 IN HTTPS 1 c. alpn=h2", `b. 60 IN TXT "\255\\" "b"`, "b. 60 IN SOA a. b. 1 2 3 4 5", "b. 60 IN SRV 1 2 3 c."))
	m := new(dns.Msg).SetQuestion(`a\.b\\.c.`, dns.TypeTXT).SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: 8, Family: 1, SourceNetmask: 24, Address: []byte{192, 0, 2, 0}}}
	b, err := m.Pack()
	require.NoError(f, err)
	f.Add(b)
	for _, s := range []string{dnsQueryHead + "c012" + dnsAIN + "01 61 00", dnsQueryHead + dnsName255 + dnsAIN,
		"0000 8400 0000 0001 0000 0000 01 61 00 0001 8001 00000078 0004 0a000001", "1234 8001 0000 0000 0000 0000"} {
		f.Add(unhex(f, s))
	}
}

func FuzzPeekDNS(f *testing.F) {
	fuzzDNSSeeds(f)
	scratch := make([]byte, 1024)
	f.Fuzz(func(t *testing.T, msg []byte) {
		p, ok := PeekDNS(msg, scratch)
		if !ok {
			return
		}
		require.Equal(t, p.QD == 0, p.Name == nil)
		require.LessOrEqual(t, p.Rest, len(msg))
		for _, c := range p.Name {
			require.True(t, 33 <= c && c <= 126 && (c < 'A' || c > 'Z'), "%q", p.Name)
		}
		name := string(p.Name)
		require.LessOrEqual(t, len(dnsAddrs(msg, &p, nil)), 64)
		_, wanted := DNSLook(msg, &p, make([]byte, 1024), no{}, nil)
		require.False(t, wanted)
		require.Equal(t, name, string(p.Name))
	})
}

// askedSet is an interest in nothing that remembers what it was asked for.
type askedSet map[string]bool

func (a askedSet) Name(b []byte) bool {
	a[string(b)] = true
	return false
}

func FuzzParseDNS(f *testing.F) {
	fuzzDNSSeeds(f)
	f.Fuzz(func(t *testing.T, msg []byte) {
		p, ok := PeekDNS(msg, make([]byte, 1024))
		d, err := ParseDNS(msg)
		require.Equal(t, ok, err == nil)
		if err != nil {
			return
		}
		if p.QD > 0 {
			require.Equal(t, string(p.Name), d.Questions[0].Name)
			require.Equal(t, p.QClass, d.Questions[0].Class)
		}
		require.LessOrEqual(t, len(d.Questions), int(p.QD))
		require.LessOrEqual(t, len(d.Answers), int(p.AN))
		seen := askedSet{string(p.Name): true}
		DNSLook(msg, &p, make([]byte, 1024), seen, nil)
		var addrs []netip.Addr
		for _, a := range d.Answers {
			require.True(t, utf8.ValidString(a.Data+strings.Join(a.Texts, "")))
			require.True(t, seen[a.Name], a.Name)
			if a.Target != "" && slices.Contains([]string{"CNAME", "DNAME", "HTTPS", "SVCB"}, a.Type) {
				require.True(t, seen[a.Target], a.Target)
			}
			if a.Addr.IsValid() {
				addrs = append(addrs, a.Addr)
			}
		}
		if len(d.Answers) == int(p.AN) && len(addrs) <= 64 {
			require.Equal(t, addrs, dnsAddrs(msg, &p, nil))
		}
	})
}
