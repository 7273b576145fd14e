package wire

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// dnsMsg packs a message with a question for qname, and the records of answer given in master file form.
func dnsMsg(t testing.TB, response bool, qname string, qtype uint16, answer ...string) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(qname), qtype)
	m.Id, m.Response, m.Compress = 0x1234, response, true
	for _, a := range answer {
		rr, err := dns.NewRR(a)
		require.NoError(t, err)
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// unhex joins hex digits, blanks between them left out.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

const (
	dnsQueryHead = "1234 0100 0001 0000 0000 0000 "
	dnsReplyHead = "1234 8180 0001 0001 0000 0000 "
	dnsAIN       = " 0001 0001"
)

// dnsName255 is a name of exactly 255 bytes on the wire: 3 labels of 63 and one of 61.
var dnsName255 = strings.Repeat("3f"+strings.Repeat("61", 63), 3) + "3d" + strings.Repeat("62", 61) + "00"

func TestPeekDNSName(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 61)
	tests := []struct{ what, msg, name string }{
		{"plain", dnsQueryHead + "01 61 02 6272 00" + dnsAIN, "a.br"},
		{"upper case", dnsQueryHead + "03 444E6C 00" + dnsAIN, "dnl"},
		{"root", dnsQueryHead + "00" + dnsAIN, "."},
		{"dot, backslash and blank in a label", dnsQueryHead + "05 2e5c20223b 00" + dnsAIN, `\046\092\032";`},
		{"bytes outside ASCII", dnsQueryHead + "04 c3a4007f 00" + dnsAIN, `\195\164\000\127`},
		{"255 bytes", dnsQueryHead + dnsName255 + dnsAIN, long},
		{"forward pointer", dnsQueryHead + "c012" + dnsAIN + "01 61 00", "a"},
		{"label, then forward pointer", dnsQueryHead + "01 78 c014" + dnsAIN + "01 61 00", "x.a"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			msg := unhex(t, tt.msg)
			p, ok := PeekDNS(msg, make([]byte, 1024))
			require.True(t, ok)
			require.Equal(t, tt.name, string(p.Name))
			require.Equal(t, uint16(dns.TypeA), p.QType)
			d, err := ParseDNS(msg)
			require.NoError(t, err)
			require.Equal(t, tt.name, d.Questions[0].Name)
			require.False(t, d.Incomplete)
		})
	}
}

func TestPeekDNSLongestNameFitsScratch(t *testing.T) {
	wire := strings.Repeat("01 ff", 127) + "00" // the most text that 255 bytes can become
	scratch := make([]byte, 1024)
	p, ok := PeekDNS(unhex(t, dnsQueryHead+wire+dnsAIN), scratch)
	require.True(t, ok)
	require.Len(t, p.Name, 127*4+126)
	wire = strings.Repeat("3f"+strings.Repeat("ff", 63), 3) + "3d" + strings.Repeat("ff", 61) + "00"
	p, ok = PeekDNS(unhex(t, dnsQueryHead+wire+dnsAIN), scratch)
	require.True(t, ok)
	require.Len(t, p.Name, 250*4+3)
	require.Same(t, &scratch[0], &p.Name[0])
}

func TestPeekDNSHeader(t *testing.T) {
	p, ok := PeekDNS(unhex(t, "abcd af83 0001 0002 0003 0004 01 61 00 00ff 8001"), make([]byte, 1024))
	require.True(t, ok)
	require.Equal(t, DNSPeek{ID: 0xabcd, Flags: 0xaf83, QD: 1, AN: 2, NS: 3, AR: 4,
		QType: 255, QClass: 1, Name: []byte("a"), Rest: 19}, p)
	require.True(t, p.Response())
	require.Equal(t, uint8(5), p.Opcode())
	require.True(t, p.AA() && p.TC() && p.RD() && p.RA())
	require.Equal(t, uint8(3), p.RCode())
}

func TestPeekDNSRefuses(t *testing.T) {
	loops := dnsQueryHead + "01 61 c00c" + dnsAIN
	tests := []struct{ what, msg string }{
		{"nothing", ""},
		{"half a header", "1234 0100 0001"},
		{"header alone", dnsQueryHead},
		{"query without anything", "1234 0100 0000 0000 0000 0000"},
		{"response of zeros", "0000 8000 0000 0000 0000 0000 0000 0000"},
		{"pointer to itself", dnsQueryHead + "c00c" + dnsAIN},
		{"pointer loop over a label", loops},
		{"pointer behind the end", dnsQueryHead + "c0ff" + dnsAIN},
		{"half a pointer", dnsQueryHead + "c0"},
		{"label type 0x40", dnsQueryHead + "41 61 00" + dnsAIN},
		{"label type 0x80", dnsQueryHead + "81 61 00" + dnsAIN},
		{"256 bytes", dnsQueryHead + "3f" + strings.Repeat("61", 63) + strings.Repeat("3f"+strings.Repeat("61", 63), 2) + "3e" + strings.Repeat("62", 62) + "00" + dnsAIN},
		{"cut in a label", dnsQueryHead + "05 6161"},
		{"cut before the class", dnsQueryHead + "01 61 00 0001 00"},
		{"class 9", dnsQueryHead + "01 61 00 0001 0009"},
		{"private class", dnsQueryHead + "01 61 00 0001 ff01"},
		{"counts beyond any message", "1234 0100 0001 4000 0000 0000 01 61 00" + dnsAIN},
		{"no question, record of class 77", "1234 8400 0000 0001 0000 0000 01 61 00 0001 0077 00000000 0000"},
		{"no question, record of type 0", "1234 8400 0000 0001 0000 0000 01 61 00 0000 0001 00000000 0000"},
		{"zeros", strings.Repeat("00", 48)},
		{"ones", strings.Repeat("ff", 48)},
		{"text", hex.EncodeToString([]byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"))},
		{"SSDP", hex.EncodeToString([]byte("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"))},
		{"NTP client", "23 00 06 ec" + strings.Repeat("00", 44)},
		{"STUN binding request", "0001 0000 2112a442 b7e7a701 bc34d686 fa87dfae"},
		{"DTLS 1.2 record", "16 fefd 0000 000000000000 0030 01 000024 0000 000000000024 fefd"},
		{"WireGuard initiation", "01000000 5f3a2b11 " + strings.Repeat("9c3b", 70)},
		{"RTP", "8000 0001 000000a0 deadbeef" + strings.Repeat("d5", 160)},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			msg := unhex(t, tt.msg)
			_, ok := PeekDNS(msg, make([]byte, 1024))
			require.False(t, ok)
			_, err := ParseDNS(msg)
			require.Error(t, err)
		})
	}
	_, ok := PeekDNS(append(unhex(t, dnsQueryHead+"00"+dnsAIN), make([]byte, 1<<16)...), make([]byte, 1024))
	require.False(t, ok, "longer than any message")
}

func TestPeekDNSRefusesNoise(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	scratch, buf := make([]byte, 1024), make([]byte, 200)
	for range 300_000 {
		for i := 0; i < len(buf); i += 8 {
			binary.BigEndian.PutUint64(buf[i:], rnd.Uint64())
		}
		_, ok := PeekDNS(buf[:12+rnd.IntN(len(buf)-12)], scratch)
		require.False(t, ok, "%x", buf)
	}
}

func TestPeekDNSWithoutQuestion(t *testing.T) {
	tests := []struct{ what, msg string }{
		{"server that could not read the question", "1234 8001 0000 0000 0000 0000"},
		{"mDNS announcement", "0000 8400 0000 0001 0000 0000 01 61 00 0001 8001 00000078 0004 0a000001"},
		{"query for a cookie (RFC 7873 5.4)", "1234 0100 0000 0000 0000 0001 00 0029 1000 00000000 000c 000a 0008 0102030405060708"},
		{"DSO keepalive", "1234 3000 0000 0000 0000 0000 0001 0008 00003a98 00003a98"},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			msg := unhex(t, tt.msg)
			p, ok := PeekDNS(msg, make([]byte, 1024))
			require.True(t, ok)
			require.Nil(t, p.Name)
			require.Equal(t, 12, p.Rest)
			d, err := ParseDNS(msg)
			require.NoError(t, err)
			require.Empty(t, d.Questions)
			require.False(t, d.Incomplete)
		})
	}
}

// dnsAddrs gives the addresses of an answer.
func dnsAddrs(msg []byte, p *DNSPeek, dst []netip.Addr) []netip.Addr {
	addrs, _ := DNSLook(msg, p, make([]byte, 1024), no{}, dst)
	return addrs
}

func TestDNSAddrs(t *testing.T) {
	msg := dnsMsg(t, true, "www.example.org", dns.TypeA,
		"www.example.org. 60 IN CNAME edge.example.net.",
		"edge.example.net. 60 IN A 192.0.2.1",
		"edge.example.net. 60 IN AAAA 2001:db8::1",
		"edge.example.net. 60 IN TXT \"x\"",
		"edge.example.net. 60 IN AAAA ::ffff:192.0.2.9")
	p, ok := PeekDNS(msg, make([]byte, 1024))
	require.True(t, ok)
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("::ffff:192.0.2.9")}
	require.Equal(t, want, dnsAddrs(msg, &p, nil))
	require.Equal(t, want[:2], dnsAddrs(msg[:len(msg)-1], &p, nil), "last record cut")

	before := netip.MustParseAddr("10.0.0.1")
	require.Equal(t, append([]netip.Addr{before}, want...), dnsAddrs(msg, &p, []netip.Addr{before}))
}

func TestDNSAddrsBehindSeveralQuestions(t *testing.T) {
	msg := unhex(t, "1234 8180 0002 0001 0000 0000 01 61 00"+dnsAIN+"01 62 00"+dnsAIN+"c00c"+dnsAIN+"00000001 0004 c0000201")
	p, ok := PeekDNS(msg, make([]byte, 1024))
	require.True(t, ok)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, dnsAddrs(msg, &p, nil))
}

func TestDNSAddrsBounded(t *testing.T) {
	msg := unhex(t, "1234 8180 0001 0064 0000 0000 01 61 00"+dnsAIN+strings.Repeat("c00c"+dnsAIN+"00000001 0004 c0000201", 100))
	p, ok := PeekDNS(msg, make([]byte, 1024))
	require.True(t, ok)
	require.Len(t, dnsAddrs(msg, &p, nil), 64)
}

// asked is an interest that remembers what it was asked for and says yes to one name.
type asked struct {
	names []string
	yes   string
}

func (a *asked) Name(b []byte) bool {
	a.names = append(a.names, string(b))
	return string(b) == a.yes
}

func TestDNSLookAsks(t *testing.T) {
	msg := dnsMsg(t, true, "www.example.org", dns.TypeA,
		"www.example.org. 60 IN CNAME Edge.Example.net.",
		"edge.example.net. 60 IN DNAME dname.example.net.",
		"edge.example.net. 60 IN HTTPS 1 svc.example.net. alpn=h2",
		"edge.example.net. 60 IN SVCB 1 svcb.example.net.",
		"edge.example.net. 60 IN NS ns.example.net.",
		"other.example.net. 60 IN A 192.0.2.1")
	p, ok := PeekDNS(msg, make([]byte, 1024))
	require.True(t, ok)
	scratch := make([]byte, 1024)

	all := &asked{}
	_, wanted := DNSLook(msg, &p, scratch, all, nil)
	require.False(t, wanted)
	require.NotContains(t, all.names, "www.example.org", "the caller has asked for the question's name")
	for _, name := range []string{"edge.example.net", "dname.example.net", "svc.example.net",
		"svcb.example.net", "other.example.net"} {
		require.Contains(t, all.names, name)
		_, wanted := DNSLook(msg, &p, scratch, &asked{yes: name}, nil)
		require.True(t, wanted, name)
	}
	require.NotContains(t, all.names, "ns.example.net")
}

func TestNextDNSTCP(t *testing.T) {
	msg := dnsMsg(t, false, "example.org", dns.TypeA)
	framed := append([]byte{0, byte(len(msg))}, msg...)
	two := append(append([]byte{}, framed...), framed...)

	got, rest, st := NextDNSTCP(two)
	require.Equal(t, Whole, st)
	require.Equal(t, msg, got)
	require.Equal(t, framed, rest)

	tests := []struct {
		what string
		in   []byte
		want Status
	}{
		{"nothing", nil, More},
		{"half a length", []byte{0}, More},
		{"length alone", framed[:2], More},
		{"part", framed[:len(framed)-1], More},
		{"length 0", []byte{0, 0, 1, 2}, No},
		{"length 11", []byte{0, 11, 1, 2}, No},
		{"no header of a message", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh"), No},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			got, rest, st := NextDNSTCP(tt.in)
			require.Equal(t, tt.want, st)
			require.Nil(t, got)
			require.Equal(t, tt.in, rest)
		})
	}
}

// no is an interest in nothing.
type no struct{}

func (no) Name([]byte) bool { return false }

func TestDNSInPlaceDoesNotAllocate(t *testing.T) {
	msg := dnsMsg(t, true, "www.example.org", dns.TypeA,
		"www.example.org. 60 IN CNAME edge.example.net.", "edge.example.net. 60 IN A 192.0.2.1")
	peek, scratch, addrs := make([]byte, 1024), make([]byte, 1024), make([]netip.Addr, 0, 64)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p, ok := PeekDNS(msg, peek)
		got, wanted := DNSLook(msg, &p, scratch, no{}, addrs)
		if !ok || len(got) != 1 || wanted {
			t.Fail()
		}
	}))
}

func BenchmarkPeekDNS(b *testing.B) {
	msg, scratch := dnsMsg(b, false, "dnl-01.geo.example.com", dns.TypeA), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		PeekDNS(msg, scratch)
	}
}

func BenchmarkDNSAnswer(b *testing.B) {
	msg := dnsMsg(b, true, "www.example.org", dns.TypeA,
		"www.example.org. 60 IN CNAME edge.example.net.", "edge.example.net. 60 IN A 192.0.2.1",
		"edge.example.net. 60 IN A 192.0.2.2", "edge.example.net. 60 IN A 192.0.2.3")
	peek, scratch, addrs := make([]byte, 1024), make([]byte, 1024), make([]netip.Addr, 0, 64)
	b.Run("in place", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p, _ := PeekDNS(msg, peek)
			DNSLook(msg, &p, scratch, no{}, addrs)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = ParseDNS(msg)
		}
	})
}
