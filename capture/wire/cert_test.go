package wire

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// der makes an element with the shortest length.
func der(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
}

// derPair is one attribute of a name.
func derPair(oid string, tag byte, value string) []byte {
	return der(0x31, der(derSequence, der(derOID, []byte(oid)), der(tag, []byte(value))))
}

// oddCertificate is one that strict readers refuse: a negative serial number, several common names, a BMPString, times
// without seconds, an extension without an end.
func oddCertificate() []byte {
	name := der(derSequence, derPair(oidCommonName, 0x13, "first"), derPair(oidCommonName, derBMP, "\x00l\x00\xe4\x00s\x00t"))
	issuer := der(derSequence, derPair(oidOrganisation, 0x0c, "AV Example"), derPair(oidCommonName, derUniversal, "\x00\x00\x00C\x00\x00\x00A"))
	altNames := der(derSequence, der(derName, []byte("A.Example.")), der(0x81, []byte("mail@example")),
		der(derAddress, []byte{192, 0, 2, 1}), der(derAddress, []byte{1, 2, 3}), der(0x86, []byte("http://x")))
	ext := der(derSequence, der(derOID, []byte(oidAltName)), der(0x01, []byte{0xff}), der(derOctets, altNames))
	tbs := der(derSequence,
		der(derContext, der(2, []byte{2})),
		der(2, []byte{0xff, 0x01}),
		der(derSequence), issuer,
		der(derSequence, der(0x17, []byte("5001020304Z")), der(0x18, []byte("20500102030405Z"))),
		name,
		der(derSequence),
		der(derContext|3, der(derSequence, ext, []byte{derSequence, 0x84, 0xff})),
	)
	return der(derSequence, tbs, []byte{derSequence, 0x83, 0, 0, 1, 0})
}

// certMessage makes the body of a Certificate message.
func certMessage(certs ...[]byte) []byte {
	var list []byte
	for _, c := range certs {
		list = append(list, byte(len(c)>>16), byte(len(c)>>8), byte(len(c)))
		list = append(list, c...)
	}
	return append([]byte{byte(len(list) >> 16), byte(len(list) >> 8), byte(len(list))}, list...)
}

func TestCertificatesOfCryptoTLS(t *testing.T) {
	cfg := serverConfig(t)
	_, fromServer := handshake(t, clientConfig(tls.VersionTLS12), cfg)
	s := ScanHandshake(fromServer, nil)
	_, _, _ = s.Next()
	typ, body, st := s.Next()
	require.Equal(t, Whole, st)
	require.EqualValues(t, HandshakeCertificate, typ)
	certs, err := ParseCertificates(body, false)
	require.NoError(t, err)
	require.Equal(t, []Certificate{{
		SubjectCN: "update.av.example", IssuerCN: "update.av.example", IssuerOrg: "AV Example",
		SAN:       []string{"update.av.example", "*.cdn.av.example", "192.0.2.7", "2001:db8::7"},
		SHA256:    sha256.Sum256(cfg.Certificates[0].Certificate[0]),
		NotBefore: time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC),
		NotAfter:  time.Date(2051, 1, 2, 3, 4, 5, 0, time.UTC),
	}}, certs)
}

func TestOddCertificates(t *testing.T) {
	odd := oddCertificate()
	body := certMessage([]byte("garbage"), odd)
	certs, err := ParseCertificates(body, true)
	require.NoError(t, err)
	require.Equal(t, []Certificate{
		{SHA256: sha256.Sum256([]byte("garbage")), DTLS: true},
		{
			Index: 1, SubjectCN: "läst", IssuerCN: "CA", IssuerOrg: "AV Example",
			SAN: []string{"a.example", "192.0.2.1"}, SHA256: sha256.Sum256(odd), DTLS: true,
			NotBefore: time.Date(1950, 1, 2, 3, 4, 0, 0, time.UTC),
			NotAfter:  time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC),
		},
	}, certs)
	cut, err := ParseCertificates(append([]byte{0, 0, byte(len(body) - 4)}, body[3:len(body)-1]...), false)
	require.ErrorIs(t, err, ErrTruncated)
	require.Len(t, cut, 1, "what stands before the break is kept")
	_, err = ParseCertificates(body[:2], false)
	require.ErrorIs(t, err, ErrTruncated)
	certs, err = ParseCertificates(certMessage(bytes.Split(make([]byte, 99), []byte{0})...), false)
	require.NoError(t, err)
	require.Len(t, certs, certsMax)
	for i := range odd {
		_, err := ParseCertificates(certMessage(odd[:i]), false)
		require.NoError(t, err, "cut at %d", i)
	}
}

func TestDERTime(t *testing.T) {
	for in, want := range map[string]string{
		"491231235959Z": "2049-12-31T23:59:59Z", "500101000000Z": "1950-01-01T00:00:00Z", "680101000000Z": "1968-01-01T00:00:00Z",
		"690101000000Z": "1969-01-01T00:00:00Z", "99991231235959Z": "9999-12-31T23:59:59Z", "9901010000Z": "1999-01-01T00:00:00Z",
		"240101000000+0200": "2024-01-01T00:00:00Z", "": "0001-01-01T00:00:00Z", "241301000000Z": "0001-01-01T00:00:00Z", "x": "0001-01-01T00:00:00Z",
	} {
		require.Equal(t, want, readDERTime([]byte(in)).Format(time.RFC3339), in)
	}
}

func FuzzCertificates(f *testing.F) {
	f.Add(certMessage(oddCertificate()))
	f.Add(certMessage(serverConfig(f).Certificates[0].Certificate...))
	f.Fuzz(func(t *testing.T, body []byte) {
		certs, _ := ParseCertificates(body, false)
		require.LessOrEqual(t, len(certs), certsMax)
		for i, c := range certs {
			require.Equal(t, i, c.Index)
			require.LessOrEqual(t, len(c.SAN), sansMax)
			require.LessOrEqual(t, len(c.SubjectCN), 2*len(body))
		}
	})
}
