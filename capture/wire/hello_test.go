package wire

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clientHello gives the body of the hello that crypto/tls sends.
func clientHello(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	sent, _ := handshake(t, cfg, serverConfig(t))
	s := ScanHandshake(sent, nil)
	typ, body, st := s.Next()
	require.Equal(t, Whole, st)
	require.EqualValues(t, HandshakeClientHello, typ)
	return body
}

func TestClientHelloOfCryptoTLS(t *testing.T) {
	body := clientHello(t, clientConfig(tls.VersionTLS13))
	h, err := ParseClientHello(body, false, 0)
	require.NoError(t, err)
	require.Equal(t, "update.av.example", h.SNI)
	require.Equal(t, []string{"h2", "http/1.1"}, h.ALPN)
	require.EqualValues(t, tls.VersionTLS13, h.Version)
	require.Regexp(t, `^t13d\d{4}h2_[0-9a-f]{12}_[0-9a-f]{12}$`, h.JA4)
	require.Regexp(t, `^[0-9a-f]{32}$`, h.JA3)
	require.False(t, h.ECH)

	var v HelloView
	require.True(t, PeekClientHello(body, &v))
	require.Equal(t, "update.av.example", string(v.SNI))
	require.False(t, v.ECH)

	q, err := ParseClientHello(body, false, 1)
	require.NoError(t, err)
	require.Equal(t, "q"+h.JA4[1:], q.JA4)
	bare := 2 + 32 + 1 + int(body[34]) // up to the ciphers
	bare += 2 + int(binary.BigEndian.Uint16(body[bare:])) + 2
	for i := range body {
		_, err := ParseClientHello(body[:i], false, 0)
		require.Equal(t, i == bare, err == nil, "cut at %d; %d is a hello without extensions", i, bare)
		require.Equal(t, i == bare, PeekClientHello(body[:i], &v))
	}
}

// helloBuilder puts a ClientHello together by hand.
type helloBuilder struct {
	version uint16
	ciphers []uint16
	exts    []byte
}

func (b *helloBuilder) ext(typ uint16, data ...byte) {
	b.exts = binary.BigEndian.AppendUint16(b.exts, typ)
	b.exts = binary.BigEndian.AppendUint16(b.exts, uint16(len(data)))
	b.exts = append(b.exts, data...)
}

func (b *helloBuilder) body(dtls bool) []byte {
	out := binary.BigEndian.AppendUint16(nil, b.version)
	out = append(out, make([]byte, 32)...)
	out = append(out, 0)
	if dtls {
		out = append(out, 2, 0xab, 0xcd)
	}
	out = binary.BigEndian.AppendUint16(out, uint16(2*len(b.ciphers)))
	for _, c := range b.ciphers {
		out = binary.BigEndian.AppendUint16(out, c)
	}
	out = append(out, 1, 0)
	if b.exts != nil {
		out = binary.BigEndian.AppendUint16(out, uint16(len(b.exts)))
		out = append(out, b.exts...)
	}
	return out
}

func sniData(name string) []byte {
	out := []byte{0, byte(len(name) + 3), 0, 0, byte(len(name))}
	return append(out, name...)
}

// The example of FoxIO's JA4 specification: its two lists and what they hash to.
func TestJA4OfTheSpecification(t *testing.T) {
	b := helloBuilder{version: 0x0303, ciphers: []uint16{
		0x6a6a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
		0x002f, 0x0035,
	}}
	b.ext(0x1a1a)
	for _, typ := range []uint16{0x001b} {
		b.ext(typ)
	}
	b.ext(extServerName, sniData("clients.example")...)
	b.ext(0x0033)
	b.ext(extALPN, 0, 3, 2, 'h', '2')
	b.ext(0x4469)
	b.ext(0x0017)
	b.ext(0x002d)
	b.ext(extSignatureAlgs, 0, 16, 4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1)
	b.ext(0x0005)
	b.ext(0x0023)
	b.ext(0x0012)
	b.ext(extSupportedVersions, 6, 0x2a, 0x2a, 3, 4, 3, 3)
	b.ext(0xff01)
	b.ext(extPointFormats, 1, 0)
	b.ext(extSupportedGroups, 0, 8, 0x3a, 0x3a, 0, 29, 0, 23, 0, 24)
	b.ext(0x0015, 0)
	b.ext(0xfafa, 0)
	h, err := ParseClientHello(b.body(false), false, 0)
	require.NoError(t, err)
	require.Equal(t, "t13d1516h2_8daaf6152771_e5627efa2ab1", h.JA4)
	require.EqualValues(t, 0x0304, h.Version)
	require.Equal(t, "clients.example", h.SNI)
}

func TestJA4Corners(t *testing.T) {
	none := helloBuilder{version: 0x0300}
	h, err := ParseClientHello(none.body(false), false, 0)
	require.NoError(t, err)
	require.Equal(t, "ts3i000000_000000000000_000000000000", h.JA4)

	only := helloBuilder{version: 0x0301, ciphers: []uint16{0x002f}}
	only.ext(extServerName, sniData("a.example")...)
	h, err = ParseClientHello(only.body(false), false, 0)
	require.NoError(t, err)
	require.Equal(t, "t10d010100_", h.JA4[:11])
	require.Equal(t, "_000000000000", h.JA4[23:])

	many := helloBuilder{version: 0x0302}
	for i := range 300 {
		many.ciphers = append(many.ciphers, uint16(i))
		many.ext(uint16(0x1000 + i))
	}
	h, err = ParseClientHello(many.body(false), false, 0)
	require.NoError(t, err)
	require.Equal(t, "t11i999900_", h.JA4[:11])

	for _, c := range []struct{ alpn, want string }{
		{"h2", "h2"}, {"http/1.1", "h1"}, {"x", "xx"}, {"\xab", "ab"}, {"\xab\xcd", "ad"}, {"0\xab", "3b"},
		{"01\xab\xcd", "3d"}, {"0\xab\xcd1", "01"}, {"\x0a\x0a", "0a"},
	} {
		require.Equal(t, c.want, string(appendJA4Protocol(nil, []byte(c.alpn))), "%q", c.alpn)
	}
	for version, want := range map[uint16]string{0xfeff: "d1", 0xfefd: "d2", 0xfefc: "d3", 0x0100: "00"} {
		b := helloBuilder{version: version, ciphers: []uint16{0xc02b}}
		h, err := ParseClientHello(b.body(true), true, 0)
		require.NoError(t, err)
		require.Equal(t, "d"+want+"i010000", h.JA4[:10])
	}
}

// The published example of JA3 (salesforce/ja3, README): text and MD5.
func TestJA3(t *testing.T) {
	f := helloFields{
		legacy:  769,
		ciphers: []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
		exts:    []uint16{0, 10, 11},
		groups:  []uint16{23, 24, 25},
		formats: []byte{0},
	}
	require.Equal(t, "ada70206e40642a3e4461f35503241d5", f.ja3())
	f = helloFields{legacy: 769, ciphers: []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}
	require.Equal(t, "de350869b8c85de67a350c8d186f11e6", f.ja3())
	require.Len(t, ja3s(769, 47, []uint16{65281, 0, 11, 35, 5, 16}), 32)
}

func TestServerNames(t *testing.T) {
	for _, c := range []struct {
		name     string
		ext      []byte
		sni      string
		view     string
		noneView bool
	}{
		{"plain", sniData("a.example"), "a.example", "a.example", false},
		{"capitals and dot", sniData("A.Example."), "a.example", "a.example", false},
		{"bytes outside ASCII", sniData("a\xffb c\\d"), `a\255b\032c\\d`, "a\xffb c\\d", false},
		{"empty", sniData(""), "", "", true},
		{"no list", nil, "", "", true},
		{"list too long", []byte{0, 9, 0}, "", "", true},
		{"other type first", append([]byte{0, 8, 1, 0, 1, 'x', 0, 0, 1, 'y'}, 0), "y", "y", false},
		{"longer than a host name", append([]byte{1, 3, 0, 1, 0}, strings.Repeat("x", 256)...), strings.Repeat("x", 256), "", true},
	} {
		b := helloBuilder{version: 0x0303, ciphers: []uint16{0x1301}}
		b.ext(extServerName, c.ext...)
		h, err := ParseClientHello(b.body(false), false, 0)
		require.NoError(t, err, c.name)
		require.Equal(t, c.sni, h.SNI, c.name)
		var v HelloView
		require.True(t, PeekClientHello(b.body(false), &v))
		require.Equal(t, c.noneView, v.SNI == nil, c.name)
		require.Equal(t, c.view, string(v.SNI), c.name)
	}
}

func TestEncryptedClientHello(t *testing.T) {
	b := helloBuilder{version: 0xfefd, ciphers: []uint16{0x1301}}
	b.ext(extECH, 0)
	b.exts = append(b.exts, 0xff) // garbage behind the last extension
	h, err := ParseClientHello(b.body(true), true, 0)
	require.NoError(t, err)
	require.True(t, h.ECH)
	var v HelloView
	require.True(t, PeekDTLSClientHello(b.body(true), &v))
	require.True(t, v.ECH)
	require.False(t, PeekClientHello(b.body(true), &v), "DTLS is no TLS")
	require.False(t, v.ECH, "a view that failed is empty")
}

func TestServerHello(t *testing.T) {
	_, fromServer := handshake(t, clientConfig(tls.VersionTLS12), serverConfig(t))
	s := ScanHandshake(fromServer, nil)
	_, body, _ := s.Next()
	h, err := ParseServerHello(body, false)
	require.NoError(t, err)
	require.Equal(t, "h2", h.ALPN)
	require.EqualValues(t, 0x0303, h.Version)
	require.Len(t, h.JA3S, 32)
	fixed := 35 + int(body[34]) + 3 // up to the extensions
	for i := range body {
		_, err := ParseServerHello(body[:i], false)
		require.Equal(t, i >= fixed, err == nil, "cut at %d", i)
	}
	draft := append([]byte{0x7f, 0x12}, make([]byte, 32)...)
	draft = append(draft, 0x13, 0x01, 0, 0)
	h, err = ParseServerHello(draft, false)
	require.NoError(t, err)
	require.EqualValues(t, 0x1301, h.Cipher)
}

func TestParseClientHelloAllocations(t *testing.T) {
	body := clientHello(t, clientConfig(tls.VersionTLS13))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		_, _ = ParseClientHello(body, false, 0)
	}), 9.0)
}

func FuzzClientHello(f *testing.F) {
	f.Add(clientHello(f, clientConfig(tls.VersionTLS13)), false)
	f.Add(clientHello(f, clientConfig(tls.VersionTLS12)), false)
	b := helloBuilder{version: 0xfefd, ciphers: []uint16{0xc02b}}
	b.ext(extServerName, sniData("a.example")...)
	f.Add(b.body(true), true)
	sslv2, _ := hex.DecodeString("010301000300000010" + "00002f" + strings.Repeat("aa", 16))
	f.Add(sslv2, false)
	f.Fuzz(func(t *testing.T, body []byte, dtls bool) {
		var v HelloView
		h, err := ParseClientHello(body, dtls, 0)
		require.Equal(t, err == nil, v.peek(body, dtls), "both looks agree on what a hello is")
		if err != nil {
			return
		}
		require.Equal(t, h.ECH, v.ECH)
		if h.JA4 != "" {
			require.Len(t, h.JA4, 36)
		}
		if v.SNI != nil && len(v.SNI) < viewNameMax {
			require.Equal(t, h.SNI, hostText(append(v.SNI, '.')))
		}
	})
}

func FuzzServerHello(f *testing.F) {
	_, fromServer := handshake(f, clientConfig(tls.VersionTLS12), serverConfig(f))
	f.Add(fromServer[9:], false)
	f.Fuzz(func(t *testing.T, body []byte, dtls bool) {
		h, err := ParseServerHello(body, dtls)
		require.Equal(t, err == nil, h != nil)
		if err == nil {
			require.Len(t, h.JA3S, 32)
		}
	})
}

func BenchmarkPeekClientHello(b *testing.B) {
	body := clientHello(b, clientConfig(tls.VersionTLS13))
	var v HelloView
	b.ReportAllocs()
	for b.Loop() {
		PeekClientHello(body, &v)
	}
}

func BenchmarkParseClientHello(b *testing.B) {
	body := clientHello(b, clientConfig(tls.VersionTLS13))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ParseClientHello(body, false, 0)
	}
}
