package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tap is a connection that keeps what is written to it.
type tap struct {
	net.Conn
	sent bytes.Buffer
}

func (t *tap) Write(b []byte) (int, error) {
	t.sent.Write(b)
	return t.Conn.Write(b)
}

// handshake runs a whole TLS handshake and gives what each side sent.
func handshake(t testing.TB, client, server *tls.Config) (fromClient, fromServer []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	served := make(chan *tap, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(served)
			return
		}
		b := &tap{Conn: conn}
		s := tls.Server(b, server)
		_, _ = io.Copy(io.Discard, s) // shakes hands, then reads to the end
		_ = s.Close()
		served <- b
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	a := &tap{Conn: conn}
	c := tls.Client(a, client)
	require.NoError(t, c.Handshake())
	require.NoError(t, c.Close())
	b, ok := <-served
	require.True(t, ok)
	return a.sent.Bytes(), b.sent.Bytes()
}

// serverConfig makes a configuration with a fresh certificate.
func serverConfig(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		Subject:      pkix.Name{CommonName: "update.av.example", Organization: []string{"AV Example"}},
		DNSNames:     []string{"update.av.example", "*.CDN.av.example"},
		IPAddresses:  []net.IP{net.ParseIP("192.0.2.7"), net.ParseIP("2001:db8::7")},
		NotBefore:    time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC),
		NotAfter:     time.Date(2051, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2", "http/1.1"},
	}
}

func clientConfig(version uint16) *tls.Config {
	return &tls.Config{
		ServerName: "Update.AV.example", NextProtos: []string{"h2", "http/1.1"},
		InsecureSkipVerify: true, MaxVersion: version,
	}
}

// reframe cuts the handshake bytes of a record into records that end at the given offsets.
func reframe(record []byte, ends ...int) []byte {
	data, out, from := record[recordHeader:], []byte(nil), 0
	for _, to := range append(ends, len(data)) {
		out = append(out, recordHandshake, 3, 1)
		out = binary.BigEndian.AppendUint16(out, uint16(to-from))
		out = append(out, data[from:to]...)
		from = to
	}
	return out
}

func TestHelloCutAtEveryByte(t *testing.T) {
	sent, _ := handshake(t, clientConfig(tls.VersionTLS13), serverConfig(t))
	n := recordHeader + int(binary.BigEndian.Uint16(sent[3:]))
	record := sent[:n:n]
	require.Greater(t, n, 1460, "a hello with a post-quantum key share does not fit one segment")
	want := record[recordHeader+handshakeHeader:]
	for i := range n {
		st := LooksTLS(record[:i])
		require.NotEqual(t, No, st, "cut at %d", i)
		if i >= 11 {
			require.Equal(t, Whole, st)
		}
		s := ScanHandshake(record[:i], nil)
		_, _, st = s.Next()
		require.Equal(t, More, st, "cut at %d", i)
	}
	scratch := make([]byte, 0, 4096)
	for i := 1; i < len(want)+handshakeHeader; i++ {
		for _, framed := range [][]byte{reframe(record, i), reframe(record, (i+1)/2, i)} {
			require.Equal(t, Whole, LooksTLS(framed))
			s := ScanHandshake(framed, scratch)
			typ, body, st := s.Next()
			require.Equal(t, Whole, st)
			require.EqualValues(t, HandshakeClientHello, typ)
			require.Equal(t, want, body)
			s = ScanHandshake(framed[:len(framed)-1], scratch)
			_, _, st = s.Next()
			require.Equal(t, More, st)
		}
	}
}

func TestScanOfWholeFlights(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		fromClient, fromServer := handshake(t, clientConfig(version), serverConfig(t))
		require.Equal(t, Whole, LooksTLS(fromServer))
		var got []byte
		s := ScanHandshake(fromServer, nil)
		typ, body, st := s.Next()
		for ; st == Whole; typ, body, st = s.Next() {
			got = append(got, typ)
			if typ == HandshakeServerHello {
				h, err := ParseServerHello(body, false)
				require.NoError(t, err)
				require.Equal(t, version, h.Version)
			}
		}
		require.Equal(t, No, st)
		require.True(t, s.Encrypted)
		if version == tls.VersionTLS12 {
			// hello, certificate, key exchange, done
			require.Equal(t, []byte{2, 11, 12, 14}, got)
		} else {
			require.Equal(t, []byte{2}, got)
		}
		s = ScanHandshake(fromClient, nil)
		typ, _, st = s.Next()
		require.Equal(t, Whole, st)
		require.EqualValues(t, HandshakeClientHello, typ)
	}
}

// A server that wants another group makes the client send a second hello, behind a ChangeCipherSpec.
func TestScanAfterHelloRetry(t *testing.T) {
	server := serverConfig(t)
	server.CurvePreferences = []tls.CurveID{tls.CurveP384}
	fromClient, fromServer := handshake(t, clientConfig(tls.VersionTLS13), server)
	for _, flight := range [][]byte{fromClient, fromServer} {
		s := ScanHandshake(flight, nil)
		n := 0
		_, _, st := s.Next()
		for ; st == Whole; _, _, st = s.Next() {
			n++
		}
		require.Equal(t, 2, n)
		require.Equal(t, No, st)
		require.True(t, s.Encrypted)
	}
}

func TestScanAlertAndGarbage(t *testing.T) {
	s := ScanHandshake([]byte{21, 3, 1, 0, 2, 2, 40}, nil)
	_, _, st := s.Next()
	require.Equal(t, More, st)
	require.Equal(t, HandshakeScan{HasAlert: true, AlertLevel: 2, AlertDesc: 40},
		HandshakeScan{HasAlert: s.HasAlert, AlertLevel: s.AlertLevel, AlertDesc: s.AlertDesc})
	for _, b := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff\x01", "\x16\x02", "\x19\x03\x01\x00\x01\x00"} {
		s := ScanHandshake([]byte(b), nil)
		_, _, st := s.Next()
		require.Equal(t, No, st, "%q", b)
		require.False(t, s.Encrypted)
	}
	huge := append([]byte{22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}, reframe(make([]byte, 5+16000))...)
	s = ScanHandshake(huge, nil)
	_, _, st = s.Next()
	require.Equal(t, No, st, "a message of 16 MB is no handshake")
}

func TestLooksTLS(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Status
	}{
		{"nothing", "", More},
		{"one byte", "\x16", More},
		{"client hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Whole},
		{"server hello of a draft", "\x16\x03\x01\x00\x60\x02\x00\x00\x5c\x7f\x12", Whole},
		{"certificate first", "\x16\x03\x01\x02\x00\x0b\x00\x01\xfc\x03\x03", No},
		{"version 4", "\x16\x04\x01", No},
		{"hello too small", "\x16\x03\x01\x02\x00\x01\x00\x00\x05\x03\x03", No},
		{"fatal alert", "\x15\x03\x03\x00\x02\x02\x28", Whole},
		{"alert cut", "\x15\x03\x03\x00\x02\x02", More},
		{"encrypted alert", "\x15\x03\x03\x00\x1a\x00", No},
		{"data", "\x17\x03\x03\x00\x1a", No},
		{"http", "GET /", No},
		{"ssh", "SSH-2.0-", No},
		{"sslv2", "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", Whole},
		{"sslv2 cut", "\x80\x2e\x01\x03", More},
		{"sslv2 without tls", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", No},
		{"sslv2 with wrong lengths", "\x80\x2f\x01\x03\x01\x00\x15\x00\x00\x00\x10", No},
	} {
		require.Equal(t, c.want, LooksTLS([]byte(c.in)), c.name)
	}
}

func TestSSLv2Hello(t *testing.T) {
	ciphers := []byte{0, 0, 0x2f, 0, 0, 0x35, 1, 0, 0x80} // the last is one of SSLv2's own
	msg := append([]byte{1, 3, 1, 0, byte(len(ciphers)), 0, 0, 0, 16}, ciphers...)
	msg = append(msg, make([]byte, 16)...)
	in := append([]byte{0x80, byte(len(msg))}, msg...)
	require.Equal(t, Whole, LooksTLS(in))
	s := ScanHandshake(in, nil)
	typ, body, st := s.Next()
	require.Equal(t, Whole, st)
	require.EqualValues(t, HandshakeClientHello, typ)
	h, err := ParseClientHello(body, false, 0)
	require.NoError(t, err)
	require.EqualValues(t, 0x0301, h.Version)
	require.Equal(t, "t10i020000_", h.JA4[:11])
	var v HelloView
	require.True(t, PeekClientHello(body, &v))
	require.Nil(t, v.SNI)
	s = ScanHandshake(in[:len(in)-1], nil)
	_, _, st = s.Next()
	require.Equal(t, More, st)
}

func TestScanDoesNotAllocate(t *testing.T) {
	sent, _ := handshake(t, clientConfig(tls.VersionTLS13), serverConfig(t))
	framed := reframe(sent[:recordHeader+int(binary.BigEndian.Uint16(sent[3:]))], 700)
	scratch := make([]byte, 0, 4096)
	var v HelloView
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if LooksTLS(framed) != Whole {
			panic("not recognised")
		}
		s := ScanHandshake(framed, scratch)
		if _, body, st := s.Next(); st != Whole || !PeekClientHello(body, &v) || v.SNI == nil {
			panic("not read")
		}
	}))
}

func FuzzHandshakeScan(f *testing.F) {
	fromClient, fromServer := handshake(f, clientConfig(tls.VersionTLS12), serverConfig(f))
	f.Add(fromClient, 3)
	f.Add(fromServer, 100)
	f.Add([]byte("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		scan := func(b []byte) (out [][]byte, last Status) {
			s := ScanHandshake(b, make([]byte, 0, 16))
			for {
				typ, body, st := s.Next()
				if st != Whole {
					return out, st
				}
				out = append(out, append([]byte{typ}, body...))
			}
		}
		all, _ := scan(b)
		if cut < 0 || cut > len(b) {
			return
		}
		some, last := scan(b[:cut])
		require.LessOrEqual(t, len(some), len(all), "a longer stream shows no less")
		for i := range some {
			require.Equal(t, some[i], all[i])
		}
		if last == No {
			require.Len(t, all, len(some), "No is final")
		}
	})
}
